"""How often gates are right: simulations with the project's own functions."""

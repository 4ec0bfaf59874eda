"""Commands on who may ask a server, and whose packages it believes."""

"""A challenger beside the champion on live traffic: who is in it, what is counted, and when that is enough."""

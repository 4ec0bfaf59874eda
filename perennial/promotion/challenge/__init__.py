"""A version that is tried on live traffic before it may serve: how that begins, what servers ask, how it ends."""

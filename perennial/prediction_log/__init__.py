"""The prediction log: what servers answered, written in the background and read back by id."""

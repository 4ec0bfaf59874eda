"""What kinds share whose answer is exactly one of some labels, whatever they read."""

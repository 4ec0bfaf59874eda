"""What the kinds go by to tell from a sample of a file whether it is for them, and which column is what."""

"""Forgetting rows: wherever they are held, what is erased at once, what stays until when, and a receipt."""

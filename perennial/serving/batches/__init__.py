"""Whose rows are answered next, and together."""

"""Exactly one label for a text."""

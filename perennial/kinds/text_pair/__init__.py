"""Exactly one label for two texts that are read together."""

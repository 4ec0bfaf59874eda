"""Measured, not tested: figures of whole commands, as a user runs them."""

"""Perennial keeps text models current: validate, fine-tune, export, judge and promote."""

__version__ = "0.1.0"

"""Surges: when far more of what is written is bad than a series' own seasons have it, and when that is over."""

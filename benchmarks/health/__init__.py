"""Benchmarks of the model's health on live texts."""

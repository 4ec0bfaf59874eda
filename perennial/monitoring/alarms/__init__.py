"""Alarms: surges that people are told of, and what became of each."""

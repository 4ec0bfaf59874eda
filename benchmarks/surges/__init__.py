"""Surges in simulated streams: false alarms, detection and delay of several detectors."""

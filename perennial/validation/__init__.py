"""Which rows are good: expectations judged, bad rows set aside, broken data refused."""

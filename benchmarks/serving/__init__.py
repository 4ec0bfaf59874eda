"""Serving: this build beside an earlier one, `mlflow models serve` and infinity."""

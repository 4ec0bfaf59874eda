"""The stream as a page: sentiment over time, alarms, model versions, newest texts."""

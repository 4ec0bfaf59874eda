"""JSON of rows, whichever way it is written."""

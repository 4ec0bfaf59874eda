"""One encoder for several models: where the graphs of two packages begin with the same bytes, those are run once."""

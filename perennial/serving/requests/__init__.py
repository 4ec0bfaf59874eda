"""What comes in: bodies within limits, read strictly into what the model reads, with an id and a deadline."""

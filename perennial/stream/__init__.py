"""The live stream: texts that nobody labelled, read once, answered, kept."""

"""One run at a time: its key, whether enough is new, where it starts from, and how each one ended."""

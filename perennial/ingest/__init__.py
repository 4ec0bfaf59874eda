"""From a source to a snapshot: what is read, what of it is new, and what counts no more."""

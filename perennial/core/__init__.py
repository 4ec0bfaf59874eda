"""What every room stands on: the store, digests, errors, progress."""

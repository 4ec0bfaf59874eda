"""The frozen records that steps hand to each other: paths into the store, digests and facts; never live objects."""

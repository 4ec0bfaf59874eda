"""Which version serves: followed from the registry, and gone on with when that is down."""

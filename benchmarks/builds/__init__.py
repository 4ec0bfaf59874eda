"""Other builds of Perennial, measured beside this one in one run."""

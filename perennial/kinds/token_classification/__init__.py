"""Any number of labelled spans in a text."""

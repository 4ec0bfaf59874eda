"""How alike texts are, by the runs of letters that they share."""

"""Signed statements about versions: who registered which package, on which evidence. Knows no registry."""

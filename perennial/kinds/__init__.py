"""The kinds of task Perennial knows, by name."""

from perennial.kinds.registry import kind_named, name_for_bare_texts, names, names_of_shape

__all__ = ["kind_named", "name_for_bare_texts", "names", "names_of_shape"]

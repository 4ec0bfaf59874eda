"""What other installed packages add to Perennial, by the entry points that they declare."""

from __future__ import annotations

from typing import Any


def plugin_names(group: str) -> tuple[str, ...]:
    """The names that installed packages declare in the entry point group `group`, in alphabetical order."""
    from importlib.metadata import entry_points

    return tuple(sorted(entry_points(group=group).names))


def plugin(group: str, name: str) -> Any:
    """The object that is declared as `name` in `group`. Raises KeyError if none is."""
    from importlib.metadata import entry_points

    return entry_points(group=group)[name].load()

"""Labels that the `datasets` library wrote as numbers, by the names it keeps in the schema's metadata."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from perennial.core import progress

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"huggingface"
Names = Mapping[str, list[str]]
"""By column, the name of each number from 0 on."""


def class_names(schema: pa.Schema) -> Names:
    """The columns of class labels, and of lists of them, with their names; none where `datasets` wrote no metadata."""
    try:
        features = json.loads((schema.metadata or {})[_KEY])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    named = {column: _names(feature) for column, feature in features.items()} if isinstance(features, dict) else {}
    return {column: names for column, names in named.items() if names}


def _names(feature: Any) -> list[str] | None:
    # A list of labels is {"feature": …}; older versions of the library write [ … ].
    if isinstance(feature, list) and len(feature) == 1:
        return _names(feature[0])
    if not isinstance(feature, Mapping):
        return None
    if isinstance(feature.get("feature"), Mapping):
        return _names(feature["feature"])
    names = feature.get("names")
    is_label = feature.get("_type") == "ClassLabel"
    return names if is_label and isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def by_name(name: str, column: str, values: list[object], names: list[str], labels: Collection[str]) -> list[object]:
    """The numbers of a column as their names; -1, which stands for none, and what has no name, as None.

    `labels`: those of the pipeline. One that knows these labels by their numbers, as older versions of Perennial made
    it, keeps them; it is told.
    """
    numbers = {str(number) for number in range(len(names))}
    if labels and set(labels) <= numbers and not set(labels) <= set(names):
        progress.note(
            f"{name}: column {column!r} has names for its numbers ({', '.join(names[:5])}); data.labels names the "
            "numbers, so those are kept. With the names in data.labels a model answers by name."
        )
        return values
    return [_named(value, names) for value in values]


def _named(value: object, names: list[str]) -> object:
    if isinstance(value, list):
        return [_named(one, names) for one in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else None

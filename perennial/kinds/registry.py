"""The kinds of task Perennial knows, by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from perennial.core import plugins

if TYPE_CHECKING:
    from perennial.kinds.protocols import Kind
    from perennial.kinds.recognition.sample import RowShape

GROUP = "perennial.kinds"
"""The entry points by which an installed package adds a kind: its name, and the module and object of its `Kind`."""
_MODULES = {
    "text-classification": "perennial.kinds.text_classification.kind",
    "text-pair": "perennial.kinds.text_pair.kind",
    "multi-label": "perennial.kinds.multi_label.kind",
    "token-classification": "perennial.kinds.token_classification.kind",
    "regression": "perennial.kinds.regression.kind",
}


def names() -> tuple[str, ...]:
    """Every kind's name, as `kind:` in pipeline.yaml."""
    return (*_MODULES, *(name for name in plugins.plugin_names(GROUP) if name not in _MODULES))


def kind_named(name: str) -> Kind:
    """The kind called `name`. Raises KeyError if there is none; a pipeline.yaml that names one is refused."""
    return cast("Kind", import_module(_MODULES[name]).KIND if name in _MODULES else plugins.plugin(GROUP, name))


def name_for_bare_texts(kind: Kind) -> str:
    """The first kind that reads the same texts as `kind` and takes any text for what is learned.

    So rows are read that have texts and nothing else. Raises KeyError if there is none.
    """
    for name in names():
        other = kind_named(name)
        if other.takes_any_text and other.text_columns == kind.text_columns:
            return name
    raise KeyError(f"no kind reads {', '.join(kind.text_columns)} without what is learned")


def names_of_shape(shape: RowShape) -> tuple[str, ...]:
    """The kinds whose rows look so."""
    return tuple(name for name in names() if kind_named(name).shape == shape)


def number_hint() -> str:
    """What to say to a person whose column is no label; it may be a number."""
    hints = (kind_named(name).wording.unlike_label for name in names())
    return "".join(f"{hint} " for hint in hints if hint)

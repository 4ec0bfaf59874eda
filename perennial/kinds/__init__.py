"""The kinds of task Perennial knows, by name."""

from importlib import import_module
from typing import cast

from perennial.kinds.base import Kind

__all__ = ["Kind", "kind_named", "names"]

_MODULES = {
    "text-classification": "perennial.kinds.text_classification",
    "text-pair": "perennial.kinds.text_pair",
    "multi-label": "perennial.kinds.multi_label",
    "token-classification": "perennial.kinds.token_classification",
    "regression": "perennial.kinds.regression",
}


def names() -> tuple[str, ...]:
    """Every kind's name, as `kind:` in pipeline.yaml."""
    return tuple(_MODULES)


def kind_named(name: str) -> Kind:
    """The kind called `name`. Raises KeyError if there is none; a pipeline.yaml that names one is refused."""
    return cast(Kind, import_module(_MODULES[name]).KIND)

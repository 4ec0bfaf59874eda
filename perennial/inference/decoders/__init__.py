"""From rows to token ids and from a model's outputs to answers: one decoder for each kind of task."""

from importlib import import_module
from typing import cast

from perennial.core import plugins
from perennial.core.errors import PackageError, listing
from perennial.inference.decoders.base import Columns, Decoder, Encoded, Input, Meaning, Outputs

__all__ = ["Columns", "Decoder", "Encoded", "Input", "Meaning", "Outputs", "decoder_named"]

GROUP = "perennial.decoders"
"""The entry points by which an installed package adds the decoder of its kind."""
_MODULES = {
    "text-classification": "text_classification",
    "text-pair": "text_pair",
    "multi-label": "multi_label",
    "token-classification": "token_classification",
    "regression": "regression",
}


def decoder_named(kind: str) -> Decoder:
    """The decoder of `kind`. Raises PackageError if there is none."""
    if kind in _MODULES:
        return cast(Decoder, import_module(f"{__name__}.{_MODULES[kind]}").DECODER)
    try:
        return cast(Decoder, plugins.plugin(GROUP, kind))
    except KeyError:
        decoded = (*_MODULES, *plugins.plugin_names(GROUP))
        raise PackageError(
            f"The package is for the kind of task {kind!r}; this version of perennial decodes {listing(decoded)}.",
            remedy="Update perennial where the package is used.",
        ) from None

"""From rows to token ids and from a model's outputs to answers: one decoder for each kind of task."""

from importlib import import_module
from typing import cast

from perennial.core.errors import PackageError, listing
from perennial.inference.decoders.base import Columns, Decoder, Encoded, Input, Meaning, Outputs

__all__ = ["Columns", "Decoder", "Encoded", "Input", "Meaning", "Outputs", "decoder_named"]

_MODULES = {
    "text-classification": "text_classification",
    "text-pair": "text_pair",
    "multi-label": "multi_label",
    "token-classification": "token_classification",
    "regression": "regression",
}


def decoder_named(kind: str) -> Decoder:
    """The decoder of `kind`. Raises PackageError if there is none."""
    if kind not in _MODULES:
        raise PackageError(
            f"The package is for the kind of task {kind!r}; this version of perennial decodes {listing(_MODULES)}.",
            remedy="Update perennial where the package is used.",
        )
    return cast(Decoder, import_module(f"{__name__}.{_MODULES[kind]}").DECODER)

"""Asking a package: about rows, and about texts that no row holds."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from perennial import kinds
from perennial.core import ordered_map
from perennial.inference import decoders
from perennial.metrics.prediction import Prediction
from perennial.settings.pipeline import PipelineSpec

Texts = tuple[str, ...]
"""What the model reads at once: a text, or the two of a pair."""
Heard = Callable[[int, int], None]
"""Hears (done, in all)."""


class Answerer(Protocol):
    """A package that can be asked, in this process (`Predictor`) or in one of its own (`worker.PackageWorker`)."""

    def predict(self, inputs: Sequence[decoders.Input], *, on_progress: Heard | None = None) -> list[dict[str, Any]]:
        """One answer for each input, in order. Raises PackageError if there are none."""


class Ask(Protocol):
    """What asks a package: `predict`, or `predict_with_details`."""

    def __call__(self, inputs: Sequence[decoders.Input], *, on_progress: Heard | None = None) -> list[dict[str, Any]]:
        """One answer for each input, in order."""


def ask_rows(ask: Ask, inputs: Sequence[decoders.Input], heard: Heard | None = None) -> list[dict[str, Any]]:
    """What `ask` answers to each of `inputs`, in order.

    They are one piece: an int8 model scales its numbers by those of the rows it is asked together, so other pieces
    would be another measurement.
    """

    def asked(piece: Sequence[decoders.Input]) -> list[dict[str, Any]]:
        return ask(piece, on_progress=heard)

    return list(chain.from_iterable(ordered_map.map_in_order(asked, [inputs])))


def answers(
    spec: PipelineSpec, predictor: Answerer, asked: Iterable[Texts], heard: Heard | None = None
) -> dict[Texts, Prediction]:
    """What `predictor` answers to each of `asked`, each asked once."""
    different = list(dict.fromkeys(asked))
    names = kinds.kind_named(spec.kind).text_columns
    columns = {name: [texts[index] for texts in different] for index, name in enumerate(names)}
    inputs = decoders.decoder_named(spec.kind).inputs(columns)
    return dict(zip(different, ask_rows(predictor.predict, inputs, heard), strict=True))

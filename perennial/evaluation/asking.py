"""Asking a package about texts that no row holds."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from perennial import kinds
from perennial.inference import decoders
from perennial.metrics.prediction import Prediction
from perennial.settings.pipeline import PipelineSpec

Texts = tuple[str, ...]
"""What the model reads at once: a text, or the two of a pair."""
Heard = Callable[[int, int], None]
"""Hears (done, in all)."""


class Answerer(Protocol):
    """A package that can be asked, in this process (`Predictor`) or in one of its own (`apart.Apart`)."""

    def predict(self, inputs: Sequence[decoders.Input], *, on_progress: Heard | None = None) -> list[dict[str, Any]]:
        """One answer for each input, in order. Raises PackageError if there are none."""


def answers(
    spec: PipelineSpec, predictor: Answerer, asked: Iterable[Texts], heard: Heard | None = None
) -> dict[Texts, Prediction]:
    """What `predictor` answers to each of `asked`, each asked once."""
    different = list(dict.fromkeys(asked))
    names = kinds.kind_named(spec.kind).text_columns
    columns = {name: [texts[index] for texts in different] for index, name in enumerate(names)}
    inputs = decoders.decoder_named(spec.kind).inputs(columns)
    return dict(zip(different, predictor.predict(inputs, on_progress=heard), strict=True))

"""Asking a package about texts that no row holds."""

from collections.abc import Callable, Iterable

from perennial import kinds
from perennial.inference import decoders
from perennial.inference.predictor import Predictor
from perennial.kinds import Prediction
from perennial.spec import PipelineSpec

Texts = tuple[str, ...]
"""What the model reads at once: a text, or the two of a pair."""
Heard = Callable[[int, int], None]
"""Hears (done, in all)."""


def answers(
    spec: PipelineSpec, predictor: Predictor, asked: Iterable[Texts], heard: Heard | None = None
) -> dict[Texts, Prediction]:
    """What `predictor` answers to each of `asked`, each asked once."""
    different = list(dict.fromkeys(asked))
    names = kinds.get(spec.kind).text_columns
    columns = {name: [texts[place] for texts in different] for place, name in enumerate(names)}
    inputs = decoders.get(spec.kind).inputs(columns)
    return dict(zip(different, predictor.predict(inputs, on_progress=heard), strict=True))

"""Fixed cases and their answers, kept with the evaluation: before a version serves, it must answer them the same."""

from perennial import kinds
from perennial.evaluation.asking import Texts
from perennial.evaluation.behaviours import cases
from perennial.inference import decoders
from perennial.inference.predictor import Predictor
from perennial.inference.probes import TEXTS
from perennial.records.evaluation import Cases
from perennial.settings.pipeline import PipelineSpec

MOST_BEHAVIOURS = 100
"""Of the pipeline's behavioural cases, spread evenly over all."""


def answer_fixed_cases(spec: PipelineSpec, predictor: Predictor) -> Cases:
    """The fixed cases, all asked at once, as they will be asked again. No user's text is among them."""
    names = kinds.kind_named(spec.kind).text_columns
    asked = [tuple(text for _ in names) for text in TEXTS] + _behaviours(spec)
    columns = {name: [texts[index] for texts in asked] for index, name in enumerate(names)}
    inputs = decoders.decoder_named(spec.kind).inputs(columns)
    return Cases(
        machine=predictor.machine,
        # As JSON has them, so that they are the same before and after they were stored.
        inputs=tuple(list(one) if isinstance(one, tuple) else one for one in inputs),
        answers=tuple(predictor.predict(inputs)),
    )


def _behaviours(spec: PipelineSpec) -> list[Texts]:
    texts = [case.texts for made in cases.cases_of(spec).values() for case in made]
    count = min(MOST_BEHAVIOURS, len(texts))
    return [texts[index * len(texts) // count] for index in range(count)]

"""Requests that are answered in one run: of one version, or of several whose encoder is the same."""

from collections.abc import Sequence

from perennial.inference.decoders import Input
from perennial.inference.predictor import predict_together
from perennial.serving.current import LoadedVersion

Asked = Sequence[tuple[LoadedVersion, Sequence[Input]]]


def may_go_together(one: LoadedVersion, other: LoadedVersion) -> bool:
    """Whether one run can answer rows of both. Two versions of one model are kept apart, also where they could."""
    return one is other or (one.model != other.model and one.predictor.encoder is other.predictor.encoder)


def answers_of(asked: Asked) -> list[list[dict[str, object]]]:
    """The answers to each, in order; all of them may go together. Raises as `Predictor.predict` does."""
    versions = list({id(served): served for served, _ in asked}.values())
    inputs = [[row for served, rows in asked if served is version for row in rows] for version in versions]
    if len(versions) == 1:
        answers = [versions[0].predictor.predict(inputs[0], at_once=True)]
    else:
        answers = predict_together(list(zip((version.predictor for version in versions), inputs, strict=True)))
    remaining = {id(version): iter(own) for version, own in zip(versions, answers, strict=True)}
    return [[next(remaining[id(served)]) for _ in rows] for served, rows in asked]

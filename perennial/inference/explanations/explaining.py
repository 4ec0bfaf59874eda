"""Explanations of answers: which words moved each, and how far.

An explanation asks in rounds, so that whoever has the model (a predictor, or a server's batcher) answers several at
once and counts them as what they are: rows.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from perennial.core.errors import PackageError, listing
from perennial.inference.decoders import Input
from perennial.inference.explanations.games import FEWEST_ROWS, METHODS, Unit, Weighted
from perennial.inference.explanations.parts import Parts, parts_of
from perennial.inference.explanations.targets import Target, targets_of
from perennial.inference.predictor import Predictor

METHOD = "shapley"
ROWS = 14
"""Asked for a text, however long, so that an explanation costs no more than about ten predictions."""

Result = TypeVar("Result")
Answers = Sequence[dict[str, Any]]
Explaining = Generator[list[Input], Answers, dict[str, Any]]
"""Yields inputs, is sent their answers, returns the explanation."""


def explaining(
    predictor: Predictor, one: Input, *, method: str = METHOD, rows: int = ROWS, label: str | None = None
) -> Explaining:
    """The explanation of the answer to one input, as a generator that asks for answers.

    It returns, ready for JSON, {"prediction", "target" (a label; None: a value), "method", "rows" (that were asked),
    "base" (the target's score, or the value, without any word), "value" (with all), "tokens"}; `tokens` are words, and
    neighbouring words taken together, each with "text", "start" and "end" (characters), "weight" (what it adds to the
    score or value) and, of a pair, "column". Of entities `target` and `base` are None, and "spans" has one such
    explanation a span. `rows`: to be asked at most, 6 or more. Raises PackageError for an unknown `method` or `label`.
    """
    weighed = yield from weighing(predictor, one, method=method, rows=rows, label=label)
    each = [
        {
            **_target(target),
            "base": base,
            "value": value,
            "tokens": _tokens(weighed.units, weights.tolist(), weighed.parts),
        }
        for target, (value, base), weights in zip(
            weighed.targets, weighed.ends.T.tolist(), weighed.weights.T, strict=True
        )
    ]
    start = {"prediction": weighed.prediction, "target": None, "method": method, "rows": weighed.rows}
    if predictor.decoder.per_token:
        return start | {"base": None, "value": None, "tokens": [], "spans": each}
    return start | each[0]


@dataclass(frozen=True)
class Weighed:
    """What each part of an input adds to each target of its answer."""

    parts: Parts
    prediction: dict[str, Any]
    targets: list[Target]
    ends: np.ndarray
    """2 × targets: their values with all words, and with none."""
    units: list[Unit]
    weights: np.ndarray
    """Units × targets."""
    rows: int
    """How many were asked."""


def weighing(
    predictor: Predictor, one: Input, *, method: str, rows: int, label: str | None = None
) -> Generator[list[Input], Answers, Weighed]:
    """What `explaining` asks, and is to say in JSON. Raises as it does."""
    if method not in METHODS:
        raise PackageError(f"There is no method {method!r}; there are {listing(METHODS)}.", remedy="Name one of them.")
    parts = parts_of(one, predictor.decoder, predictor.read_characters(one))
    game = METHODS[method](parts.starts, len(parts), max(rows, FEWEST_ROWS))
    masks = next(game)
    # The first of all is the input itself, as it was given.
    answers = yield [one, *(parts.without(kept) for kept in masks[1:])]
    prediction = answers[0]
    targets = targets_of(prediction, predictor.package.labels, label)
    values = target_values(answers, masks, parts, targets)
    ends = values[:2]
    while True:
        try:
            masks = game.send(values)
        except StopIteration as ended:
            weighed: Weighted = ended.value
            return Weighed(parts, prediction, targets, ends, weighed.units, weighed.weights, weighed.rows)
        answers = yield [parts.without(kept) for kept in masks]
        values = target_values(answers, masks, parts, targets)


def explain(
    predictor: Predictor,
    inputs: Sequence[Input],
    *,
    method: str = METHOD,
    rows: int = ROWS,
    label: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """An explanation of the answer to each of `inputs`, in order, as `explaining` gives it; raises as that does.

    `on_progress` hears (explained, in all).
    """
    weighed = []
    for one in inputs:
        weighed.append(
            answered_by(predictor.predict, explaining(predictor, one, method=method, rows=rows, label=label))
        )
        if on_progress:
            on_progress(len(weighed), len(inputs))
    return weighed


def answered_by(ask: Callable[[list[Input]], Answers], asking: Generator[list[Input], Answers, Result]) -> Result:
    """What `asking` comes to where `ask` answers it."""
    inputs = next(asking)
    while True:
        try:
            inputs = asking.send(ask(inputs))
        except StopIteration as ended:
            result: Result = ended.value
            return result


def target_values(answers: Answers, masks: np.ndarray, parts: Parts, targets: Sequence[Target]) -> np.ndarray:
    """The value of each of `targets` in each of the `answers` to `parts` without some words (rows × targets, float64);
    `masks`: the words that were kept (rows × words, bool)."""
    words = [target.words(parts) for target in targets]
    values = np.zeros((len(masks), len(targets)))
    for row, (answer, kept) in enumerate(zip(answers, masks, strict=True)):
        places = parts.places(kept) if any(len(some) for some in words) else parts.bounds
        values[row] = [target.value(answer, places, some) for target, some in zip(targets, words, strict=True)]
    return values


def _target(target: Target) -> dict[str, Any]:
    of_span = {name: target.span[name] for name in ("text", "start", "end")} if target.span else {}
    return {"target": target.label, **of_span}


def _tokens(units: Sequence[Unit], weights: Sequence[float], parts: Parts) -> list[dict[str, Any]]:
    tokens = []
    for (first, behind), weight in zip(units, weights, strict=True):
        text = int(parts.text_of[first])
        start, end = int(parts.bounds[first, 0]), int(parts.bounds[behind - 1, 1])
        column = {"column": parts.columns[text]} if len(parts.texts) > 1 else {}
        tokens.append({"text": parts.texts[text][start:end], "start": start, "end": end, "weight": weight} | column)
    return tokens

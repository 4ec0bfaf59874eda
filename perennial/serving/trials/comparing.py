"""Asking the version that did not answer, in the background, and what came of both."""

import random
import time
from collections.abc import Sequence

from perennial.inference.decoders import Input
from perennial.rollout.answers import decisive_part, row_key
from perennial.rollout.trial_counts import ComparedRequest, ComparedRow
from perennial.serving.batches.fair_queue import Answers
from perennial.serving.current import LoadedVersion
from perennial.serving.trials.live_trial import AskedOnce

MOST_ROWS = 64
"""Of a request that are compared, the first."""
TIMED_EVERY = 4
"""Requests: of every so many one at least, and all while none waits, are asked of both versions once more, one after
the other, to see how long each takes. What it took while it was answered depends on who asked besides."""


def compared(asked: AskedOnce, *, is_timed: bool) -> tuple[ComparedRequest, Answers | None]:
    """What both versions make of the request, and the answers of the one that is asked now (None: it failed)."""
    challenger, inputs = asked.trial.challenger, asked.inputs
    other = asked.champion if asked.by_challenger else challenger
    answers, _ = _ask(other, inputs)
    of_champion, of_challenger = (answers, asked.answers) if asked.by_challenger else (asked.answers, answers)
    seconds: dict[str, float | None] = _timed(asked.champion, challenger, inputs) if is_timed else {}
    both = of_champion is not None and of_challenger is not None
    request = ComparedRequest(
        rows=_rows(asked, of_champion or [], of_challenger or []) if both else (),
        champion_failed=of_champion is None,
        challenger_failed=of_challenger is None,
        champion_seconds=seconds.get("champion") if both else None,
        challenger_seconds=seconds.get("challenger") if both else None,
    )
    return request, answers


def _timed(champion: LoadedVersion, challenger: LoadedVersion, inputs: Sequence[Input]) -> dict[str, float | None]:
    """How long each takes for a row, in seconds, in an order that is drawn."""
    versions = [("champion", champion), ("challenger", challenger)]
    random.shuffle(versions)
    return {name: _ask(version, inputs)[1] / max(1, len(inputs)) for name, version in versions}


def _ask(version: LoadedVersion, inputs: Sequence[Input]) -> tuple[Answers | None, float]:
    started = time.perf_counter()
    try:
        answers = version.predictor.predict(inputs)
    except Exception:  # noqa: BLE001 - whatever it is, it is a failure to answer; its message may hold a text
        return None, time.perf_counter() - started
    return answers, time.perf_counter() - started


def _rows(asked: AskedOnce, of_champion: Answers, of_challenger: Answers) -> list[ComparedRow]:
    salt = asked.trial.challenge.salt
    answered = zip(asked.inputs, of_champion, of_challenger, strict=False)
    return [
        ComparedRow(f"{asked.request_id}/{number}", row_key(salt, row), decisive_part(one), decisive_part(other))
        for number, (row, one, other) in enumerate(answered)
    ]

"""Made-up stored texts of a version that is as sure as it is right, and the rows that it is held to."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from perennial.monitoring.health.reference import HealthReference
from perennial.monitoring.health.scored_texts import ScoredTexts
from perennial.monitoring.rows import WindowRows
from perennial.stream.live_text import stored_schema

LABELS = ("negative", "neutral", "positive")
START = datetime(2026, 3, 2, tzinfo=UTC)
WORDS = (
    "profit",
    "sales",
    "loss",
    "rose",
    "fell",
    "shares",
    "company",
    "net",
    "plant",
    "order",
    "growth",
    "bank",
    "oil",
)


def drawn(
    seed: int,
    count: int,
    sureness: float = 2.0,
    words: Sequence[str] = WORDS,
    prior: Sequence[float] = (1, 1, 1),
    believed: Sequence[float] = (1, 1, 1),
) -> tuple[ScoredTexts, np.ndarray]:
    """Texts, scores that are calibrated, and labels; `sureness`: how far labels are told apart, in log odds.

    Outputs are normal around `sureness` for the right label and 0 for the others, so that a softmax of sureness times
    them is the chance of each label where all are as frequent. They are as frequent as `prior`, and scores take them to
    be as `believed`.
    """
    random = np.random.default_rng(seed)
    shares = np.array(prior, float)
    targets = random.choice(len(LABELS), count, p=shares / shares.sum())
    outputs = random.normal(size=(count, len(LABELS))) + sureness * np.eye(len(LABELS))[targets]
    odds = np.exp(sureness * outputs) * np.array(believed, float)
    texts = [" ".join(random.choice(list(words), random.integers(4, 12))) + f" {random.integers(1e9)}" for _ in odds]
    return ScoredTexts(texts, odds / odds.sum(axis=1, keepdims=True)), targets


def table(rows: ScoredTexts, model: str = "1", first: int = 0, stories: Sequence[str] | None = None) -> pa.Table:
    """`rows` as they are stored, read one a minute from START on; ids are numbers from `first` on."""
    numbers = range(first, first + len(rows.texts))
    times = [START + timedelta(minutes=number) for number in numbers]
    columns = {
        "id": [f"t{number}" for number in numbers],
        "text": list(rows.texts),
        "time": times,
        "read": times,
        "source": ["wire"] * len(times),
        "story": list(stories) if stories else [f"t{number}" for number in numbers],
        "telling": ["first"] * len(times),
        "model": [model] * len(times),
        "label": [LABELS[number] for number in rows.answers],
        "score": rows.scores.max(axis=1),
        "scores": [list(map(float, row)) for row in rows.scores],
        "topic": [[]] * len(times),
        "entities": [[]] * len(times),
        "kept": [[]] * len(times),
    }
    return pa.table(columns, schema=stored_schema())


def reference(rows: ScoredTexts, targets: np.ndarray, version: str = "1") -> HealthReference:
    """What version `version` is held to: its accuracy is what it is on `rows`; no drift is measured beside it."""
    nothing = WindowRows(
        texts=[], targets=pa.array([], pa.string()), held_out=np.empty(0, bool), keys=[], times=(None, None)
    )
    return HealthReference(
        version=version,
        labels=LABELS,
        folder=Path(),
        judged=rows,
        targets=targets,
        accuracy=float((rows.answers == targets).mean()),
        rows=nothing,
        answers={},
    )

"""What windows are held beside: rows that the champion did not learn from, with what it answers to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from perennial import kinds
from perennial.core.home import Home
from perennial.evaluation import asking
from perennial.inference import package
from perennial.inference.predictor import Predictor
from perennial.ingest import forgotten
from perennial.metrics.prediction import Prediction
from perennial.monitoring import rows
from perennial.monitoring.health.scored_texts import ScoredTexts
from perennial.monitoring.rows import Texts, WindowRows
from perennial.registry import aliases, evidence
from perennial.settings.pipeline import PipelineSpec

ROWS = 10_000
"""Of all that the champion was trained and judged on, so that as many as are wanted were kept from training."""
HELD_OUT = 3000
"""Rows at most that the champion is asked about."""


@dataclass(frozen=True)
class HealthReference:
    """The champion, and what is known of how right it is."""

    version: str
    labels: tuple[str, ...]
    """In the order of scores."""
    folder: Path
    """Of its package."""
    judged: ScoredTexts
    """Rows with labels that it did not learn from, validation and test, and its scores."""
    targets: np.ndarray
    """The number of each right label; (n,)."""
    accuracy: float | None
    """Its own figure on its test rows."""
    rows: WindowRows
    """A sample of all rows that it was trained and judged on."""
    answers: dict[Texts, Prediction]
    """To those of `rows` that are in `judged`."""

    @property
    def top_scores(self) -> np.ndarray:
        """How sure it was of each of `judged`; (n,)."""
        return np.asarray(self.judged.scores.max(axis=1))


def reference_of(spec: PipelineSpec, home: Home) -> HealthReference | None:
    """What the champion of `spec` is held to, from the parts that its evidence names; None: there is no champion, or
    its kind gives no score for each label.

    The champion is asked about up to `HELD_OUT` rows: seconds to a minute. Raises RegistryError or StoreError where
    the registry, the package or a part can't be had.
    """
    champion = aliases.champion(spec.name, home)
    if champion is None or kinds.kind_named(spec.kind).asks != "label":
        return None
    stored = evidence.evidence(home, spec.name, champion.version)[1].evidence
    parts = forgotten.parts_now(home.state(spec.name), stored.snapshot.parts)
    sampled = rows.sample(spec, parts, home.store, ROWS)
    predictor = Predictor(home.store.root / champion.path, digest=champion.package_digest)
    return asked(
        spec,
        predictor,
        sampled,
        version=champion.version,
        folder=home.store.root / champion.path,
        accuracy=stored.evaluation.candidate.values.get("accuracy"),
    )


def asked(
    spec: PipelineSpec,
    predictor: asking.Answerer,
    sampled: WindowRows,
    *,
    version: str,
    folder: Path,
    accuracy: float | None,
) -> HealthReference:
    """The reference of a version whose package is in `folder`, from `sampled` rows, about which it is asked here."""
    labels = package.read_package(folder).labels
    chosen, numbers = _held_out(sampled, labels)
    held_out = [sampled.texts[row] for row in chosen]
    answers = asking.answers(spec, predictor, held_out)
    return HealthReference(
        version=version,
        labels=labels,
        folder=folder,
        judged=ScoredTexts(
            [" ".join(texts) for texts in held_out],
            scores_of([answers[texts] for texts in held_out], labels),
            columns={name: [values[row] for row in chosen] for name, values in sampled.slices.items()},
        ),
        targets=numbers,
        accuracy=accuracy,
        rows=sampled,
        answers=answers,
    )


def scores_of(answers: Sequence[Prediction], labels: Sequence[str]) -> np.ndarray:
    """The scores of `answers` in the order of `labels`; (n, labels)."""
    return np.array([[one["scores"][label] for label in labels] for one in answers], float).reshape(-1, len(labels))


def _held_out(sampled: WindowRows, labels: Sequence[str]) -> tuple[list[int], np.ndarray]:
    """Rows that were not learned from and have one of `labels`, a text once, and the numbers of their labels."""
    places = {label: number for number, label in enumerate(labels)}
    targets = sampled.targets.to_pylist()
    row_of: dict[Texts, int] = {}
    for row, (texts, label, kept) in enumerate(zip(sampled.texts, targets, sampled.held_out, strict=True)):
        if kept and label in places:
            row_of[texts] = row
    once = list(row_of.values())
    spread = [once[one] for one in np.linspace(0, len(once) - 1, min(HELD_OUT, len(once)), dtype=int)]
    return spread, np.array([places[targets[row]] for row in spread], int)

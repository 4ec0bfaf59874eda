"""One window, looked at: its figures beside what is known of the version that answered it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perennial.metrics.prediction import Prediction
from perennial.monitoring.health import limits
from perennial.monitoring.health.accuracy_estimate import AccuracyEstimate, estimated_accuracy
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.health.labelled_accuracy import LiveLabels
from perennial.monitoring.health.reference import HealthReference
from perennial.monitoring.health.scored_texts import ScoredTexts
from perennial.monitoring.health.state import LookedWindow
from perennial.monitoring.health.windows import LiveWindow
from perennial.monitoring.rows import Texts, WindowRows
from perennial.monitoring.window_figures import Reference
from perennial.settings.drift import WindowsSpec
from perennial.settings.monitor.health import HealthSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

GivesReference = Callable[[], HealthReference | None]
NO_REFERENCE = "There is no champion that gives one label to a text, and whose rows and scores could be compared with."
BACKLOG = "So many windows were full at once that only the latest were looked at closely."


class Looker:
    """Looks at windows, and gets what they are held beside when the first is full."""

    def __init__(
        self, spec: PipelineSpec, settings: HealthSpec, labels: LiveLabels, reference: GivesReference, now: datetime
    ) -> None:
        self._spec, self._settings, self._labels, self._now = spec, settings, labels, now
        self._gives_reference = reference

    def looked(self, window: LiveWindow) -> LookedWindow:
        """The figures of `window`, and which limits they pass."""
        reference = self._reference
        if reference is None:
            return self._beside(window, None, NO_REFERENCE)
        if reference.version != window.model:
            other = f"Version {window.model} answered, and version {reference.version} is champion now."
            return self._beside(window, None, other)
        return self._beside(window, reference, "")

    def glanced(self, window: LiveWindow) -> LookedWindow:
        """The same of a window of many: only what takes no time."""
        return self._beside(window, None, BACKLOG)

    def _beside(self, window: LiveWindow, reference: HealthReference | None, not_told: str) -> LookedWindow:
        bounds = window.bounds
        looked = LookedWindow(
            figures=self._figures(window, reference, not_told),
            own_accuracy=reference.accuracy if reference else None,
            own_unsure=self._own_unsure(reference) if reference else None,
            first=bounds.first,
            last=bounds.last,
            read=bounds.read,
        )
        answers = dict(zip(window.table["id"].to_pylist(), window.table["label"].to_pylist(), strict=True))
        return with_labels(self._settings, looked, self._labels, answers)

    @cached_property
    def _reference(self) -> HealthReference | None:
        return self._gives_reference()

    @cached_property
    def _drift(self) -> tuple[Reference, _KnownAnswers] | None:
        reference, wanted = self._reference, self._settings.drift
        if reference is None or wanted is None or not reference.answers:
            return None
        # A window of live texts may be smaller than one that starts a run by itself.
        windows = WindowsSpec.model_construct(window_rows=self._settings.window_texts, limits=wanted)
        kept = _KnownAnswers(reference.folder, reference.answers)
        return Reference(self._spec, windows, reference.rows, kept, labelled=False), kept

    def _own_unsure(self, reference: HealthReference) -> float | None:
        scores = reference.top_scores
        return float((scores < self._settings.unsure_below).mean()) if len(scores) else None

    def _figures(self, window: LiveWindow, reference: HealthReference | None, not_told: str) -> HealthFigures:
        table = window.table
        scores, times = table["score"].to_numpy(), table["time"].drop_null().to_pylist()
        estimate = _estimate(table, reference) if reference else AccuracyEstimate(problem=not_told)
        return HealthFigures(
            looked=self._now,
            model=window.model,
            texts=table.num_rows,
            first=min(times, default=window.bounds.read),
            last=max(times, default=window.bounds.read),
            # A text without a score is not sure either.
            unsure_share=float((~(scores >= self._settings.unsure_below)).mean()),
            drift=self._drifted(reference, table) if reference else {},
            estimated_accuracy=estimate.value,
            estimated_interval=estimate.interval,
            not_estimated=estimate.problem,
        )

    def _drifted(self, reference: HealthReference, table: pa.Table) -> dict[str, float]:
        if self._drift is None:
            return {}
        drift, kept = self._drift
        rows = _window_rows(table)
        kept.of_window = dict(zip(rows.texts, _predictions(table, reference.labels), strict=True))
        return drift.figures(rows)


def with_labels(
    settings: HealthSpec, looked: LookedWindow, labels: LiveLabels, answers: Mapping[str, str]
) -> LookedWindow:
    """`looked` with what `labels` say of `answers`, by the ids of the window's texts, and judged anew.

    Where fewer of its texts have labels than before, some were dropped since, and what was known stays.
    """
    said = labels.accuracy(answers)
    figures = looked.figures
    if said.labelled >= figures.labelled:
        update = {
            "labelled": said.labelled,
            "labelled_by_chance": said.by_chance,
            "accuracy": said.accuracy,
            "accuracy_interval": said.interval,
        }
        figures = figures.model_copy(update=update)
    passed = limits.violations(settings, figures, looked.own_accuracy, looked.own_unsure)
    figures = figures.model_copy(update={"violations": tuple(passed.values())})
    return looked.model_copy(update={"figures": figures, "passed": tuple(passed)})


class _KnownAnswers:
    """Answers that were given already, as drift asks for them."""

    def __init__(self, folder: Path, earlier: Mapping[Texts, Prediction]) -> None:
        self.folder, self._earlier = folder, earlier
        self.of_window: Mapping[Texts, Prediction] = {}

    def answers(self, texts: Sequence[Texts]) -> list[Prediction]:
        """To each of `texts` that has one."""
        given = (self.of_window.get(one) or self._earlier.get(one) for one in texts)
        return [one for one in given if one is not None]


def _estimate(table: pa.Table, reference: HealthReference) -> AccuracyEstimate:
    import pyarrow.compute as pc

    scores = table["scores"].to_pylist()
    if any(len(one or ()) != len(reference.labels) for one in scores):
        return AccuracyEstimate(
            problem=f"Not every text is stored with a score for each of {len(reference.labels)} labels."
        )
    stories = pc.coalesce(table["story"], table["id"]).to_pylist()
    window = ScoredTexts(
        _texts(table), np.array(scores, float), stories, _stated(table, list(reference.judged.columns))
    )
    return estimated_accuracy(reference.judged, reference.targets, window)


def _stated(table: pa.Table, names: Sequence[str]) -> dict[str, list[str | None]]:
    """What the texts state of the columns `names`, those that any of them has."""
    kept = [dict(one or ()) for one in table["kept"].to_pylist()]
    return {name: [one.get(name) for one in kept] for name in names if any(one.get(name) for one in kept)}


def _texts(table: pa.Table) -> list[str]:
    return [text or "" for text in table["text"].to_pylist()]


def _window_rows(table: pa.Table) -> WindowRows:
    import pyarrow as pa

    return WindowRows(
        texts=[(text,) for text in _texts(table)],
        targets=pa.nulls(table.num_rows, pa.string()),
        held_out=np.zeros(table.num_rows, bool),
        keys=[],
        times=(None, None),
    )


def _predictions(table: pa.Table, labels: Sequence[str]) -> list[Prediction]:
    stored = zip(table["label"].to_pylist(), table["score"].to_pylist(), table["scores"].to_pylist(), strict=True)
    return [
        {"label": label, "score": score, "scores": dict(zip(labels, scores or (), strict=False))}
        for label, score, scores in stored
    ]

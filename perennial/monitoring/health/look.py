"""A look at the champion's health: each full window of stored texts once, and labels that came late for older ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from perennial.core.home import Home
from perennial.monitoring.health import limits
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.health.labelled_accuracy import LiveLabels
from perennial.monitoring.health.state import HealthState, LookedWindow, VersionHealth, read_state, write_state
from perennial.monitoring.health.window_look import GivesReference, Looker, with_labels
from perennial.monitoring.health.windows import LiveWindow, WindowReader
from perennial.records.labelling import LabelledText
from perennial.settings.monitor.health import HealthSpec
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

MOST_WINDOWS = 500
"""Of each version, the latest; older ones are forgotten."""
CLOSELY = 10
"""Windows of one look that are looked at closely, the latest: all of a long stream would take hours."""
Windows = Mapping[str, Sequence[LookedWindow]]
"""By version, oldest first."""


def look_at_health(
    spec: PipelineSpec,
    home: Home,
    tables: Iterable[pa.Table],
    reference: GivesReference,
    labelled: Iterable[LabelledText],
    *,
    now: datetime | None = None,
) -> list[HealthFigures]:
    """The figures of each window that is full since the last look, and of one that calls for a run since labels came.

    `tables`: stored texts in the order in which they were read, from the oldest that is kept. `reference`: gives what
    the champion is held to, as `reference_of` does; asked when a window is full, as it takes a while. `labelled`: all
    labels there are. `now`: None: by the clock. Each window is looked at once, and versions by themselves: a new
    champion starts anew. Memory grows with a window and the labels, not with the texts. Raises what `reference` does.
    """
    if spec.monitor is None:
        return []
    settings, time = spec.monitor.health, now or datetime.now(UTC)
    state, labels = read_state(home, spec.name), LiveLabels(labelled)
    bounds = {model: [one.bounds for one in health.windows] for model, health in state.versions.items()}
    reader = WindowReader(settings.window_texts, bounds, labels.ids())
    looker = Looker(spec, settings, labels, reference, time)
    fresh = _fresh(looker, reader.windows(tables), max(CLOSELY, settings.of_last))
    versions = {
        model: _late(settings, labels, health, reader.answers.get(model, {}))
        for model, health in state.versions.items()
    }
    for model, windows in fresh.items():
        before = versions.get(model, VersionHealth())
        versions[model] = before.model_copy(update={"windows": (*before.windows, *windows)[-MOST_WINDOWS:]})
    if reader.latest is not None and reader.latest in versions:
        versions[reader.latest] = _calling(settings, versions[reader.latest], time)
    if versions != state.versions:
        write_state(home, spec.name, HealthState(versions=versions))
    return _news(state, versions, fresh)


def _fresh(looker: Looker, windows: Iterable[LiveWindow], closely: int) -> dict[str, list[LookedWindow]]:
    """All `windows`, the latest `closely` of them looked at closely."""
    fresh: dict[str, list[LookedWindow]] = {}
    latest: deque[LiveWindow] = deque()
    for window in windows:
        latest.append(window)
        if len(latest) > closely:
            oldest = latest.popleft()
            fresh.setdefault(oldest.model, []).append(looker.glanced(oldest))
    for window in latest:
        fresh.setdefault(window.model, []).append(looker.looked(window))
    return fresh


def health_of(home: Home, pipeline: str) -> list[HealthFigures]:
    """The figures of all windows that were looked at, by the time of their latest text; empty: of none yet."""
    versions = read_state(home, pipeline).versions.values()
    return sorted((one.figures for health in versions for one in health.windows), key=lambda figures: figures.last)


def _late(
    settings: HealthSpec, labels: LiveLabels, health: VersionHealth, answers: Mapping[int, Mapping[str, str]]
) -> VersionHealth:
    """`health` with the labels that came since."""
    windows = [
        with_labels(settings, one, labels, answers[number]) if number in answers else one
        for number, one in enumerate(health.windows)
    ]
    return health.model_copy(update={"windows": tuple(windows)})


def _calling(settings: HealthSpec, health: VersionHealth, now: datetime) -> VersionHealth:
    """`health` with a call for a run at its latest window, if it is due; a window calls once."""
    if not health.windows or health.windows[-1].figures.calls_for_retraining:
        return health
    *older, latest = health.windows
    passed = [(one.figures, one.passed, one.figures.violations) for one in health.windows]
    why = limits.reason(settings, passed)
    if why is None or not limits.is_due(settings, health.calls, health.last_call, now):
        return health
    figures = latest.figures.model_copy(update={"calls_for_retraining": why})
    windows = (*older, latest.model_copy(update={"figures": figures}))
    return VersionHealth(windows=windows, calls=health.calls + 1, last_call=now)


def _news(state: HealthState, versions: Mapping[str, VersionHealth], fresh: Windows) -> list[HealthFigures]:
    """What is new since `state`."""
    news = []
    for model, health in versions.items():
        count = len(fresh.get(model, ()))
        old = state.versions[model].windows if model in state.versions else ()
        for number, one in enumerate(health.windows):
            is_fresh = number >= len(health.windows) - count
            called = bool(old) and old[-1].last == one.last and old[-1].figures.calls_for_retraining
            if is_fresh or (one.figures.calls_for_retraining and number == len(health.windows) - 1 and not called):
                news.append(one.figures)
    return news

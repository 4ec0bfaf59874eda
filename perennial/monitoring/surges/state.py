"""What a watch remembers from one run to the next: a record to be kept as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from perennial.core.record import Record
from perennial.monitoring.surges.watching import NEUTRAL, SeriesMemory
from perennial.monitoring.trends.series import Key

BEFORE_A_REGIME = 0.05
"""How much buckets count that were before what became usual."""


class Span(Record):
    """Buckets of a surge."""

    start: datetime
    end: datetime | None = None
    """When the last of them ended; None: it goes on."""
    is_sure: bool = False
    """Whether chance would hardly make it. Then nothing is learned of it.

    Of others something is, as they may be false alarms: without them what is usual would seem to vary less than it
    does, and there would be more and more of them.
    """


class SeriesState(Record):
    """What is remembered of one series."""

    key: Key = ()
    kept: float = 0.0
    before: float = NEUTRAL
    quiet: int = 0
    spans: tuple[Span, ...] = ()
    usual_since: datetime | None = None
    """When a surge began that lasted so long that it is what is usual now."""

    @property
    def opened(self) -> datetime | None:
        """When the surge that goes on began; None: there is none."""
        return self.spans[-1].start if self.spans and self.spans[-1].end is None else None


class WatchState(Record):
    """What is remembered of all series that are watched together."""

    until: datetime | None = None
    """The end of the last bucket that was looked at."""
    series: tuple[SeriesState, ...] = ()

    def of_keys(self, keys: Sequence[Key]) -> list[SeriesState]:
        """The states of these series; a new series has a fresh one."""
        states = {one.key: one for one in self.series}
        return [states.get(key, SeriesState(key=key)) for key in keys]


class Memory:
    """The same as arrays, while buckets are looked at."""

    def __init__(self, states: Sequence[SeriesState], starts: Sequence[datetime]) -> None:
        """`starts`: of all buckets of history and to come."""
        self._states, self._starts = list(states), starts
        self.watch = SeriesMemory(
            np.array([one.kept for one in states]),
            np.array([one.before for one in states]),
            np.array([one.opened is not None for one in states], bool),
            np.array([one.quiet for one in states], int),
        )

    def weights(self) -> np.ndarray:
        """How much is learned of each bucket, for surges and what became usual; (s, n)."""
        weights = np.ones((len(self._states), len(self._starts)))
        seconds = np.array([one.timestamp() for one in self._starts])
        for row, state in enumerate(self._states):
            for span in (one for one in state.spans if one.is_sure):
                end = span.end.timestamp() if span.end else np.inf
                weights[row, (seconds >= span.start.timestamp()) & (seconds < end)] = 0.0
            if state.usual_since:
                weights[row, seconds < state.usual_since.timestamp()] *= BEFORE_A_REGIME
        return weights

    def ages(self, now: datetime) -> np.ndarray:
        """Days since the surge of each series began; 0: none goes on."""
        return np.array([(now - one.opened).total_seconds() / 86400 if one.opened else 0.0 for one in self._states])

    def open_spans(self, series: np.ndarray, start: datetime) -> None:
        """A surge of each of these series begins with the bucket of `start`."""
        for row in series.tolist():
            state = self._states[row]
            self._states[row] = state.model_copy(update={"spans": (*state.spans, Span(start=start))})

    def make_sure(self, series: np.ndarray) -> None:
        """The surge that goes on in each of these series is none by chance."""
        for row in series.tolist():
            *older, last = self._states[row].spans
            spans = (*older, last.model_copy(update={"is_sure": True}))
            self._states[row] = self._states[row].model_copy(update={"spans": spans})

    def close_spans(self, series: np.ndarray, end: datetime, *, is_usual_now: bool) -> None:
        """The surge of each of these series is over; `is_usual_now`: as it is what is usual from its beginning."""
        for row in series.tolist():
            state = self._states[row]
            *older, last = state.spans
            if is_usual_now:
                update: dict[str, object] = {"spans": tuple(older), "usual_since": last.start}
            else:
                update = {"spans": (*older, last.model_copy(update={"end": end}))}
            self._states[row] = state.model_copy(update=update)

    def state(self, until: datetime, forget_before: datetime) -> WatchState:
        """As a record; spans that ended before what is learned from are dropped."""
        kept = []
        for row, state in enumerate(self._states):
            spans = tuple(span for span in state.spans if span.end is None or span.end > forget_before)
            numbers = {
                "kept": float(self.watch.kept[row]),
                "before": float(self.watch.before[row]),
                "quiet": int(self.watch.quiet[row]),
            }
            kept.append(state.model_copy(update={"spans": spans, **numbers}))
        return WatchState(until=until, series=tuple(kept))

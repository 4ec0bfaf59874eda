"""Which limits a window passes, and when windows that pass one call for a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from perennial.core.percent import percent
from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.measuring import WORDS
from perennial.records.interval import Interval
from perennial.settings.monitor.health import HealthSpec

UNSURE_RISE = 0.1
Violations = Mapping[str, str]
"""A sentence for each limit that was passed, by the limit's name."""


def violations(
    settings: HealthSpec, figures: HealthFigures, own_accuracy: float | None, own_unsure: float | None
) -> dict[str, str]:
    """Of a window; `own_accuracy`, `own_unsure`: the version's on rows that it did not learn from; None: not known."""
    passed = {}
    if sentence := _unsure(settings, figures, own_unsure):
        passed["unsure"] = sentence
    if sentence := _accuracy(settings, figures, own_accuracy):
        passed["accuracy"] = sentence
    limits = settings.drift.model_dump() if settings.drift else {}
    for name, value in figures.drift.items():
        if (limit := limits.get(name)) is not None and value > limit:
            passed[name] = f"{WORDS[name]} {value:.2f} (limit {limit:g})"
    return passed


def reason(settings: HealthSpec, windows: Sequence[tuple[HealthFigures, Sequence[str], Sequence[str]]]) -> str | None:
    """Why the latest of `windows` of one version call for a run; None: they do not.

    Each with the names of the limits that it passed, and their sentences.
    """
    latest = windows[-settings.of_last :]
    if not latest:
        return None
    figures, names, sentences = latest[-1]
    by_often: dict[int, list[str]] = {}
    for name, sentence in zip(names, sentences, strict=True):
        often = sum(name in passed for _, passed, _ in latest)
        if often >= settings.needed:
            by_often.setdefault(often, []).append(sentence)
    words = [
        f"{'; '.join(lot)}{', each' if len(lot) > 1 else ''} in {often} of the last {len(latest)} windows of "
        f"{figures.texts:,} texts"
        for often, lot in by_often.items()
    ]
    return f"{'; '.join(words)}; answered by version {figures.model}" if words else None


def is_due(settings: HealthSpec, calls: int, last_call: datetime | None, now: datetime) -> bool:
    """Whether a version that called `calls` times, the last time at `last_call`, may call again."""
    if last_call is None:
        return True
    # Beyond, twice as long would be no date.
    hours = settings.cooldown_hours * 2 ** min(calls - 1, 10)
    return now - last_call >= timedelta(hours=hours)


def _unsure(settings: HealthSpec, figures: HealthFigures, own: float | None) -> str | None:
    most = settings.unsure_at_most
    beside = "monitor.health.unsure_at_most"
    if most is None and own is not None:
        most, beside = own + UNSURE_RISE, f"{percent(own)} of the rows it was judged on, and {UNSURE_RISE:g}"
    if most is None or figures.unsure_share <= most:
        return None
    return (
        f"{percent(figures.unsure_share)} of answers have a score below {settings.unsure_below:g} "
        f"(limit {percent(most)}: {beside})"
    )


def _accuracy(settings: HealthSpec, figures: HealthFigures, own: float | None) -> str | None:
    """Labels say more than an estimate, where they can tell."""
    floors = [settings.accuracy_at_least, own - settings.accuracy_drop if own is not None else None]
    stated = [floor for floor in floors if floor is not None]
    if not stated:
        return None
    floor, fair = max(stated), max([*stated, *([own] if own is not None else [])])
    measured, estimated = figures.accuracy_interval, figures.estimated_interval
    if figures.accuracy is not None and measured and figures.accuracy < floor and measured.high < fair:
        return _sentence("accuracy on labels that came late", figures.accuracy, measured, floor, own)
    refuted = measured is not None and measured.low >= floor
    if figures.estimated_accuracy is None or estimated is None or refuted:
        return None
    if figures.estimated_accuracy < floor and estimated.high < fair:
        return _sentence("accuracy estimated without labels", figures.estimated_accuracy, estimated, floor, own)
    return None


def _sentence(what: str, value: float, interval: Interval, floor: float, own: float | None) -> str:
    beside = f"; {own:.3f} on its test rows" if own is not None else ""
    return f"{what} {value:.3f} ({interval.low:.3f} to {interval.high:.3f}), below {floor:.3f}{beside}"

"""One shift starts one run, also where its candidate did not become champion: then the same shift is no new reason.

What the last run was started by stands in the log of runs, in the words of `reason`, from which it is read back: all
machines of a team share that log, and an older build's entries say too little and hold nothing back.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from perennial.monitoring.measuring import WORDS
from perennial.runs.log import RunEntry

GROWN = 1.5
"""So many times as far is another shift."""
NEARER_EACH_TIME = 2
"""After so many times the windows there were, the same shift is tried again: more rows may make a better candidate."""
LIVE_DAYS = 30
NO_DISTANCE: Mapping[str, float] = {"domain": 0.5}
"""What a figure is where nothing shifted, unless that is 0."""


def reason(words: str, window: int, version: str) -> str:
    """What a run is started by: `words`, and where in the rows since the champion that was."""
    return f"{words}; window {window} since version {version}"


def holds_back(
    last: RunEntry | None, figures: Mapping[str, float], window: int, version: str, now: datetime, *, live: bool
) -> str:
    """Why the figures over their limits at `window` are what `last` was started by already; empty: they are not.

    `last`: the last run that drift started and that did not fail. A new champion ends the matter, but for live texts:
    they are no rows to learn from, so that they may be as far from the next champion.
    """
    before = _read_back(last.trigger.detail) if last else None
    if last is None or before is None:
        return ""
    then, then_window, then_version = before
    if then_version != version and not (live and now - last.started < timedelta(days=LIVE_DAYS)):
        return ""
    if window >= NEARER_EACH_TIME * then_window or any(_has_grown(name, figures[name], then) for name in figures):
        return ""
    became = f"version {version} is champion still" if then_version == version else "live texts are as far as they were"
    return (
        f". The same shift started a run on {last.started:%Y-%m-%d %H:%M} UTC, which ended as {last.status}, and "
        f"{became}. It starts another one when there is a new champion, when it has grown by half, or after "
        f"{NEARER_EACH_TIME * then_window} windows (now {window})"
    )


def _read_back(detail: str) -> tuple[dict[str, float], int, str] | None:
    where = re.search(r"; window (\d+) since version (\S+)$", detail)
    if where is None:
        return None
    values = ((name, re.search(rf"{re.escape(words)} (\d+\.\d+) \(", detail)) for name, words in WORDS.items())
    return {name: float(value[1]) for name, value in values if value}, int(where[1]), where[2]


def _has_grown(name: str, value: float, then: Mapping[str, float]) -> bool:
    least = NO_DISTANCE.get(name, 0.0)
    return name not in then or value - least > GROWN * (then[name] - least)

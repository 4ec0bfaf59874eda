"""Stored live texts as tests make them: hour after hour, with a surge where one is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.live_text import stored_schema

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
SURGE_DAY, SURGE_HOUR, SURGE_HOURS = 24, 9, 12
SOURCES = ("agency", "daily", "evening", "wire", "post", "globe", "herald")
Rows = list[dict[str, Any]]


def pipeline(
    alarms: Mapping[str, Any] | None = None, trends: Mapping[str, Any] | None = None, **notify: Any
) -> PipelineSpec:
    """A pipeline whose live texts are watched in buckets of six hours."""
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {
                "source": {"type": "file", "path": "data/*"},
                "labels": ["negative", "neutral", "positive"],
            },
            "gates": [{"metric": "accuracy", "min": 0.8}],
            "monitor": {
                "source": {"type": "file", "path": "live/*"},
                "trends": {"bucket": 360, "by": ["topic"], **(trends or {})},
                "alarms": {"wait_minutes": 0, **(alarms or {})},
            },
            "notify": notify,
        }
    )


def row(number: int, time: datetime, label: str, **values: Any) -> dict[str, Any]:
    """One stored text."""
    made = {
        "id": f"t{number}",
        "text": f"{label} story {number} of {number % 97} and {number % 89}",
        "time": time,
        "read": time + timedelta(minutes=1),
        "source": SOURCES[number % 3],
        "story": f"t{number}",
        "telling": "first",
        "model": "1",
        "label": label,
        "score": 0.9,
        "scores": [0.9, 0.05, 0.05],
        "topic": ["energy" if number % 2 else "banks"],
        "entities": [],
        "kept": [],
    }
    return made | values


def stream(days: int, *, surge: bool = True, a_day: int = 80, seed: int = 3) -> Rows:
    """Texts of so many days, a fifth negative; in the surge, of energy, four fifths, and half as many again."""
    random = np.random.default_rng(seed)
    begin = FIRST + timedelta(days=SURGE_DAY, hours=SURGE_HOUR)
    times = np.sort(random.uniform(0, days * 86_400, a_day * days))
    rows: Rows = []
    for number, second in enumerate(times.tolist()):
        time = FIRST + timedelta(seconds=round(second))
        inside = surge and begin <= time < begin + timedelta(hours=SURGE_HOURS)
        is_energy = bool(number % 2)
        share = 0.8 if inside and is_energy else 0.2
        label = "negative" if random.uniform() < share else ("neutral", "positive")[number % 3 == 0]
        again = 3 if inside and is_energy else 1
        rows += [
            row(number + 100_000 * turn, time, label, source=SOURCES[(number + turn) % (7 if inside else 3)])
            for turn in range(again)
        ]
        for turn in range(again):
            rows[-1 - turn]["topic"] = ["energy" if is_energy else "banks"]
    return rows


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Stored, as one table."""
    return pa.Table.from_pylist(list(rows), stored_schema())


def read_between(rows: Iterable[dict[str, Any]], first: datetime, last: datetime) -> Rows:
    """Those that were read from `first` to before `last`."""
    return [one for one in rows if first <= one["read"] < last]


def home_in(folder: Path) -> Home:
    """A home of a test."""
    return Home(folder / "home")

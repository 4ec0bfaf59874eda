"""One lasting shift starts one run; a slow one is said; and where a candidate is held, the same shift waits.

Days of rows go by as they would, without any training: a champion is the parts that it was trained on.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perennial.core.home import Home
from perennial.monitoring import measuring, same_shift
from perennial.monitoring.measuring import DriftWindow, Stream
from perennial.monitoring.rows import sample
from perennial.records.data import Part
from perennial.records.package import Champion
from perennial.records.run import Trigger
from perennial.runs.log import RunEntry
from perennial.settings.drift import DriftLimits, TriggersSpec
from perennial.settings.pipeline import PipelineSpec

LABELS_ONLY = DriftLimits(answers=None, scores=None, length=None, tokens=None, domain=None)
SETTINGS = TriggersSpec(limits=LABELS_ONLY)
A_DAY = 1000
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def pipeline(**training: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "d/*"}, "labels": ["a", "b"], "columns": {"time": "time"}},
            "training": training,
            "gates": [{"metric": "accuracy", "min": 0.8}],
        }
    )


@dataclass
class Days:
    """A pipeline by the day: its rows, its champion, and the runs that drift started."""

    home: Home
    is_promoted: bool = True
    """Whether the candidate of a run becomes champion."""
    settings: TriggersSpec = SETTINGS
    parts: list[Part] = field(default_factory=list)
    champion: int = 1
    learned: int = 0
    """Parts that the champion was trained on."""
    runs: list[RunEntry] = field(default_factory=list)
    windows: list[DriftWindow] = field(default_factory=list)
    before: dict[str, DriftWindow] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return FIRST + timedelta(days=len(self.parts))

    def arrive(self, rows: int, share: float) -> None:
        """Rows of today, whose label is `a` in about that share."""
        self.parts.append(written(self.home, rows, share, len(self.parts)))

    def trained(self) -> None:
        if self.is_promoted:
            self.learned, self.champion = len(self.parts), self.champion + 1

    def look(self) -> bool:
        """As a schedule does once a day: whether drift starts a run."""
        stream = Stream(parts=tuple(self.parts[self.learned :]), skip=0, labelled=True)
        champion = Champion(version=str(self.champion), package_digest=f"{self.champion}", path="none")
        known = self.parts[: self.learned]
        self.before = measuring.measured(pipeline(), self.settings, self.home, champion, known, stream, self.before)
        self.windows = list(self.before.values())
        reasons = dict(measuring.over(self.settings, self.windows))
        if not reasons:
            return False
        last, number = (self.runs[-1] if self.runs else None), self.windows[-1].number
        figures = measuring.distances(self.settings, self.windows, tuple(reasons))
        if same_shift.holds_back(last, figures, number, champion.version, self.now, live=False):
            return False
        words = same_shift.reason("; ".join(reasons.values()), number, champion.version)
        self.runs.append(run(words, self.now, "promoted" if self.is_promoted else "held"))
        return True

    def pass_by(self, days: int, share: Callable[[int], float]) -> list[int]:
        """Days that go by, each with new rows, and the days on which drift started a run."""
        started = []
        for day in range(days):
            self.arrive(A_DAY, share(day))
            if self.look():
                started.append(day)
                self.trained()
        return started


def run(words: str, started: datetime, status: str) -> RunEntry:
    values = {"pipeline": "news", "started": started, "ended": started, "status": status, "sentence": "s", "host": "h"}
    return RunEntry.model_validate(values | {"trigger": Trigger(kind="drift", detail=words)})


def written(home: Home, rows: int, share: float, number: int) -> Part:
    """A part with the columns that drift reads; labels, splits and times as they come."""
    draw = np.random.default_rng(number)
    table = pa.table(
        {
            "text": [f"text {number} {row}" for row in range(rows)],
            "label": np.where(draw.random(rows) < share, "a", "b"),
            "time": pa.array([FIRST + timedelta(days=number)] * rows, pa.timestamp("us", "UTC")),
            "text_key": [blake2b(f"{number} {row}".encode(), digest_size=16).hexdigest() for row in range(rows)],
            "split": draw.choice(["train", "test"], rows, p=[0.75, 0.25]),
        }
    )
    path = home.store.root / "parts" / f"{number}" / "rows.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path)
    return Part(path=str(path.relative_to(home.store.root)), sha256=f"{number}", rows=rows)


@pytest.fixture
def days(tmp_path: Path) -> Days:
    return Days(Home(tmp_path / "home"))


def begun(days: Days, history: int, share: float = 0.29) -> Days:
    days.arrive(history, share)
    days.learned = 1
    return days


@pytest.mark.parametrize("history", [500, 3_000, 100_000])
def test_a_lasting_shift_starts_one_run(days: Days, history: int) -> None:
    begun(days, history)
    assert days.pass_by(3, lambda _: 0.29) == []
    assert days.pass_by(8, lambda _: 0.60) == [0]
    assert all(window.figures["labels"] < 0.2 for window in days.windows)
    assert days.champion == 2
    if history == 100_000:
        [words] = measuring.learned(SETTINGS, days.windows)
        assert words.startswith("labels shifted: PSI 0.")
        assert "(limit 0.2) beside all rows that the champion learned, 0." in words


@pytest.mark.parametrize(("needed", "of_last"), [(1, 1), (1, 3), (2, 10)])
def test_so_it_is_however_many_windows_a_shift_needs(days: Days, needed: int, of_last: int) -> None:
    days.settings = SETTINGS.model_copy(update={"needed": needed, "of_last": of_last})
    begun(days, 20_000)
    assert len(days.pass_by(8, lambda _: 0.60)) == 1


def test_a_shift_whose_candidate_was_held_is_tried_again_ever_more_seldom(days: Days) -> None:
    days.is_promoted = False
    begun(days, 3_000)
    # 2, 4, 8, 16 and 32 windows since the champion.
    assert days.pass_by(20, lambda _: 0.60) == [0, 1, 3, 7, 15]


def test_one_that_grows_or_another_figure_does_not_wait(days: Days) -> None:
    days.is_promoted = False
    begun(days, 3_000)
    assert days.pass_by(12, lambda _: 0.57)[-1] == 7
    assert days.pass_by(1, lambda _: 0.75) == [0]
    last, now = days.runs[-1], days.now

    def waits(figures: dict[str, float], version: str = "1", window: int = 30) -> str:
        return same_shift.holds_back(last, figures, window, version, now, live=False)

    labels = days.windows[-1].figures["labels"]
    assert "which ended as held, and version 1 is champion still. It starts another one" in waits({"labels": labels})
    assert waits({"labels": labels, "length": 0.3}) == ""
    assert waits({"labels": labels}, version="2") == ""
    assert waits({"labels": labels}, window=100) == ""


def test_what_an_older_build_noted_holds_nothing_back() -> None:
    old = run("labels shifted: PSI 0.41 (limit 0.2) in 3 of the last 3 windows of 500 rows", FIRST, "held")
    assert same_shift.holds_back(old, {"labels": 0.41}, 3, "1", FIRST, live=False) == ""
    assert same_shift.holds_back(None, {"labels": 0.41}, 3, "1", FIRST, live=False) == ""


def test_live_texts_wait_for_a_next_champion_no_longer_than_a_month() -> None:
    last = run(
        same_shift.reason("new texts can be told from old ones: AUC 0.80 (limit 0.75)", 4, "1"), FIRST, "promoted"
    )

    def waits(days: int, auc: float = 0.85) -> str:
        return same_shift.holds_back(last, {"domain": auc}, 5, "2", FIRST + timedelta(days=days), live=True)

    assert "live texts are as far as they were" in waits(2)
    assert waits(2, auc=0.96) == "", "half as far again from 0.5"
    assert waits(31) == ""


def test_slow_drift_is_learned_by_the_day_and_said(days: Days) -> None:
    begun(days, 4_000)
    started = []
    for day in range(16):
        started += days.pass_by(1, lambda _, day=day: 0.29 + 0.4 * day / 16)  # type: ignore[misc]
        days.trained()
    days.pass_by(1, lambda _: 0.70)
    assert started == []
    days.look()
    assert [window.beside_all["labels"] > 0.2 for window in days.windows] == [True, True]
    assert len(list(measuring.learned(SETTINGS, days.windows))) == 1


def test_slow_drift_that_no_champion_learned_starts_a_run(days: Days) -> None:
    begun(days, 4_000)
    assert len(days.pass_by(16, lambda day: 0.29 + 0.4 * day / 16)) == 1


def test_weekends_are_no_news_after_weekdays(days: Days) -> None:
    begun(days, 1)
    for day in range(21):
        days.arrive(A_DAY, 0.52 if day % 7 > 4 else 0.29)
    for _ in range(2):
        days.trained()
        # The newest rows that the champion knows are of another sort each time.
        assert days.pass_by(5, lambda _: 0.29) == []
        days.trained()
        assert days.pass_by(2, lambda _: 0.52) == []


def test_what_was_forgotten_by_age_is_hardly_in_the_sample_of_all(days: Days) -> None:
    for day in range(60):
        days.arrive(200, 1.0 if day < 30 else 0.0)

    def share_of_old(spec: PipelineSpec, limit: int = 2_000) -> float:
        drawn = sample(spec, days.parts, days.home.store, limit)
        assert len(drawn.texts) == pytest.approx(limit, rel=0.15)
        return float(np.mean([label == "a" for label in drawn.targets.to_pylist()]))

    assert share_of_old(pipeline()) == pytest.approx(0.5, abs=0.05)
    assert share_of_old(pipeline(max_rows=4_000, half_life_days=10)) == pytest.approx(1 / 9, abs=0.04)


def test_few_rows_are_one_reference(days: Days) -> None:
    begun(days, 1_200)
    days.arrive(A_DAY, 0.6)
    assert days.look()
    assert [window.beside_all for window in days.windows] == [{}, {}]

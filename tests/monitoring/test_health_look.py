"""A look at health: each window once, late labels joined, a call for a run where it is due, state that survives."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from health_tables import LABELS, START, drawn, reference, table
from tiny_model import tiny_spec

from perennial.core.home import Home
from perennial.monitoring.health import accuracy_estimate
from perennial.monitoring.health.look import health_of, look_at_health
from perennial.monitoring.health.reference import HealthReference
from perennial.records.labelling import LabelledText
from perennial.settings.monitor import MonitorSpec
from perennial.settings.monitor.health import HealthSpec
from perennial.settings.pipeline import PipelineSpec

SIZE = 200
JUDGED = drawn(1, 600)
WELL, WELL_TARGETS = drawn(2, 650)
ILL, ILL_TARGETS = drawn(3, 450, sureness=0.7)
STREAM = pa.concat_tables([table(WELL), table(ILL, first=650)])
TARGETS = np.concatenate([WELL_TARGETS, ILL_TARGETS])


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy_estimate, "DRAWS", 20)


def spec(**health: Any) -> PipelineSpec:
    source = {"type": "file", "path": "live.jsonl"}
    settings = HealthSpec(window_texts=SIZE, drift=None, **health)
    monitor = MonitorSpec.model_validate({"source": source, "health": settings})
    return tiny_spec().model_copy(update={"monitor": monitor})


def gives(version: str = "1") -> Callable[[], HealthReference]:
    return lambda: reference(*JUDGED, version)


def never() -> HealthReference:
    raise AssertionError("asked for the reference although no window is full")


def labelled(count: int, every: int = 1) -> list[LabelledText]:
    return [
        LabelledText(
            id=f"t{number}",
            text="",
            label=LABELS[TARGETS[number]],
            annotator="ann",
            labelled_at=START,
            chosen_by="random",
            weight=float(every),
        )
        for number in range(0, count, every)
    ]


def test_each_window_is_looked_at_once_and_an_ill_stream_calls(tmp_path: Path) -> None:
    home, one = Home(tmp_path), spec()
    first = look_at_health(one, home, [STREAM.slice(0, 500)], gives(), [], now=START)
    assert [figures.texts for figures in first] == [SIZE, SIZE]
    assert not any(figures.violations for figures in first)
    assert look_at_health(one, home, [STREAM.slice(0, 550)], never, [], now=START) == []
    rest = look_at_health(one, home, [STREAM.slice(0, 400), STREAM.slice(400)], gives(), [], now=START)
    assert len(rest) == 3
    assert rest[-1].calls_for_retraining is not None
    assert "of the last 3 windows of 200 texts; answered by version 1" in rest[-1].calls_for_retraining
    assert health_of(home, one.name) == [*first, *rest]
    truth = [float((WELL.answers == WELL_TARGETS)[place : place + SIZE].mean()) for place in (0, SIZE)]
    for figures, accuracy in zip(first, truth, strict=True):
        assert figures.estimated_interval
        assert figures.estimated_interval.low <= accuracy <= figures.estimated_interval.high


def test_labels_that_come_late_reach_their_window_and_may_call(tmp_path: Path) -> None:
    home, one = Home(tmp_path), spec(unsure_at_most=1.0)
    # Without anything to compare with, labels alone can tell.
    tables, right = [table(ILL)], float((ILL.answers == ILL_TARGETS)[:SIZE].mean())
    strict = spec(unsure_at_most=1.0, accuracy_at_least=0.99)
    before = look_at_health(one, home, tables, lambda: None, [], now=START)
    assert [figures.accuracy for figures in before] == [None, None]
    assert all(figures.not_estimated for figures in before)
    late = [said.model_copy(update={"label": LABELS[ILL_TARGETS[int(said.id[1:])]]}) for said in labelled(400)]
    news = look_at_health(strict, home, tables, never, late, now=START)
    assert len(news) == 1
    assert news[0].calls_for_retraining
    assert "labels that came late" in news[0].calls_for_retraining
    assert health_of(home, one.name)[0].accuracy == pytest.approx(right)
    # Said once; and what was known stays when labels or texts are kept no more.
    assert look_at_health(strict, home, [table(ILL).slice(300)], never, [], now=START) == []
    assert health_of(home, one.name)[0].labelled == SIZE


def test_a_new_champion_starts_anew_and_the_old_one_calls_no_more(tmp_path: Path) -> None:
    home, one = Home(tmp_path), spec()
    look_at_health(one, home, [STREAM.slice(0, 1050)], gives(), [], now=START)
    newer = [STREAM, table(ILL, "2", first=2000)]
    found = look_at_health(one, home, newer, gives("2"), [], now=START)
    by_version = {version: [each for each in found if each.model == version] for version in ("1", "2")}
    assert all(each.not_estimated and "version 2 is champion now" in each.not_estimated for each in by_version["1"])
    assert len(by_version["2"]) == 2
    assert sum(each.calls_for_retraining is not None for each in found) <= 1


def test_a_call_is_not_repeated_before_its_time(tmp_path: Path) -> None:
    home, one = Home(tmp_path), spec(unsure_at_most=0.0, needed=1, of_last=1)
    calls = []
    for day, rows in enumerate((200, 400, 600)):
        hours = START + timedelta(hours=13 * day)
        found = look_at_health(one, home, [STREAM.slice(0, rows)], lambda: None, [], now=hours)
        calls += [figures.calls_for_retraining is not None for figures in found]
    assert calls == [True, False, True]


def test_of_a_long_backlog_the_latest_are_looked_at_closely(tmp_path: Path) -> None:
    home, one = Home(tmp_path), spec()
    tables = [table(WELL, first=650 * number) for number in range(4)]
    found = look_at_health(one, home, tables, gives(), [], now=START)
    assert len(found) == 13
    assert [figures.estimated_accuracy is None for figures in found] == [True] * 3 + [False] * 10


def test_a_damaged_state_is_set_aside_and_nothing_stops(tmp_path: Path) -> None:
    home, one = Home(tmp_path), spec()
    look_at_health(one, home, [STREAM.slice(0, 200)], lambda: None, [], now=START)
    path = home.state(one.name) / "health.json"
    path.write_text(path.read_text()[:-40])
    assert health_of(home, one.name) == []
    assert len(look_at_health(one, home, [STREAM.slice(0, 200)], lambda: None, [], now=START)) == 1
    assert path.with_name("health.damaged.json").exists()


@pytest.mark.parametrize(("now", "is_told"), [("agreed", True), ("disputed", False)])
def test_a_column_that_the_stream_states_speaks_against_a_figure_only_where_its_mix_moved(
    now: str, is_told: bool, tmp_path: Path
) -> None:
    judged, targets = JUDGED[0], JUDGED[1].copy()
    # One in seven is disputed, and then always answered wrongly.
    disputed = np.arange(len(targets)) % 7 == 0
    targets[disputed] = (judged.answers[disputed] + 1) % 3
    mixed = ["disputed" if one else "agreed" for one in disputed]
    held = reference(replace(judged, columns={"jury": mixed}), targets)
    stated = [[("jury", value if now == "agreed" else now)] for value in mixed[:SIZE]]
    stored = STREAM.slice(0, SIZE)
    kept = pa.array(stated, stored.schema.field("kept").type)
    stored = stored.set_column(stored.schema.get_field_index("kept"), "kept", kept)
    figures = look_at_health(spec(), Home(tmp_path), [stored], lambda: held, [], now=START)[0]
    assert (figures.estimated_accuracy is not None) == is_told
    assert is_told or "14% of those rows, and are 100% of these texts" in str(figures.not_estimated)

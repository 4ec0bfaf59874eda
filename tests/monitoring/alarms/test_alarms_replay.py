"""History replayed: what is planted in the newsroom's stream is noticed, with no more false alarms than promised."""

import importlib.util
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
import yaml
from alarm_tables import FIRST, pipeline, row, table
from scipy.stats import poisson

from perennial.core.errors import SourceError, SpecError
from perennial.monitoring.alarms.backtest import PlantedSurge, Replay, replay_alarms
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.live_text import stored_schema

NEWSROOM = Path(__file__).parents[3] / "pipelines" / "newsroom"


@pytest.fixture(scope="module")
def make_data() -> ModuleType:
    spec = importlib.util.spec_from_file_location("newsroom_make_data", NEWSROOM / "make_data.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def newsroom() -> PipelineSpec:
    return PipelineSpec.model_validate(yaml.safe_load((NEWSROOM / "pipeline.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def texts(make_data: ModuleType) -> pa.Table:
    """As a model that is always right would answer, and a finder of copies that misses none would mark them."""
    rows = [
        one._asdict()
        | {"time": one.published_at, "read": one.published_at, "kept": [("sector", one.sector)]}
        | {"topic": [], "entities": []}
        for one in make_data.stream()
    ]
    return pa.Table.from_pylist(rows, stored_schema())


@pytest.fixture(scope="module")
def replayed(newsroom: PipelineSpec, texts: pa.Table, make_data: ModuleType) -> Replay:
    return replay_alarms(newsroom, texts, planted=[PlantedSurge.model_validate(one) for one in make_data.truth()])


def test_the_stream_is_the_generators(make_data: ModuleType, tmp_path: Path) -> None:
    for made in make_data.write(tmp_path):
        kept = NEWSROOM / "live" / made.name
        assert made.read_bytes() == kept.read_bytes(), f"{kept.name}: run pipelines/newsroom/make_data.py"
        assert kept.stat().st_size < 1_000_000


def test_what_is_planted_is_noticed_at_the_rate_that_was_set(replayed: Replay) -> None:
    *_, ours = replayed.rows
    assert replayed.months > 0.8
    assert ours.noticed == len(replayed.planted) == 5
    assert ours.false_alarms is not None
    assert ours.false_alarms <= poisson.ppf(0.975, replayed.months)
    assert ours.median_hours is not None
    assert ours.median_hours <= 2 * 12
    assert replayed.expected_false_alarms == pytest.approx(replayed.months, rel=0.35)


def test_trivial_ways_come_first(replayed: Replay) -> None:
    assert [row.name for row in replayed.rows] == ["never", "always", "every 30.4 days", "Perennial, 1 a month"]
    never, always, monthly, _ = replayed.rows
    assert (never.alarms, never.noticed, never.false_alarms) == (0, 0, 0)
    assert (always.alarms, always.noticed) == (56, 5)
    assert always.false_alarms is not None
    assert always.false_alarms > 30
    assert monthly.alarms == 1


def test_syndicated_copies_a_busy_day_and_a_retold_story_are_no_alarm(replayed: Replay, make_data: ModuleType) -> None:
    for time in (make_data.STORM, make_data.BUSY, make_data.RETOLD_DAY):
        day = time.date()
        assert [one for one in replayed.alarms if one.surge.opened.date() <= day <= one.surge.until.date()] == []


def test_of_part_of_history_the_rest_is_learned_from(newsroom: PipelineSpec, texts: pa.Table, replayed: Replay) -> None:
    since, until = (replayed.first + timedelta(days=days) for days in (26, 30))
    part = replay_alarms(newsroom, texts, since, until)
    assert [one.surge.id for one in part.alarms] == [
        one.surge.id for one in replayed.alarms if since < one.surge.until and one.surge.opened < until
    ]
    assert part.rows[-1].noticed is None


def test_what_cannot_be_replayed_is_said() -> None:
    rows = table([row(n, FIRST + timedelta(hours=n), "negative") for n in range(3)])
    few = replay_alarms(pipeline(), rows)
    assert (few.alarms, few.months) == ((), 0)
    assert "learning until" in few.sentences[0]
    with pytest.raises(SourceError, match="no text to replay before"):
        replay_alarms(pipeline(), rows, until=FIRST)
    with pytest.raises(SourceError, match="the last one is of 2026-03-02 02:00"):
        replay_alarms(pipeline(), rows, since=FIRST + timedelta(days=1))
    with pytest.raises(SpecError, match="no live stream"):
        replay_alarms(pipeline().model_copy(update={"monitor": None}), rows)

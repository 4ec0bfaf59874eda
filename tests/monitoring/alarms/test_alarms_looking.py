"""From stored texts to alarms: each bucket once, one alarm an event, the same whatever is cut, run twice or killed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from alarm_tables import FIRST, SURGE_DAY, SURGE_HOUR, Rows, home_in, pipeline, read_between, row, stream, table

from perennial.core.errors import SpecError, StoreError
from perennial.core.home import Home
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_database import path_of
from perennial.monitoring.alarms.alarm_table import alarms_of
from perennial.monitoring.alarms.looking import AlarmLook, look_for_surges, texts_needed_since

DAYS = 28
END = FIRST + timedelta(days=DAYS)
BEGAN = FIRST + timedelta(days=SURGE_DAY, hours=SURGE_HOUR)


@pytest.fixture(scope="module")
def rows() -> Rows:
    return stream(DAYS)


@pytest.fixture(scope="module")
def in_one_go(rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, AlarmLook]:
    home = home_in(tmp_path_factory.mktemp("whole"))
    return home, look_for_surges(pipeline(), home, [table(rows)], END)


def in_parts(home: Home, rows: Rows, hours: int = 12) -> None:
    """As the flow does: every so many hours what was read by then, of the time that is asked for."""
    now = FIRST
    while now < END:
        now += timedelta(hours=hours)
        needed = texts_needed_since(home, "news") or FIRST
        some = read_between(rows, needed, now)
        look_for_surges(pipeline(), home, [table(some[:40]), table(some[40:])], now)


def gist(alarms: list[Alarm]) -> list[tuple[object, ...]]:
    return [(one.surge.id, one.surge.also, one.surge.until, one.surge.cleared, one.noticed) for one in alarms]


def test_a_surge_is_one_alarm_with_what_it_is_about(in_one_go: tuple[Home, AlarmLook]) -> None:
    home, look = in_one_go
    (alarm,) = look.alarms_new
    assert alarms_of(home, "news") == [alarm]
    assert alarm.surge.opened <= BEGAN < alarm.surge.until
    assert {alarm.surge.key, *alarm.surge.also} == {(), (("topic", "energy"),)}
    assert alarm.severity != "info"
    assert (alarm.is_over, alarm.surge.source_count) == (True, 7)
    assert len(alarm.surge.headlines) == 5
    assert look.buckets == 4 * DAYS
    assert 0 < look.expected_false_alarms < 1
    assert [one.name for one in look.trends.series] == ["all texts", "topic energy", "topic banks"]


def test_runs_one_after_the_other_give_the_same_alarm(
    rows: Rows, in_one_go: tuple[Home, AlarmLook], tmp_path: Path
) -> None:
    home = home_in(tmp_path)
    in_parts(home, rows)
    assert gist(alarms_of(home, "news")) == gist(list(in_one_go[1].alarms_new))
    again = look_for_surges(pipeline(), home, [table(rows)], END)
    assert (again.texts, again.buckets, again.alarms_new, again.alarms_changed) == (0, 0, (), ())


def test_who_is_killed_while_looking_has_changed_nothing(rows: Rows, tmp_path: Path) -> None:
    home, cut = home_in(tmp_path), len(rows) // 2
    begun = FIRST + timedelta(days=14)
    look_for_surges(pipeline(), home, [table(read_between(rows, FIRST, begun))], begun)
    later = read_between(rows, begun, END)

    def killed() -> Iterator[pa.Table]:
        yield table(later[:cut])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_for_surges(pipeline(), home, killed(), END)
    assert alarms_of(home, "news") == []
    look = look_for_surges(pipeline(), home, [table(later)], END)
    assert look.texts == len(later)
    assert len(look.alarms_new) == 1


def test_only_whole_buckets_are_looked_at_and_late_texts_are_said(rows: Rows, tmp_path: Path) -> None:
    home = home_in(tmp_path)
    now = FIRST + timedelta(days=20, hours=5, minutes=59)
    look = look_for_surges(pipeline(), home, [table(read_between(rows, FIRST, now))], now)
    assert look.buckets == 20 * 4
    waiting = pipeline({"wait_minutes": 30})
    later = FIRST + timedelta(days=20, hours=6, minutes=29)
    assert look_for_surges(waiting, home, [], later).buckets == 0
    assert look_for_surges(waiting, home, [], later + timedelta(minutes=1)).buckets == 1
    late = row(9_000_001, FIRST + timedelta(days=19), "negative", read=later)
    look = look_for_surges(pipeline(), home, [table([late])], later)
    assert (look.texts, look.alarms_new) == (1, ())
    assert any("1 texts came late, for buckets since 2026-03-21" in one for one in look.sentences)


def test_a_clock_that_goes_back_is_no_harm(rows: Rows, tmp_path: Path) -> None:
    home = home_in(tmp_path)
    look_for_surges(pipeline(), home, [table(rows)], END)
    before = gist(alarms_of(home, "news"))
    assert look_for_surges(pipeline(), home, [], FIRST).buckets == 0
    assert gist(alarms_of(home, "news")) == before


def test_no_alarm_in_the_first_days_and_that_is_said(rows: Rows, tmp_path: Path) -> None:
    home = home_in(tmp_path)
    assert "there is no text yet" in look_for_surges(pipeline(), home, [], FIRST).sentences[0]
    early = FIRST + timedelta(days=3)
    loud = [row(n, early - timedelta(hours=2, seconds=n - 9_000_000), "negative") for n in range(9_000_000, 9_000_200)]
    look = look_for_surges(pipeline(), home, [table([*read_between(rows, FIRST, early), *loud])], early)
    assert (look.alarms_new, look.watched_buckets) == ((), 0)
    assert look.sentences[0].startswith("all texts: learning until 2026-03-16 00:00 UTC")
    assert look_for_surges(pipeline(), home, [], early).sentences == look.sentences


def test_copies_of_one_bad_story_are_no_surge_of_stories(tmp_path: Path) -> None:
    calm = stream(DAYS, surge=False)
    copies = [
        row(9_000_000 + n, BEGAN + timedelta(minutes=n), "negative", telling="copy", story="t1") for n in range(60)
    ]
    rows = sorted([*calm, *copies], key=lambda one: one["read"])
    by_stories = look_for_surges(pipeline(), home_in(tmp_path / "stories"), [table(rows)], END)
    by_texts = look_for_surges(pipeline({"count": "texts"}), home_in(tmp_path / "texts"), [table(rows)], END)
    assert by_stories.alarms_new == ()
    assert len(by_texts.alarms_new) == 1


def test_what_too_few_sources_have_waits_and_is_noticed_when_enough_have_it(rows: Rows, tmp_path: Path) -> None:
    alone = [one | {"source": "agency"} for one in rows]
    joins = BEGAN + timedelta(hours=7)
    second = [one | {"source": "daily"} if one["time"] >= joins else one for one in alone]
    spec = pipeline({"at_least_sources": 2})
    home = home_in(tmp_path / "alone")
    assert look_for_surges(spec, home, [table(alone)], END).alarms_new == ()
    assert alarms_of(home, "news") == []
    (alarm,) = look_for_surges(spec, home_in(tmp_path / "second"), [table(second)], END).alarms_new
    assert alarm.noticed is not None
    assert alarm.surge.opened + timedelta(hours=6) < alarm.noticed
    assert joins < alarm.noticed <= joins + timedelta(hours=6)


def test_what_is_watched_can_be_changed(rows: Rows, tmp_path: Path) -> None:
    home = home_in(tmp_path)
    during = BEGAN + timedelta(hours=12)
    look_for_surges(pipeline(), home, [table(read_between(rows, FIRST, during))], during)
    assert [one.is_over for one in alarms_of(home, "news")] == [False]
    look = look_for_surges(pipeline({"label": "positive"}), home, [table(read_between(rows, during, END))], END)
    assert [one.is_over for one in look.alarms_changed] == [True]
    assert look.alarms_new == ()


@pytest.mark.parametrize(("a_day", "minutes"), [(40, 1440), (400, 180)])
def test_buckets_are_as_wide_as_it_takes_to_hold_ten(a_day: int, minutes: int, tmp_path: Path) -> None:
    rows = stream(5, surge=False, a_day=a_day)
    look = look_for_surges(
        pipeline(trends={"bucket": "auto"}), home_in(tmp_path), [table(rows)], FIRST + timedelta(days=5)
    )
    assert {one.minutes for one in look.trends.series} == {minutes}


def test_a_new_entity_in_every_text_does_not_fill_the_disk(tmp_path: Path) -> None:
    spec = pipeline(trends={"by": ["entities"], "most_series": 3})
    rows = [row(n, FIRST + timedelta(minutes=n), "neutral", entities=[f"name {n}", "Shell"]) for n in range(300)]
    look = look_for_surges(spec, home_in(tmp_path), [table(rows)], FIRST + timedelta(days=1))
    assert [one.name for one in look.trends.series][:2] == ["all texts", "entities Shell"]
    assert len(look.trends.series) == 3
    assert look.trends.left_out == 302 - 3
    assert any("272 small series are counted no more" in one for one in look.sentences)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="would never be an alarm"):
        look_for_surges(pipeline({"label": "angry"}), home_in(tmp_path), [], END)
    with pytest.raises(SpecError, match="no live stream"):
        look_for_surges(pipeline().model_copy(update={"monitor": None}), home_in(tmp_path), [], END)
    path = path_of(home_in(tmp_path), "news")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StoreError, match="can't be read or written"):
        look_for_surges(pipeline(), home_in(tmp_path), [], END)


def test_nothing_is_needed_before_anything_was_looked_at(tmp_path: Path, rows: Rows) -> None:
    home = home_in(tmp_path)
    assert texts_needed_since(home, "news") is None
    during = BEGAN + timedelta(hours=12)
    look_for_surges(pipeline(), home, [table(read_between(rows, FIRST, during))], during)
    needed: datetime | None = texts_needed_since(home, "news")
    assert needed is not None
    assert BEGAN - timedelta(hours=12) < needed <= BEGAN

"""What a dashboard shows: every text counted once, and never more of it than a page can hold."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import dashboard_data
import numpy as np
import pyarrow as pa
import pytest
from dashboard_data import BEGIN, NOW, SURGE, alarm, health, material, monitor, row, surge, table

from perennial.monitoring.dashboard.dashboard_material import MOST_ALARMS, MOST_WINDOWS
from perennial.monitoring.dashboard.figures import DashboardFigures
from perennial.monitoring.dashboard.gathering import dashboard_figures
from perennial.monitoring.dashboard.ranges import MOST_BUCKETS
from perennial.monitoring.dashboard.shown_texts import LONGEST_TEXT, NEWEST_STORIES
from perennial.monitoring.dashboard.survey import MOST_MARKS
from perennial.stream.live_text import stored_schema


@pytest.fixture(scope="module")
def tables() -> list[pa.Table]:
    return dashboard_data.stream()


@pytest.fixture(scope="module")
def figures(tables: list[pa.Table]) -> DashboardFigures:
    return dashboard_figures(material(tables=tables), NOW)


def of(rows: list[dict[str, Any]], **changes: Any) -> DashboardFigures:
    bare = {"tables": [table(rows)], "alarms": (), "health": (), "promotions": ()}
    return dashboard_figures(material(**(bare | changes)), NOW)


def remarks(shown: DashboardFigures, about: str) -> str:
    return " ".join(one.text for one in shown.remarks if one.about == about)


def test_every_text_is_counted_once_in_each_of_its_series(figures: DashboardFigures, tables: list[pa.Table]) -> None:
    rows = [one for part in tables for one in part.to_pylist()]
    expected = {(): rows}
    for column in ("topic", "entities"):
        for one in rows:
            expected.setdefault(((column, one[column][0]),), []).append(one)
    assert {one.key for one in figures.series} == set(expected)
    whole = figures.ranges[0]
    for drawn, buckets in zip(figures.series, whole.series, strict=True):
        labels = Counter(one["label"] for one in expected[drawn.key])
        assert sum(buckets.texts) == buckets.total.texts == labels.total()
        assert sum(buckets.watched) == sum(buckets.negative) == labels["negative"]
        assert sum(buckets.positive) == labels["positive"]
        assert sum(buckets.stories) == sum(one["telling"] == "first" for one in expected[drawn.key])


def test_shorter_ranges_count_the_newest_days(figures: DashboardFigures, tables: list[pa.Table]) -> None:
    assert [one.name for one in figures.ranges] == ["all time", "3 days"]
    times = np.array([time.timestamp() for part in tables for time in part["time"].to_pylist()])
    for drawn in figures.ranges:
        assert len(drawn.starts) <= MOST_BUCKETS
        assert drawn.starts[-1].timestamp() <= times.max() < drawn.end.timestamp()
        inside = (times >= drawn.starts[0].timestamp()) & (times < drawn.end.timestamp())
        assert sum(drawn.series[0].texts) == inside.sum()
    assert figures.ranges[-1].starts[0] <= figures.ranges[-1].end - timedelta(days=3)


def test_an_index_lies_in_its_interval_and_no_text_says_nothing(figures: DashboardFigures) -> None:
    for buckets in figures.ranges[0].series:
        for texts, index, low, high in zip(buckets.texts, buckets.index, buckets.low, buckets.high, strict=True):
            assert (index is None) == (texts == 0)
            assert (low, high) == (-1, 1) if index is None else low <= index <= high


def test_a_surge_has_its_texts_and_its_alarm(figures: DashboardFigures) -> None:
    [shown] = figures.alarms
    assert figures.series[shown.series or 0].key == dashboard_data.KEY
    for sentence in ("All was clear", "Told 2 times", "kim acknowledged it", "it was real"):
        assert sentence in shown.became
    until = SURGE + timedelta(hours=dashboard_data.SURGE_HOURS)
    inside = [one for one in figures.texts if SURGE <= one.time < until and one.label == "negative"]
    assert len(inside) >= 20
    assert dashboard_data.SCRIPT in {one.text for one in inside}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"told": (), "kept_back": "quiet hours until 07:00."}, "Nobody was told: quiet hours until 07:00."),
        ({"told": ()}, "Nobody was told yet."),
        ({"verdict": "false"}, "it was false"),
        ({"surge": surge(state="waiting", cleared=None)}, "too few sources"),
        ({"surge": surge(state="usual now")}, "usual now"),
    ],
)
def test_what_became_of_an_alarm_is_said(changes: dict[str, Any], says: str) -> None:
    [shown] = of([row(0, BEGIN)], alarms=[alarm(**changes)]).alarms
    assert says in shown.became


def test_versions_are_marked_where_others_begin_to_answer(figures: DashboardFigures) -> None:
    answers = [(one.version, one.since) for one in figures.versions if one.what == "answers"]
    assert [version for version, _ in answers] == ["1", "2"]
    assert abs(answers[1][1] - (BEGIN + timedelta(days=9))) < timedelta(hours=2)
    assert [one.version for one in figures.versions if one.what == "champion"] == ["1", "2"]


def test_one_late_text_does_not_move_a_versions_mark() -> None:
    begun = BEGIN + timedelta(days=5)
    rows = [row(n, BEGIN + timedelta(hours=n)) for n in range(100)]
    rows += [row(100, BEGIN, model="2")]
    rows += [row(101 + n, begun + timedelta(minutes=n), model="2") for n in range(30)]
    [_, second] = of(rows).versions
    assert abs(second.since - begun) < timedelta(minutes=30)


def test_a_version_that_answered_one_text_is_marked() -> None:
    shown = of([row(0, BEGIN), row(1, BEGIN + timedelta(hours=1), model="2")])
    assert [(one.version, one.since) for one in shown.versions][1:] == [("2", BEGIN + timedelta(hours=1))]


def test_a_story_is_listed_once_with_how_many_tell_it(figures: DashboardFigures, tables: list[pa.Table]) -> None:
    assert len(figures.newest) == NEWEST_STORIES
    assert figures.newest == tuple(sorted(figures.newest, key=lambda one: one.time, reverse=True))
    [recalls] = [one for one in figures.newest if one.text == "Umbra <em>recalls</em> everything"]
    assert (recalls.told, recalls.sources, recalls.telling) == (4, 4, "first")
    firsts = [one["time"] for part in tables for one in part.to_pylist() if one["telling"] == "first"]
    assert [one.time for one in figures.newest] == sorted(firsts, reverse=True)[:NEWEST_STORIES]


def test_the_pipelines_clock_is_the_pages() -> None:
    shown = of([row(0, BEGIN)], monitor=monitor(trends={"timezone": "Asia/Tokyo"}))
    assert shown.made.isoformat().endswith("+09:00")
    assert shown.newest[0].time.isoformat() == "2026-03-02T09:00:00+09:00"
    assert shown.ranges[0].starts[0].isoformat().endswith("+09:00")


def test_kept_columns_and_sources_can_be_chosen_by() -> None:
    rows = [row(n, BEGIN, kept=[("country", "de" if n % 3 else "fr")]) for n in range(12)]
    shown = of(rows, monitor=monitor(trends={"by": ["source", "country"]}))
    totals = {one.key: drawn.total.texts for one, drawn in zip(shown.series, shown.ranges[0].series, strict=True)}
    assert totals[(("country", "de"),)] == 8
    assert totals[(("source", "wire"),)] == 4
    by_country = [one for one in shown.texts if shown.series.index(shown.series[-1]) in one.series]
    assert by_country


@pytest.mark.parametrize(
    ("about", "rows", "changes", "says"),
    [
        ("stream", [], {}, "`perennial monitor tiny`"),
        ("stream", [row(0, BEGIN)], {}, "one bucket"),
        ("stream", [row(0, BEGIN, label="odd")], {}, "monitor.trends.positive"),
        ("stream", [row(0, BEGIN), row(1, NOW + timedelta(days=400))], {}, "1 texts bear a time to come"),
        ("stream", [row(0, BEGIN), row(1, BEGIN - timedelta(days=900))], {}, "the earliest is of 2023-"),
        ("stream", [row(0, BEGIN), row(1, BEGIN, label=None)], {}, "1 of 2 stored texts have no time or no label"),
        ("series", [row(0, BEGIN, topic=[], entities=None)], {}, "no topic, entities"),
        ("texts", [row(0, BEGIN, text=None)], {}, "No words of the texts are stored"),
        ("texts", [row(0, BEGIN, text=""), row(1, BEGIN)], {}, "1 of 2 texts"),
        ("alarms", [row(0, BEGIN)], {}, "No alarm has sounded."),
        ("health", [row(0, BEGIN)], {}, "was not looked at yet"),
    ],
)
def test_what_is_missing_is_said_and_the_rest_is_drawn(
    about: str, rows: list[dict[str, Any]], changes: dict[str, Any], says: str
) -> None:
    shown = of(rows, **changes)
    assert says in remarks(shown, about)
    assert bool(shown.ranges) == bool(rows)
    assert DashboardFigures.model_validate_json(shown.model_dump_json()) == shown


def test_a_stream_of_nothing_at_all_draws_alarms_and_health() -> None:
    shown = dashboard_figures(material(tables=[]), NOW)
    assert (shown.ranges, shown.newest, shown.texts) == ((), (), ())
    assert len(shown.alarms) == 1
    assert len(shown.health) == 6
    assert [one.name for one in shown.series] == ["all texts", "banks"]


def test_an_alarm_of_several_columns_stands_in_the_list_alone() -> None:
    both = (("topic", "banks"), ("entities", "Acme"))
    shown = of([row(0, BEGIN)], alarms=[alarm(surge=surge(key=both))])
    assert (shown.alarms[0].series, shown.alarms[0].name) == (None, "topic banks, entities Acme")
    assert "1 are of series that are not drawn" in remarks(shown, "alarms")


def test_the_figures_of_a_long_wild_stream_are_bounded() -> None:
    """Two years of long texts, each with topics, entities and labels of its own, and another version each day."""
    moment = datetime(2024, 3, 1, tzinfo=UTC)
    tables = []
    for day in range(0, 730, 10):
        rows = [
            row(
                day * 10 + n,
                moment + timedelta(days=day, hours=n * 10),
                "negative" if n % 3 else "positive",
                text="ä" * 5_000,
                model=str(day),
                topic=[f"topic {day} {n}", "all"],
                entities=[f"{'e' * 300} {day} {n} {more}" for more in range(3)],
            )
            for n in range(10)
        ]
        tables.append(table(rows))
    alarms = [alarm(surge=surge(id=str(n), opened=BEGIN - timedelta(days=n))) for n in range(300)]
    shown = dashboard_figures(material(tables=tables, alarms=alarms, health=health(6) * 100, promotions=[]), NOW)
    assert [len(one.starts) <= MOST_BUCKETS for one in shown.ranges] == [True] * len(shown.ranges) != []
    assert len(shown.series) <= 60
    assert max(len(one.text or "") for one in shown.texts) <= LONGEST_TEXT
    assert len(shown.alarms) == MOST_ALARMS
    assert len(shown.health) == MOST_WINDOWS
    assert len(shown.versions) == MOST_MARKS
    assert len(shown.model_dump_json()) < 4_000_000
    for about, says in {
        "alarms": "newest 100 of 300",
        "health": "newest 200 of 600",
        "versions": "changed 72 times",
        "series": "topic: 13 of 731 values",
        "stream": "are not drawn",
    }.items():
        assert says in remarks(shown, about)


def test_tables_that_can_be_read_once_only_are_refused(tables: list[pa.Table]) -> None:
    with pytest.raises(ValueError, match="several times"):
        dashboard_figures(material(tables=iter(tables)), NOW)


def test_it_does_not_matter_how_texts_are_cut_into_tables(figures: DashboardFigures, tables: list[pa.Table]) -> None:
    whole = pa.concat_tables(tables)
    pieces = [whole.slice(start, 333) for start in range(0, len(whole), 333)] + [stored_schema().empty_table()]
    again = dashboard_figures(material(tables=pieces), NOW)
    assert again.ranges == figures.ranges
    assert again.newest == figures.newest
    assert again.versions == figures.versions

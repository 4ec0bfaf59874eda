"""Counts that are kept are those that one would make of all texts at once, whatever they came in."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
from alarm_tables import FIRST, home_in, row, stream, table

from perennial.monitoring.alarms.alarm_database import writing
from perennial.monitoring.alarms.kept_counts import KeptCounts
from perennial.monitoring.trends.calendar import Calendar
from perennial.monitoring.trends.counting import count_trends

LAST = FIRST + timedelta(days=9)


def test_kept_counts_are_the_counts_of_all_texts(tmp_path: Path) -> None:
    rows = stream(9, surge=False)
    with writing(home_in(tmp_path), "news") as connection:
        for start in range(0, len(rows), 70):
            kept = KeptCounts(connection, ["topic", "source"], 20)
            # The part before comes again, as it may have been read at the same moment.
            part = table(rows[max(0, start - 30) : start + 70])
            kept.add(part.filter(kept.new_rows(part)), None, LAST)
        calendar = Calendar(180, "Asia/Kolkata")  # Half an hour from a whole one.
        trends = kept.trends(calendar, rows[0]["time"], rows[-1]["time"], 20)
        grid = kept.grid(calendar, [one.key for one in trends.series], "negative", "texts", trends.series[0].starts)
    by = {one.key: one for one in count_trends(table(rows), calendar).series}
    by |= {
        one.key: one for name in ("topic", "source") for one in count_trends(table(rows), calendar, by=[name]).series
    }
    assert {one.key: one for one in trends.series} == by
    assert [tuple(line) for line in grid.counted.tolist()] == [one.labels["negative"] for one in trends.series]


def test_texts_that_were_read_in_one_moment_are_counted_once_each(tmp_path: Path) -> None:
    rows = [row(n, FIRST + timedelta(minutes=n), "neutral", read=LAST) for n in range(10)]
    with writing(home_in(tmp_path), "news") as connection:
        first = KeptCounts(connection, [], 20)
        first.add(table(rows[:6]).filter(pa.array(first.new_rows(table(rows[:6])))), None, LAST)
        second = KeptCounts(connection, [], 20)
        assert second.new_rows(table(rows[:4])).tolist() == [False] * 4
        assert second.new_rows(table(rows[4:])).tolist() == [False] * 2 + [True] * 4


def test_other_columns_have_series_and_stories_are_counted_beside_texts(tmp_path: Path) -> None:
    rows = [
        row(n, FIRST, "negative", kept=[("desk", "city")] if n else [], telling="first" if n < 2 else "copy")
        for n in range(5)
    ]
    with writing(home_in(tmp_path), "news") as connection:
        kept = KeptCounts(connection, ["desk"], 20)
        kept.add(table(rows), None, LAST)
        assert kept.largest(20) == [(), (("desk", "city"),)]
        starts = Calendar(60).between(FIRST, FIRST)
        counts = {
            count: kept.grid(Calendar(60), kept.largest(20), "negative", count, starts).counted.ravel().tolist()
            for count in ("texts", "stories")
        }
    assert counts == {"texts": [5, 4], "stories": [2, 1]}

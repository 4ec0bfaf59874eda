"""From texts to series: every text in its bucket once, in the series of all its values, and late ones said."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from perennial.core.errors import PerennialError
from perennial.monitoring.trends.calendar import Calendar
from perennial.monitoring.trends.counting import count_trends
from perennial.monitoring.trends.late import with_late_rows
from perennial.monitoring.trends.series import Series

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TEXTS = pa.table(
    {
        "time": pa.array([NOON, NOON + HOUR / 2, NOON + 2 * HOUR, None, NOON + 2 * HOUR], pa.timestamp("us", "UTC")),
        "label": ["negative", "positive", "negative", "negative", None],
        "topic": ["energy", "energy", "banks", "banks", ""],
        "entities": [["Shell", "BP", "Shell"], ["BP"], [], ["BP"], ["Shell"]],
    }
)


def test_all_texts_are_counted_by_bucket_and_those_without_time_said() -> None:
    trends = count_trends(TEXTS, Calendar(60))
    (series,) = trends.series
    assert series.texts == (2, 0, 2)
    assert series.counted("negative").tolist() == [1, 0, 1]
    assert series.counted("neutral").tolist() == [0, 0, 0]
    assert trends.without_time == 1
    assert Series.model_validate_json(series.model_dump_json()) == series


def test_a_text_counts_once_in_the_series_of_each_of_its_values() -> None:
    trends = count_trends(TEXTS, Calendar(60), by=("topic", "entities"))
    by_key = {series.key: series.texts for series in trends.series}
    assert by_key == {
        (("topic", "energy"), ("entities", "BP")): (2, 0, 0),
        (("topic", "energy"), ("entities", "Shell")): (1, 0, 0),
    }
    few = count_trends(TEXTS, Calendar(60), by=("topic",), most=1)
    assert (len(few.series), few.left_out) == (1, 1)


def test_a_column_that_is_not_there_is_said() -> None:
    with pytest.raises(PerennialError, match=r"'region'.*the table has time"):
        count_trends(TEXTS, Calendar(60), by=("region",))
    with pytest.raises(PerennialError, match="holds string"):
        count_trends(TEXTS, Calendar(60), time="label")


def test_late_rows_are_counted_and_said() -> None:
    (before,) = count_trends(TEXTS, Calendar(60)).series
    late = pa.table(
        {
            "time": pa.array([NOON - HOUR, NOON, NOON + 5 * HOUR], pa.timestamp("us", "UTC")),
            "label": ["neutral", "negative", "negative"],
        }
    )
    (arrived,) = count_trends(late, Calendar(60)).series
    merged, reopened = with_late_rows(before, arrived, closed=NOON + 3 * HOUR)
    assert merged.texts == (1, 3, 0, 2, 0, 0, 1)
    assert sum(map(sum, merged.labels.values())) == sum(merged.texts)
    assert reopened.buckets == (NOON - HOUR, NOON)
    assert "2 texts came late: 2 buckets" in str(reopened)
    _, none = with_late_rows(before, arrived.model_copy(update={"texts": (0,) * 7}), closed=NOON)
    assert str(none) == "No text came late."

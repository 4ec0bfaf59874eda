"""Times as programs and people write them: read, or why not and what to do."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perennial.core.errors import SourceError
from perennial.ingest.canonical_rows import canonical_rows
from perennial.rows import moments
from perennial.rows.batch import Batch
from perennial.rows.moments import moment
from perennial.rows.time_survey import TimeSurvey

EVENING = datetime(2018, 10, 10, 20, 19, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Wed Oct 10 20:19:24 +0000 2018",
        "Wed Oct 10 20:19:24 2018",
        "Wed Oct 10 22:19:24 CEST 2018",
        "Wed, 10 Oct 2018 20:19:24 GMT",
        "10 Oct 2018 13:19:24 -0700",
        "10-Oct-2018 20:19:24",
        "10-OCT-18 08.19.24.000000 PM",
        "10/Oct/2018:22:19:24 +0200",
        "October 10, 2018 8:19:24 PM",
        "Oct 10 2018 20:19:24",
        "Wed Oct 10 2018 22:19:24 GMT+0200 (Central European Summer Time)",
        "2018/10/10 20:19:24",
        "2018-10-10 22:19:24 +0200",
        "2018-10-10T22:19:24+02:00[Europe/Berlin]",
        "2018-10-10 20:19:24 UTC",
        "2018-10-10 22:19:24 Europe/Berlin",
        "2018-10-10 16:19:24 EDT",
    ],
)
def test_what_names_its_month_and_zone_is_read(text: str) -> None:
    assert moment(text) == EVENING


@pytest.mark.parametrize(
    ("value", "form", "time"),
    [
        (1539202764000, "epoch_ms", EVENING),
        ("1539202764000", "epoch_ms", EVENING),
        (1539202764000.0, "epoch_ms", EVENING),
        ("1539202764000000", "epoch_us", EVENING),
        (1539202764000000001, "epoch_ns", EVENING),
        (1539202764, "epoch_s", EVENING),
        ("20180101", "epoch_s", datetime(1970, 8, 22, 13, 35, 1, tzinfo=UTC)),
        ("2018-10-10T20:19:24Z", "epoch_ms", EVENING),
        ("10/10/2018 20:19:24", "day_first", EVENING),
        ("3/4/2025", "day_first", datetime(2025, 4, 3, tzinfo=UTC)),
        ("3/4/2025", "month_first", datetime(2025, 3, 4, tzinfo=UTC)),
        ("31.12.24 9:05", "day_first", datetime(2024, 12, 31, 9, 5, tzinfo=UTC)),
        ("12/31/2024 5:30 PM", "month_first", datetime(2024, 12, 31, 17, 30, tzinfo=UTC)),
        ("12/31/2024 12:30 AM", "month_first", datetime(2024, 12, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_form_is_read_as_it_says(value: object, form: str, time: datetime) -> None:
    assert moment(value, form) == time


@pytest.mark.parametrize(
    ("value", "form", "why"),
    [
        (1539202764000, None, "milliseconds since 1970, which data.columns.time_format: epoch_ms reads"),
        ("1539202764000000", None, "microseconds"),
        (1539202764, "epoch_ms", "seconds since 1970, which data.columns.time_format: epoch_s reads"),
        ("31/12/2024", None, "data.columns.time_format: day_first or month_first"),
        ("31/12/2024", "month_first", "there is no month 31"),
        ("2018-10-10 20:19 IST", None, r"'IST' names more than one zone: write the offset instead, such as \+05:30"),
        ("45669.67", None, "its numbers look like days since 1900"),
        ("2018-10-10 20:19 XYZ", None, "the zone 'XYZ' is not known"),
    ],
)
def test_what_is_not_read_is_told_with_the_way_to(pipeline: Any, value: object, form: str | None, why: str) -> None:
    made = pipeline(time="at", **({"time_format": form} if form else {}))
    batch = Batch("a.csv", "line", [2], {"text": ["a"], "label": ["x"], "at": [value]})
    with pytest.raises(SourceError, match=rf"a.csv, line 2 has the time .*{why}"):
        canonical_rows(batch, made.spec)


@pytest.mark.parametrize("text", ["soon", "10 Oct", "Oct 2018", "31/31/2024", "10 Foo 2018", "1/2", "25:61", "z" * 99])
def test_what_is_no_time(text: str) -> None:
    for form in (None, "day_first", "epoch_ms"):
        with pytest.raises(ValueError, match=r"."):
            moment(text, form)


@pytest.mark.parametrize(("form", "unit"), moments.UNITS.items())
@pytest.mark.parametrize("spelling", [int, str])
def test_many_counts_are_read_as_each_alone(form: str, unit: int, spelling: Any) -> None:
    values = [spelling(1539202764 * unit + number * 7) for number in range(20)]
    counted = moments.counted_micros(values, form)
    assert counted is not None
    alone = [(moment(value, form) - moments.EPOCH) // timedelta(microseconds=1) for value in values]
    assert counted.to_pylist() == alone
    assert moments.counted_micros([*values, spelling(5)], form) is None
    assert moments.counted_micros([*values, None], form) is None


@pytest.mark.parametrize(
    ("cells", "form", "doubt"),
    [
        ([1735689600000 + n for n in range(9)], "epoch_ms", ""),
        ([str(1735689600000000000 + n) for n in range(9)], "epoch_ns", ""),
        ([1735689600 + n for n in range(9)], None, ""),
        (["2025-01-31", "2025-02-01"], None, ""),
        (["03/04/2025", "31/12/2024", None], "day_first", ""),
        (["03/04/2025", "12/31/2024"], "month_first", ""),
        (["03.04.2025", "05.06.2025"], "day_first", ""),
        (["03/04/2025", "05/06/2025"], None, "no cell tells, such as '03/04/2025'"),
        (["31/12/2024", "12/31/2024"], None, "1 have the day before the month, such as '31/12/2024', and 1 the month"),
        (["one", "two"], None, ""),
    ],
)
def test_the_form_of_a_whole_column(cells: list[object], form: str | None, doubt: str) -> None:
    survey = TimeSurvey()
    survey.add(cells[:1])
    survey.add(cells[1:])
    assert survey.form == form
    assert doubt in survey.doubt
    assert bool(doubt) == bool(survey.doubt)


def test_a_later_part_is_read_alike(pipeline: Any) -> None:
    made = pipeline(time="at", time_format="day_first")
    made.write("data.csv", "text,label,at\na,x,31/01/2025\n")
    assert [row["time"] for row in made.rows()] == [datetime(2025, 1, 31, tzinfo=UTC)]
    made.write("data.csv", "text,label,at\na,x,31/01/2025\nb,y,05/02/2025\n")
    assert [row["time"] for row in made.rows()][-1] == datetime(2025, 2, 5, tzinfo=UTC)

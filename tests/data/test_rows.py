from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest

from perennial.core.errors import SourceError
from perennial.ingest.canonical_rows import canonical_rows, part_schema
from perennial.ingest.set_aside import FUTURE, NO_TIME, NOT_READ, SetAsideRows
from perennial.rows.batch import Batch
from perennial.rows.moments import moment
from perennial.rows.splits import splits_of_keys, text_key

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def batch(**columns) -> Batch:
    rows = len(next(iter(columns.values())))
    return Batch("data.csv", "line", range(2, 2 + rows), columns)


def test_the_schema_is_the_canonical_one(pipeline) -> None:
    spec = pipeline(time="at", slices=["sector"]).spec
    made = canonical_rows(batch(text=["A  b"], label=["good"], at=["2026-01-31"], sector=["oil"]), spec)
    assert made.schema == part_schema(spec)
    row = made.to_pylist()[0]
    assert row["text_key"] == text_key("a b")
    assert [row["split"]] == splits_of_keys([row["text_key"]], spec.data.splits)
    assert (row["time"], row["file"], row["line"]) == (datetime(2026, 1, 31, tzinfo=UTC), "data.csv", 2)
    assert made.schema.field("time").type == pa.timestamp("us", tz="UTC")


def test_row_ids_tell_any_two_contents_apart_and_are_pinned(pipeline) -> None:
    spec = pipeline(slices=["s"]).spec
    cells = [
        ("a", "b", "c"),
        ("ab", None, "c"),
        ("a", None, "bc"),
        (None, "a", "bc"),
        ("", "a", "bc"),
        ("1:a", "b", "c"),
    ]
    text, label, slices = map(list, zip(*cells, strict=True))
    ids = canonical_rows(batch(text=text, label=label, s=slices), spec).column("row_id").to_pylist()
    assert len(set(ids)) == len(cells)
    assert ids[0] == "7343715e34a80aa1bf024bd5931cddb4"


def test_the_same_time_spelled_otherwise_is_the_same_row(pipeline) -> None:
    spec = pipeline(time="at").spec
    times = ["2026-01-31T12:00:00Z", "2026-01-31 12:00", "2026-01-31T13:00:00+01:00", str(int(NOON.timestamp())), NOON]
    made = canonical_rows(batch(text=["t"] * 5, label=["good"] * 5, at=times), spec)
    assert set(made.column("time").to_pylist()) == {NOON}
    assert len(set(made.column("row_id").to_pylist())) == 1


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("20260131", datetime(2026, 1, 31, tzinfo=UTC)),
        (20260131, datetime(2026, 1, 31, tzinfo=UTC)),
        (date(2026, 1, 31), datetime(2026, 1, 31, tzinfo=UTC)),
        (datetime(2026, 1, 31, 12), NOON),
        (" 2026-01-31T12:00:00.000000Z ", NOON),
        (1769860800, NOON),
        (1769860800.0, NOON),
        ("1769860800.000", NOON),
        (Decimal(1769860800), NOON),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times(value: object, time: datetime) -> None:
    assert moment(value) == time


@pytest.mark.parametrize(
    "value", ["31.01.2026", "2026", 2026, "soon", "", 1769860800000, True, "2026-02-30", [1], float("inf")]
)
def test_one_row_without_a_time_that_can_be_read_is_set_aside(pipeline, value: object) -> None:
    spec, aside = pipeline(time="at").spec, SetAsideRows()
    made = canonical_rows(batch(text=["a", "b"], label=["x", "y"], at=["2026-01-31", value]), spec, aside)
    assert [time is None for time in made.column("time").to_pylist()] == [False, True]
    assert aside.counts == {NO_TIME if value in ("", None) else NOT_READ: 1}


@pytest.mark.parametrize("value", ["31.01.2026", 2026, [1], float("inf")])
def test_a_column_in_which_no_time_can_be_read_is_refused(pipeline, value: object) -> None:
    with pytest.raises(SourceError) as caught:
        canonical_rows(batch(text=["a", "b"], label=["x", "y"], at=[None, value]), pipeline(time="at").spec)
    for part in ("data.csv, line 3 has the time", "'at'", "ISO 8601", "seconds since 1970", str(value)):
        assert part in str(caught.value)


@pytest.mark.parametrize("form", [str, lambda time: time])
def test_a_time_in_the_future_is_no_time_beyond_the_tolerance(pipeline, form) -> None:
    now, aside = datetime.now(UTC), SetAsideRows()
    times = [form(now + timedelta(hours=hours)) for hours in (-1, 20, 30, 24 * 365 * 36)]
    cells = batch(text=list("abcd"), label=["x"] * 4, at=times)
    made = canonical_rows(cells, pipeline(time="at").spec, aside).column("time")
    assert [time is None for time in made.to_pylist()] == [False, False, True, True]
    assert aside.counts == {FUTURE: 2}
    wide = pipeline(time="at", data={"future_tolerance": "2 days"}).spec
    assert canonical_rows(cells, wide).column("time").null_count == 1


def test_a_time_that_can_not_be_is_cut(pipeline) -> None:
    with pytest.raises(SourceError) as caught:
        canonical_rows(batch(text=["a"], label=["x"], at=["z" * 99]), pipeline(time="at").spec)
    assert "z" * 40 in str(caught.value)
    assert "z" * 41 not in str(caught.value)


def test_whole_numbers_are_one_id_however_they_are_spelled(pipeline) -> None:
    spec = pipeline(id="key").spec
    keys = ["17", 17.0, "17.0", Decimal("17.00"), "017", "1.5", "v1.0", -3.0, "100", 1.5]
    cells = batch(text=["t"] * 10, label=["x"] * 10, key=keys)
    ids = canonical_rows(cells, spec).column("row_id").to_pylist()
    assert ids == ["17"] * 4 + ["017", "1.5", "v1.0", "-3", "100", "1.5"]
    assert canonical_rows(cells, spec, whole_ids=False).column("row_id")[1].as_py() == "17.0"


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_id(pipeline, value: object) -> None:
    with pytest.raises(SourceError, match=r"data.csv, line 3 has no id in column 'key'"):
        canonical_rows(batch(text=["a", "b"], label=["x", "y"], key=["1", value]), pipeline(id="key").spec)


def test_values_of_databases_become_text(pipeline) -> None:
    values = [Decimal("1.10"), UUID(int=1), date(2026, 1, 31), b"bytes", 7, None]
    made = canonical_rows(batch(text=["t"] * 6, label=values), pipeline().spec)
    expected = ["1.10", str(UUID(int=1)), "2026-01-31", "bytes", "7", None]
    assert made.column("label").to_pylist() == expected


def test_bytes_that_are_no_text_are_named(pipeline) -> None:
    with pytest.raises(SourceError, match=r"data.csv, line 2: column 'label' holds bytes that are not UTF-8"):
        canonical_rows(batch(text=["t"], label=[b"\xff"]), pipeline().spec)

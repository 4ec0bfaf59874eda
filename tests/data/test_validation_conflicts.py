import pyarrow as pa
import pyarrow.parquet as pq

from perennial.records.data import Retirement
from perennial.validation import conflicts
from perennial.validation.text_index import Earlier


def _table(rows, kind=None):
    ids, keys, targets = zip(*rows, strict=True)
    count = len(rows)
    return pa.table(
        {
            "row_id": pa.array(ids),
            "text_key": pa.array(keys),
            "target": pa.array(targets, kind or pa.string()),
            "file": pa.array([f"{ids[0][0]}.csv"] * count),
            "line": pa.array(range(1, count + 1), pa.int64()),
        }
    )


def _earlier(folder, *files, keys=None, retired=()):
    names = keys or [path.name for path in files]
    index, scratch = folder / "state" / "texts.duckdb", folder / "tmp"
    return Earlier(keys=names, files=files, retired=retired, root=folder, index=index, scratch=scratch)


def _written(table, path):
    pq.write_table(table, path)
    return path


def test_all_sides_of_a_contradiction_are_named(tmp_path):
    table = _table([("a1", "k", "x"), ("a2", "k", "y"), ("a3", "k", "x"), ("a4", "other", "x")])
    assert conflicts.find_conflicts(table, "target", None, tmp_path) == {
        "a1": "a.csv:2",
        "a2": "a.csv:1",
        "a3": "a.csv:2",
    }


def test_earlier_rows_stay_and_newer_ones_are_named(tmp_path):
    files = [
        _written(_table([("a1", "k", "x"), ("a2", "l", "x")]), tmp_path / "a.parquet"),
        _written(_table([("b1", "m", "y")]), tmp_path / "b.parquet"),
    ]
    earlier = _earlier(tmp_path, *files)
    table = _table([("c1", "k", "x"), ("c2", "l", "y"), ("c3", "m", "x"), ("c4", "n", "x")])
    assert conflicts.find_conflicts(table, "target", earlier, tmp_path) == {"c2": "a.csv:2", "c3": "b.csv:1"}


def test_targets_that_are_lists_compare_by_value(tmp_path):
    kind = pa.list_(pa.string())
    earlier = _earlier(tmp_path, _written(_table([("a1", "k", ["x", "y"])], kind), tmp_path / "a.parquet"))
    table = _table([("c1", "k", ["x", "y"]), ("c2", "l", ["x"]), ("c3", "l", ["x", "z"])], kind)
    assert set(conflicts.find_conflicts(table, "target", earlier, tmp_path)) == {"c2", "c3"}


def test_many_copies_of_a_text_are_no_burden(tmp_path):
    table = _table([(f"r{number}", "k", "xy"[number % 2]) for number in range(100_000)])
    assert len(conflicts.find_conflicts(table, "target", None, tmp_path)) == 100_000


def _retirement(folder, before, *gone):
    path = folder / f"gone-{before}.parquet"
    pq.write_table(
        pa.table({"row_id": [row for row, _ in gone], "part": pa.array([n for _, n in gone], pa.int32())}), path
    )
    return Retirement(path=path.name, sha256=path.name, before=before, hits={number: 1 for _, number in gone})


def test_retired_rows_contradict_nothing_and_an_index_that_caught_up_says_what_a_new_one_does(tmp_path):
    files = [
        _written(_table([("a1", "k", "x"), ("a2", "l", "x")]), tmp_path / "a.parquet"),
        _written(_table([("b1", "m", "y")]), tmp_path / "b.parquet"),
        _written(_table([("c1", "l", "z")]), tmp_path / "c.parquet"),
    ]
    retired = [_retirement(tmp_path, 1, ("a1", 0)), _retirement(tmp_path, 2, ("a2", 0))]
    table = _table([("d1", "k", "y"), ("d2", "l", "x"), ("d3", "m", "x")])
    for count in range(1, 4):
        found = conflicts.find_conflicts(
            table, "target", _earlier(tmp_path, *files[:count], retired=retired[: count - 1]), tmp_path
        )
    assert found == {"d2": "c.csv:1", "d3": "b.csv:1"}
    # One that is ahead, as after another pipeline's run with the same name, is made again.
    ahead = conflicts.find_conflicts(table, "target", _earlier(tmp_path, *files[:1]), tmp_path)
    assert ahead == {"d1": "a.csv:1"}
    (tmp_path / "state" / "texts.duckdb").unlink()
    assert conflicts.find_conflicts(table, "target", _earlier(tmp_path, *files, retired=retired), tmp_path) == found

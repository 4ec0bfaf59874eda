"""The worked examples beside the densest code are true."""

import doctest
from pathlib import Path
from types import ModuleType

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from perennial.evaluation.comparison import p_value
from perennial.ingest import staging
from perennial.ingest.known_rows import row_index
from perennial.metrics import slice_pooling, sums
from perennial.settings.training import TrainingSpec
from perennial.training import sampling
from perennial.validation.conflicts import find_conflicts


@pytest.mark.parametrize("module", [sampling, sums, slice_pooling], ids=lambda module: module.__name__)
def test_examples_in_docstrings(module: ModuleType) -> None:
    ended = doctest.testmod(module)
    assert ended.attempted
    assert ended.failed == 0


@pytest.mark.parametrize(("max_rows", "drawn"), [(200, [100, 33]), (100, [75, 25])])
def test_example_of_replay(max_rows: int, drawn: list[int]) -> None:
    training = TrainingSpec.model_validate({"max_rows": max_rows, "replay": 0.25, "start_from": "champion"})
    assert [size for _, size in sampling._sizes(np.arange(1100) < 100, training)] == drawn


def test_example_of_three_verdicts() -> None:
    p = p_value(-0.045 + 0.02, 0.01)
    assert p == pytest.approx(0.0062, abs=5e-5)
    assert slice_pooling.holm([p, 1, 1, 1, 1])[0] == pytest.approx(0.031, abs=5e-4)
    for difference, low, high in ((0.010, -0.010, 0.030), (-0.005, -0.025, 0.015), (-0.045, -0.065, -0.025)):
        reach = 1.96 * 0.01
        assert (difference - reach, difference + reach) == pytest.approx((low, high), abs=5e-4)


def test_example_of_the_row_index() -> None:
    read = [
        ("a", 0, 0, 20, 201, "g", False, "test"),
        ("b", 1, None, 20, 0, "g", True, None),
        ("c", 2, 1, 5, 203, "g", False, "test"),
        ("d", 3, 2, 20, 204, "g", False, "validation"),
        ("a", 4, 3, 15, 205, "h", False, "test"),
        ("c", 5, 4, 10, 103, "f", False, "train"),
    ]
    with duckdb.connect() as connection:
        connection.execute(row_index._TABLES)
        for row_id, content in (("a", 101), ("b", 102), ("c", 103)):
            connection.execute("INSERT INTO versions VALUES (?, 0, 999999, 0, 10, ?, 'f', 'train')", [row_id, content])
        columns = zip(*read, strict=True)
        connection.register(
            "fresh", pa.Table.from_arrays(list(map(pa.array, columns)), schema=staging.statement_schema())
        )
        connection.execute("CREATE TABLE remembered (row_id VARCHAR, split VARCHAR)")
        connection.execute(row_index._CHANGES)
        outcome = connection.sql("SELECT row_id, time, wins FROM outcome ORDER BY position").fetchall()
        chosen = connection.sql("SELECT number, is_known, split FROM chosen ORDER BY number").fetchall()
        retired = connection.sql(row_index._RETIRED).fetchall()
    assert outcome == [("a", 20, True), ("b", 20, True), ("c", 5, False), ("d", 20, True), ("a", 15, False)]
    assert chosen == [(0, True, "train"), (2, False, "validation")]
    assert [row[:3] for row in retired] == [("a", 0, "replaced"), ("b", 0, "deleted")]


def test_example_of_conflicts(tmp_path: Path) -> None:
    rows = [
        ("1", "one text", "good", "a.csv", 1),
        ("2", "one text", "bad", "a.csv", 2),
        ("3", "one text", "good", "b.csv", 1),
        ("4", "another text", "good", "b.csv", 2),
        ("5", "another text", "good", "b.csv", 3),
    ]
    columns = list(map(pa.array, zip(*rows, strict=True)))
    part = pa.Table.from_arrays(columns, names=["row_id", "text_key", "label", "file", "line"])
    assert find_conflicts(part, "label", None, tmp_path) == {"1": "a.csv:2", "2": "b.csv:1", "3": "a.csv:2"}

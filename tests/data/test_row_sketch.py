"""A sketch of the rows that were looked at tells how many of others are new."""

import pytest

from perennial.rows.row_sketch import SIZE, RowSketch, row_hashes


def hashes(start: int, end: int) -> frozenset[str]:
    return row_hashes((f"key {number}" for number in range(start, end)), "salt")


def test_few_rows_are_counted_exactly() -> None:
    known = RowSketch.of_hashes(hashes(0, 1000))
    assert known.new_among(hashes(0, 1000)) == 0
    assert known.new_among(hashes(900, 1200)) == 200
    assert RowSketch().new_among(hashes(0, 1200)) == 1200
    assert known.joined(hashes(900, 1200)).new_among(hashes(0, 1200)) == 0


@pytest.mark.parametrize("fresh", [0, 2_000, 15_000])
def test_many_rows_are_counted_nearly(fresh: int) -> None:
    known = RowSketch.of_hashes(hashes(0, 30_000))
    assert len(known.hashes) == SIZE
    assert known.new_among(hashes(0, 30_000 + fresh)) == pytest.approx(fresh, rel=0.1, abs=0)
    assert known.new_among(hashes(30_000, 60_000)) == 30_000


def test_it_comes_back_as_it_was_written_and_stays_small() -> None:
    known = RowSketch.of_hashes(hashes(0, 9000))
    assert RowSketch.read(known.written) == known
    assert len(known.written) == 16 * SIZE
    assert RowSketch.read("") == RowSketch()


def test_nobody_can_tell_whose_rows_they_are_without_the_salt() -> None:
    assert not row_hashes(["a"], "one") & row_hashes(["a"], "other")


def test_the_order_in_which_rows_came_does_not_matter() -> None:
    parts = [hashes(start, start + 3000) for start in range(0, 30_000, 3000)]
    forth, back = RowSketch(), RowSketch()
    for one, other in zip(parts, reversed(parts), strict=True):
        forth, back = forth.joined(one), back.joined(other)
    assert forth == back == RowSketch.of_hashes(hashes(0, 30_000))

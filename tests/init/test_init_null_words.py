"""Words that tools write for nothing, where labels should be."""

from pathlib import Path

import pytest
from init_files import rows, write

from perennial import init
from perennial.core.errors import SourceError


def test_a_lone_negative_number_is_pointed_out(tmp_path: Path) -> None:
    some = rows(300, label=lambda n: str([1, 2, 3, 4, 5, -1][n % 6]))
    guess = init.plan("news", write(tmp_path / "d.csv", some), label="label", kind="text-classification")
    assert "'-1' (50 rows) is the only label below 0" in " ".join(guess.warnings)
    three = rows(300, label=lambda n: str([-1, 0, 1][n % 3]))
    assert "below 0" not in " ".join(init.plan("news", write(tmp_path / "e.csv", three), label="label").warnings)


def labelled(tmp_path: Path, **counts: int) -> init.guess.Guess:
    names = [name.replace("_", "/") for name, count in counts.items() for _ in range(count)]
    some = rows(len(names), label=lambda n: names[n])
    return init.plan("news", write(tmp_path / "d.csv", some), label="label")


@pytest.mark.parametrize("word", ["nan", "NaN", "NULL", "NA", "None", "n_a"])
def test_a_few_are_no_label_and_that_is_said(word: str, tmp_path: Path) -> None:
    guess = labelled(tmp_path, good=100, bad=100, **{word: 6})
    assert set(guess.labels) == {"good", "bad"}
    said = " ".join(guess.warnings)
    assert "(6 rows) stands for no label, as an empty cell does" in said


def test_many_rows_that_are_so_called_have_a_label_but_for_nan(tmp_path: Path) -> None:
    assert set(labelled(tmp_path, EU=100, US=100, NA=60).labels) == {"EU", "NA", "US"}
    assert set(labelled(tmp_path, EU=100, US=100, nan=60).labels) == {"EU", "US"}


def test_they_are_labels_where_too_few_would_be_left(tmp_path: Path) -> None:
    assert set(labelled(tmp_path, yes=100, none=4).labels) == {"yes", "none"}


def test_a_number_of_rows_too_small_without_them_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="at least"):
        labelled(tmp_path, good=4, bad=4, nan=100)

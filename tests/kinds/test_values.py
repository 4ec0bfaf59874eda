"""What is one thing to a person, read by a run of each kind: spellings of labels, numbers that stand for none."""

import random
from pathlib import Path
from typing import Any

import kind_helpers
import pytest
from notes import Notes

from perennial.core.errors import ValidationError
from perennial.core.progress import heard_by


def variant(label: str, chooser: random.Random) -> str:
    return chooser.choice([label, label, f" {label}", f"{label} ", label.upper(), label.capitalize()])


@pytest.mark.parametrize("kind", ["text-classification", "text-pair", "multi-label", "token-classification"])
def test_other_spellings_are_the_label_in_every_kind(kind: str, tmp_path: Path) -> None:
    chooser = random.Random(3)  # noqa: S311
    given: list[dict[str, Any]] = []
    for number in range(120):
        label = ("good", "bad")[number % 2]
        target = {"label": variant(label, chooser)}
        if kind == "multi-label":
            target = {"label": [variant(label, chooser), label]}
        if kind == "token-classification":
            target = {"spans": [{"start": 0, "end": 5, "label": variant(label, chooser)}]}
        given.append({"text": f"words {number}", "text_pair": f"others {number}", **target})
    made = kind_helpers.spec(kind, labels=["good", "bad"], fold_labels=True)
    data = kind_helpers.validated(made, tmp_path, given)
    assert data.quarantined == 0
    assert {label: sum(rows[label] for rows in data.label_rows.values()) for label in ("good", "bad")} == {
        "good": 60,
        "bad": 60,
    }
    [warning] = data.warnings
    assert "'GOOD' as 'good'" in warning
    assert "'Bad' as 'bad'" in warning


def test_a_run_tells_and_the_expectation_sets_them_aside(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": 999999 if n % 40 == 3 else 10 + n % 37 / 7} for n in range(200)]
    made = kind_helpers.spec("regression", {"metric": "rmse", "max": 1})
    [warning] = kind_helpers.validated(made, tmp_path, rows).warnings
    assert "In part 1, 5 of 200 numbers are more than" in warning
    assert "5 of them 999999" in warning
    expected = {"type": "expect_column_values_to_not_be_in_set", "column": "label", "value_set": [999999]}
    assert expected["type"] in warning
    aside = [expected | {"severity": "warning"}]
    made = kind_helpers.spec("regression", {"metric": "rmse", "max": 1}, expectations=aside)
    (tmp_path / "again").mkdir()
    assert kind_helpers.validated(made, tmp_path / "again", rows).quarantined == 5


def test_numbers_with_a_decimal_comma_are_learned_as_they_are_meant(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": f"{n / 100:.2f} €".replace(".", ",")} for n in range(120)]
    named = {"decimal": ",", "unit": "€"}
    made = kind_helpers.spec("regression", {"metric": "rmse", "max": 1}, columns=named)
    data = kind_helpers.validated(made, tmp_path, rows)
    assert data.quarantined == 0
    assert [row["label"] for row in kind_helpers.good(data, tmp_path)] == [n / 100 for n in range(120)]


def test_a_run_names_the_column_the_count_and_an_example_of_what_is_no_number(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "label": f"0,{n % 9}3"} for n in range(120)]
    made = kind_helpers.spec("regression", {"metric": "rmse", "max": 1})
    listener = Notes()
    with heard_by(listener), pytest.raises(ValidationError, match="label holds no number"):
        kind_helpers.validated(made, tmp_path, rows)
    assert [note for note in listener.messages if "120 of 120 cells of 'label' are no numbers, such as '0,03'" in note]

"""Labels that differ in blanks, case, width or as numbers: one label, told, or kept apart, told."""

from pathlib import Path

import pytest
from validation_data import pipeline, rows, snapshot

from perennial.core.errors import ValidationError
from perennial.core.home import Home
from perennial.rows import label_spelling
from perennial.validation.snapshot_validation import validate


@pytest.mark.parametrize(
    ("label", "tidied", "folded"),
    [
        (" positive\t", "positive", "positive"),
        ("not\u00a0 so  good", "not so good", "not so good"),
        ("\ufeffgood\u200b", "good", "good"),
        ("cafe\u0301", "café", "café"),
        ("POSITIVE", "POSITIVE", "positive"),
        ("Ｇｏｏｄ", "Ｇｏｏｄ", "good"),
        ("Straße", "Straße", "strasse"),
        ("1000.0", "1000.0", "1000"),
        ("TRUE", "TRUE", "true"),
        ("1.5", "1.5", "1.5"),
        ("007", "007", "007"),
    ],
)
def test_what_a_person_takes_for_one(label: str, tidied: str, folded: str) -> None:
    assert (label_spelling.tidy(label), label_spelling.folded(label)) == (tidied, folded)


def test_a_spelling_of_two_labels_is_none_of_either() -> None:
    labels = ("it", "IT", "us ")
    seen = ["it", "IT", "It", "us", "us ", " us"]
    assert label_spelling.spellings(seen, labels, fold=True) == {"us": "us ", " us": "us "}


def test_blanks_are_taken_off_and_case_is_told_without_the_setting(tmp_path: Path) -> None:
    home, spec = Home(tmp_path / "home"), pipeline(fold_labels=False)
    odd = [*rows(3, 80, label="positive "), *rows(2, 90, label="Positive")]
    data = validate(spec, snapshot(spec, home, rows(80), odd), home)
    assert (data.quarantined, data.parts[1].rows) == (2, 3)
    assert [warning for warning in data.warnings if "part 2" in warning] == [
        "In part 2, labels that are written otherwise were read as those of data.labels: "
        "'positive ' as 'positive' (3).",
        "In part 2, labels that differ from one of data.labels only in blanks, case, width or a trailing .0 were set "
        "aside: 'Positive' as 'positive' (2). With data.fold_labels: true they are read as one.",
    ]


def test_a_label_that_is_named_stays_as_it_is(tmp_path: Path) -> None:
    # As an older `init` named them: what a promoted model answers is not changed.
    home, spec = Home(tmp_path / "home"), pipeline(labels=["negative", "positive", "Positive"], fold_labels=True)
    odd = [row | {"label": "Positive"} for row in rows(40, 80)]
    data = validate(spec, snapshot(spec, home, [*rows(80), *odd]), home)
    assert (data.quarantined, data.warnings) == (0, ())
    assert sum(labels["Positive"] for labels in data.label_rows.values()) == 40


def test_too_many_of_another_case_stop_the_run_and_the_setting_is_named(tmp_path: Path) -> None:
    home, spec = Home(tmp_path / "home"), pipeline(max_quarantined=0.05)
    with pytest.raises(ValidationError, match=r"'Positive' 40 ×.*data\.fold_labels: true reads those as one"):
        validate(spec, snapshot(spec, home, rows(80), rows(40, 80, label="Positive")), home)

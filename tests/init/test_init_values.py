"""What is one thing to a person is one thing to init: spellings of labels, numbers, times."""

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from init_files import rows, sentence, write

from perennial.core.errors import SourceError, SpecError
from perennial.init import plan
from perennial.init.template import render_pipeline
from perennial.pipeline_file import loader
from perennial.settings.pipeline import PipelineSpec


def written(guess: Any, folder: Path) -> PipelineSpec:
    """The pipeline that init writes for `guess`, as a run reads it."""
    folder.mkdir(exist_ok=True)
    (folder / loader.FILE).write_text(render_pipeline(guess, folder), encoding="utf-8")
    return loader.read_pipeline(folder / loader.FILE)


def test_variants_of_labels_are_one_label_and_told(tmp_path: Path) -> None:
    chooser = random.Random(1)  # noqa: S311

    def variant(number: int) -> str:
        label = ("bad", "good", "plain")[number % 3]
        return chooser.choices([label, label.capitalize(), f"{label} ", label.upper()], [80, 10, 7, 3])[0]

    data = [row | {"label": variant(number)} for number, row in enumerate(rows(600))]
    guess = plan("news", write(tmp_path / "d.csv", data))
    assert guess.labels == {"bad": 200, "good": 200, "plain": 200}
    assert guess.min_rows_per_label == 2
    [warning] = guess.warnings
    count = sum(row["label"] == "Good" for row in data)
    assert f"'Good' ({count})" in warning
    assert "'good' (1" in warning
    spec = written(guess, tmp_path / "p")
    assert (spec.data.labels, spec.data.fold_labels) == (("bad", "good", "plain"), True)


@pytest.mark.parametrize(
    ("spelled", "labels"),
    [
        (["1", "1.0", "2", "2", "2.0"], ["1", "2"]),
        (["TRUE", "true", "true", "FALSE", "false", "false"], ["false", "true"]),
        (["a\u00a0b", "a b", "a  b", "c"], ["a b", "c"]),
        # Nothing else is left to tell apart.
        (["a", "A"], ["A", "a"]),
    ],
)
def test_labels_as_numbers_booleans_and_with_blanks(tmp_path: Path, spelled: list[str], labels: list[str]) -> None:
    guess = plan("news", write(tmp_path / "d.csv", rows(300, labels=spelled)))
    assert list(guess.labels) == labels
    assert guess.fold_labels == (labels != ["A", "a"])
    assert sum(guess.labels.values()) == 300


def test_spellings_of_a_label_are_not_counted_as_labels(tmp_path: Path) -> None:
    data = [{"text": f"{sentence(n)} {n}", "label": ["good", "bad", "Good", " bad"][n % 4]} for n in range(120)]
    guess = plan("shape", write(tmp_path / "d.csv", data))
    assert guess.kind_reason == "each text has one of 2 labels, in 4 spellings"


def test_lists_and_spans_have_one_label_for_each_spelling(tmp_path: Path) -> None:
    lists = [{"text": sentence(n), "tags": ["Good" if n % 5 else "good", "bad"][: 1 + n % 2]} for n in range(200)]
    assert list(plan("news", write(tmp_path / "l.jsonl", lists), kind="multi-label").labels) == ["bad", "Good"]
    spans = [
        {"text": sentence(n), "spans": [{"start": 0, "end": 4, "label": "PER" if n % 5 else "per"}]} for n in range(200)
    ]
    assert list(plan("news", write(tmp_path / "s.jsonl", spans)).labels) == ["PER"]


def test_numbers_that_stand_for_none_are_told(tmp_path: Path) -> None:
    chooser = random.Random(3)  # noqa: S311
    data = [
        {"text": sentence(n), "price": 9999999 if n % 160 == 5 else round(chooser.uniform(11, 330), 2)}
        for n in range(800)
    ]
    guess = plan("news", write(tmp_path / "d.csv", data))
    assert any(
        "5 of 800 numbers are more than 9900000 from the rest" in warning and "5 of them 9999999" in warning
        for warning in guess.warnings
    )
    assert "value_set: [9999999], severity: warning}" in render_pipeline(guess, tmp_path / "p" / "t")


def priced(*prices: Any) -> list[dict[str, Any]]:
    return [{"text": sentence(n), "price": prices[n % len(prices)]} for n in range(120)]


@pytest.mark.parametrize(
    ("prices", "forms", "ends"),
    [
        (["0,83", "-0,7", "0,05"], {"decimal": ","}, (-0.7, 0.83)),
        (["12,50 €", "1.234,00 €"], {"decimal": ",", "unit": "€"}, (12.5, 1234.0)),
        (["$1,234.50", "$2"], {"decimal": ".", "unit": "$"}, (2.0, 1234.5)),
        (["0.83", "-0.7"], {}, (-0.7, 0.83)),
    ],
)
def test_numbers_as_people_write_them(tmp_path: Path, prices: list[str], forms: dict[str, str], ends: Any) -> None:
    guess = plan("news", write(tmp_path / "d.csv", priced(*prices), ";"), label="price", kind="regression")
    assert (guess.forms, guess.numbers) == (forms, ends)
    columns = written(guess, tmp_path / "p").data.columns
    assert {name: getattr(columns, name) for name in ("decimal", "unit") if getattr(columns, name)} == forms


def test_a_decimal_comma_is_a_number_and_no_two_labels(tmp_path: Path) -> None:
    data = [{"text": sentence(n), "Bewertung": f"{n % 90 / 100:.2f}".replace(".", ",")} for n in range(300)]
    assert plan("news", write(tmp_path / "d.csv", data, ";"), label="Bewertung").kind == "regression"
    lists = [{"text": sentence(n), "topics": ["1,3", "2", "1,2"][n % 3]} for n in range(300)]
    assert plan("news", write(tmp_path / "l.csv", lists, ";")).kind == "multi-label"


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        (
            ["1,234", "5,678"],
            r"'price' of .* may be read in two ways, such as '1,234'.*--decimal '.' \(1,234 is 1234\)",
        ),
        (["0.83", "0,83"], r"written in two ways: 60 of 120 such as '0.83', 60 such as '0,83'"),
        (["high", "low"], r"has 0 rows .*'price', 120 of 120 cells are no numbers, such as 'high'. Mend them, or name"),
    ],
)
def test_numbers_that_can_not_be_told_are_named(tmp_path: Path, prices: list[str], says: str) -> None:
    path = write(tmp_path / "d.csv", priced(*prices), ";")
    with pytest.raises(SourceError, match=says):
        plan("news", path, label="price", kind="regression")
    if "1,234" in prices:
        given = plan("news", path, label="price", kind="regression", decimal=",")
        assert (given.forms, given.numbers) == ({"decimal": ","}, (1.234, 5.678))


START = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spell", "form"),
    [
        (lambda time: int(time.timestamp() * 1000), "epoch_ms"),
        (lambda time: int(time.timestamp() * 1000_000), "epoch_us"),
        (lambda time: int(time.timestamp() * 1000_000_000), "epoch_ns"),
        (lambda time: int(time.timestamp()), None),
        (lambda time: time.strftime("%d/%m/%Y %H:%M"), "day_first"),
        (lambda time: time.strftime("%m/%d/%Y %I:%M %p"), "month_first"),
        (lambda time: time.strftime("%d.%m.%Y"), "day_first"),
        (lambda time: time.strftime("%a %b %d %H:%M:%S +0000 %Y"), None),
        (lambda time: time.strftime("%Y-%m-%d %H:%M Europe/Berlin"), None),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_times_are_recognised_and_their_form_is_written(
    tmp_path: Path, spell: Any, form: str | None, ending: str
) -> None:
    data = rows(120, created_at=lambda n: spell(START + timedelta(hours=9 * n)))
    guess = plan("news", write(tmp_path / f"d.{ending}", data))
    assert (guess.time.column, guess.forms.get("time_format")) == ("created_at", form)
    assert written(guess, tmp_path / "p").data.columns.time_format == form


@pytest.mark.parametrize(
    ("spell", "says"),
    [
        (lambda n: f"{n % 12 + 1:02}/{n * 5 % 12 + 1:02}/2025", "no cell tells, such as '.*--time-format day_first"),
        (lambda n: f"{n % 28 + 1:02}/01/2025" if n % 2 else f"01/{n % 28 + 1:02}/2025", "write all alike"),
        (lambda n: f"2025-01-{n % 28 + 1:02} 10:00 IST", "'IST' names more than one zone: write the offset instead"),
        (lambda n: f"{45658 + n / 3:.3f}", "days since 1900, as spreadsheets count them"),
    ],
)
def test_times_that_are_not_read_are_told_with_the_way_to(tmp_path: Path, spell: Any, says: str) -> None:
    path = write(tmp_path / "d.csv", rows(240, created_at=spell))
    guess = plan("news", path)
    assert guess.time.column is None
    assert re.search(f"'created_at' looks like a time, but .*{says}", guess.time.reason)
    with pytest.raises(SourceError, match=f"(?s)'created_at'.*{says}"):
        plan("news", path, time="created_at")


def test_a_column_named_like_a_time_that_is_none_is_named(tmp_path: Path) -> None:
    guess = plan("news", write(tmp_path / "d.csv", rows(120, created_at=lambda n: f"2025\u5e74{n % 12 + 1}\u6708")))
    assert guess.time.column is None
    assert guess.time.reason == "'created_at' is named like a time, but not all of it can be read as one (docs/data.md)"


def test_the_whole_file_tells_the_day_from_the_month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perennial.init.guess.SAMPLED_ROWS", 100)
    # A batch of 10,000 is the least that is looked at.
    data = rows(10_100, created_at=lambda n: "31/12/2024" if n == 10_050 else f"0{n % 9 + 1}/0{n % 7 + 1}/2024")
    guess = plan("news", write(tmp_path / "d.csv", data))
    assert (guess.time.column, guess.forms) == ("created_at", {"time_format": "day_first"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"time_format": "dmy"}, "'dmy' is no form of times. There are: epoch_s"),
        ({"time_format": "day_first"}, "there is no time. Add --time"),
        ({"decimal": ";"}, "no decimal mark"),
        ({"decimal": ","}, "--decimal is for numbers"),
    ],
)
def test_forms_that_do_not_fit_are_refused(tmp_path: Path, options: dict[str, str], says: str) -> None:
    with pytest.raises(SpecError, match=says):
        plan("news", write(tmp_path / "d.csv", rows()), **options)

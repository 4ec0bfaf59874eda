import json
import re
from pathlib import Path
from typing import Any

import pytest
from init_files import Row, rows, sentence, write

from perennial.core.errors import PerennialError, SourceError, SpecError
from perennial.init import plan


def day(number: int) -> str:
    return f"2026-01-{number % 28 + 1:02d}T09:30:00Z"


def renamed(source: list[Row], **names: str) -> list[Row]:
    return [{names.get(name, name): value for name, value in row.items()} for row in source]


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.parquet", "d.csv.gz", "d.jsonl.gz"])
def test_every_format_gives_the_same_guess(tmp_path: Path, name: str) -> None:
    data = rows(published_at=day, sector=lambda n: ("banks", "energy")[n % 2], doc_id=lambda n: f"d{n}")
    guess = plan("news", write(tmp_path / name, data))
    roles = (guess.text.column, guess.label.column, guess.time.column, guess.id.column)
    assert roles == ("text", "label", "published_at", "doc_id")
    assert [choice.column for choice in guess.slices] == ["sector"]
    assert (guess.rows, guess.labels) == (200, {"bad": 67, "good": 67, "plain": 66})
    assert sum(sum(labels.values()) for labels in guess.label_rows.values()) == 200
    assert json.loads(json.dumps(guess.as_json()))["label"]["reason"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"description": lambda n: sentence(n + 500, 40)}, {"text": "text"}),
        ({"agreement": lambda n: (50, 66, 75)[n % 3]}, {"label": "label"}),
        ({"price": lambda n: n / 7, "url": lambda n: f"https://example.org/{n}"}, {"text": "text", "label": "label"}),
        ({"created": lambda n: 1_700_000_000 + n}, {"time": "created"}),
        ({"amount": lambda n: 1_700_000_000 + n}, {"time": None}),
        ({"date": lambda n: day(n) if n else None}, {"time": None}),
        ({"user_id": lambda n: n % 5}, {"id": None}),
        ({"id": lambda n: n}, {"id": "id"}),
    ],
)
def test_roles(tmp_path: Path, columns: dict[str, Any], expected: dict[str, str | None]) -> None:
    guess = plan("news", write(tmp_path / "d.jsonl", rows(**columns)))
    assert {role: getattr(guess, role).column for role in expected} == expected


@pytest.mark.parametrize(
    ("names", "text", "label"),
    [
        ({"text": "headline", "label": "sentiment"}, "headline", "sentiment"),
        ({"text": "a", "label": "b"}, "a", "b"),
        ({"text": "Review Text", "label": "Category"}, "Review Text", "Category"),
    ],
)
def test_names_of_columns_may_be_anything(tmp_path: Path, names: dict[str, str], text: str, label: str) -> None:
    guess = plan("news", write(tmp_path / "d.csv", renamed(rows(), **names)))
    assert (guess.text.column, guess.label.column) == (text, label)


def test_scripts_without_spaces_are_text(tmp_path: Path) -> None:
    data = [{"content": f"公司利润增长{n}", "label": "ab"[n % 2]} for n in range(100)]
    assert plan("news", write(tmp_path / "d.jsonl", data)).text.column == "content"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((10, 9, 1), ["1", "9", "10"]),
        (("b", "C", "a"), ["a", "b", "C"]),
        ((True, False), ["false", "true"]),
        (("-1", "0", "1"), ["-1", "0", "1"]),
    ],
)
def test_labels_are_ordered(tmp_path: Path, labels: tuple[Any, ...], expected: list[str]) -> None:
    guess = plan("news", write(tmp_path / "d.jsonl", rows(labels=labels)))
    assert list(guess.labels) == expected


@pytest.mark.parametrize("delimiter", [";", "|", "\t", ","])
def test_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    data = [{**row, "text": f"first, second; and {row['text']}"} for row in rows()]
    guess = plan("news", write(tmp_path / "d.csv", data, delimiter))
    assert guess.delimiter == (None if delimiter == "," else delimiter)
    assert guess.text.column == "text"


def test_options_win_and_say_so(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", rows(topic=lambda n: "xy"[n % 2], date=day, body=lambda n: sentence(n + 900)))
    guess = plan("news", path, text="body", label="topic", time="", slices=["label"])
    assert (guess.text.column, guess.label.column, guess.time.column) == ("body", "topic", None)
    assert [choice.column for choice in guess.slices] == ["label"]
    assert "text" in guess.text.alternatives
    assert plan("news", path, slices=[""]).slices == ()


@pytest.mark.parametrize(
    ("labels", "metric", "floor"),
    [
        (("a", "b"), "accuracy", 0.6),
        (("a", "a", "a", "b"), "accuracy", 0.8),
        (tuple("abcdefghij"), "accuracy", 0.28),
        (("a",) * 19 + ("b",), "macro_f1", 0.58),
    ],
)
def test_floor_lies_between_chance_and_what_models_reach(
    tmp_path: Path, labels: tuple[str, ...], metric: str, floor: float
) -> None:
    guess = plan("news", write(tmp_path / "d.jsonl", rows(2000, labels)))
    assert (guess.floor_metric, guess.floor) == (metric, pytest.approx(floor, abs=0.011))
    assert guess.majority < guess.floor or metric != "accuracy"


@pytest.mark.parametrize(("words", "length"), [(5, 128), (60, 128), (120, 256), (250, 512), (2000, 512)])
def test_max_length_fits_the_texts(tmp_path: Path, words: int, length: int) -> None:
    data = [{**row, "text": sentence(n, words)} for n, row in enumerate(rows(60))]
    assert plan("news", write(tmp_path / "d.jsonl", data)).max_length == length


def test_rare_label_lowers_the_minimum_and_is_named(tmp_path: Path) -> None:
    data = [*rows(300), {"text": "a single odd one out", "label": "odd"}]
    guess = plan("news", write(tmp_path / "d.csv", data))
    assert guess.min_rows_per_label == 0
    assert sum("'odd'" in warning for warning in guess.warnings) == 2


def test_contradicting_labels_and_blank_cells_are_told(tmp_path: Path) -> None:
    data = rows(200)
    data += [{**row, "label": "other"} for row in data[:20]] + [{"text": "", "label": "good"}] * 3
    guess = plan("news", write(tmp_path / "d.csv", data))
    warnings = " ".join(guess.warnings)
    assert re.search(r"17\.9% of the rows have a text that another row labels otherwise|18\.\d%", warnings)
    assert "3 rows have no text" in warnings
    assert "data.contradictions" in warnings
    # All rows with that label are contradicted, so none is left of it.
    assert guess.label_rows["train"]["other"] == 0


def test_sound_in_the_sample_but_not_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perennial.ingest.sources.json_files import jsonl

    monkeypatch.setattr(jsonl, "BATCH_ROWS", 50)
    monkeypatch.setattr("perennial.init.guess.SAMPLED_ROWS", 100)
    data = rows(200, date=day, id=lambda n: n) + rows(5, date="soon", id=7)
    guess = plan("news", write(tmp_path / "d.jsonl", data))
    assert (guess.time.column, guess.id.column) == (None, None)
    assert "5 of 205 rows have no time in 'date'" in guess.time.reason
    assert "2.4% of the rows repeat" in guess.id.reason
    assert guess.rows == 205


def test_contradictions_are_estimated_when_there_are_more_texts_than_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from perennial.init import file_census

    monkeypatch.setattr(file_census, "SAMPLED_TEXTS", 300)
    data = rows(2000)
    data += [{**row, "label": "other"} for row in data[:400]]
    guess = plan("news", write(tmp_path / "d.jsonl", data))
    share = next(float(match[1]) for warning in guess.warnings if (match := re.match(r"([\d.]+)% of the", warning)))
    assert share == pytest.approx(100 * 800 / 2400, abs=10)


@pytest.mark.parametrize(
    ("data", "options", "error", "says"),
    [
        (rows(), {"label": "lable"}, SpecError, r"no column 'lable' for the label.*Did you mean 'label'\?"),
        (rows(), {"text": "nothing"}, SpecError, r"no column 'nothing' for the text.*columns are: text \(200"),
        (rows(), {"text": "text", "label": "text"}, SpecError, "both the text and the label"),
        (rows(), {"slices": ["sector"]}, SpecError, "no column 'sector' for the slice"),
        (rows(labels=["a"]), {}, SourceError, "holds one value only, 'a'"),
        (rows(10), {}, SourceError, r"has 10 rows with a text and a label; at least 50 .*data\.min_rows"),
        ([{"text": sentence(n)} for n in range(60)], {}, SpecError, r"No column looks like a label.*--label COLUMN"),
        ([{"n": n, "label": "ab"[n % 2]} for n in range(60)], {}, SpecError, r"No column reads like text.*--text COL"),
        (rows(1200, word=lambda n: f"w{n}"), {"label": "word"}, SourceError, r"more than 1,000 different.*'label'"),
        (rows(date=lambda n: "soon"), {"time": "date"}, SourceError, r"200 of 200 rows have no time.*ISO 8601"),
        (rows(nr=lambda n: n % 3), {"id": "nr"}, SourceError, "'nr' is no id of each row.*--id ''"),
    ],
)
def test_what_can_not_be_is_said(
    tmp_path: Path, data: list[Row], options: dict[str, Any], error: type[PerennialError], says: str
) -> None:
    with pytest.raises(error, match=says):
        plan("news", write(tmp_path / "d.jsonl", data), **options)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("d.csv", b"", "d.csv is empty"),
        ("d.jsonl", b"\n\n", "d.jsonl holds no rows"),
        ("d.csv", b"text,label\ncaf\xe9 and more,a\n", r"line 2: byte 4 is 0xE9, which is not UTF-8.*iconv"),
        ("d.csv", b"text,label\na b,x\nc d,x,y\n", "line 3 has 3 cells; the header has 2"),
        ("d.jsonl", b'{"text": "a b"}\n{"text"\n', "line 2 is not JSON"),
        ("d.doc", b"PK", "ending.*Rename the file"),
        ("d.xlsx", b"PK", r"d.xlsx is a spreadsheet.*read_excel\('d.xlsx'\).to_csv\('d.csv'"),
    ],
)
def test_files_that_can_not_be_read(tmp_path: Path, file: str, content: bytes, says: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(SourceError, match=says):
        plan("news", tmp_path / file)


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "headlines.csv", rows(60))
    with pytest.raises(SourceError, match=r"There is no file 'headline\.csv'.*headlines\.csv"):
        plan("news", tmp_path / "headline.csv")


@pytest.mark.parametrize(("name", "offer"), [("My News", "'my-news'"), ("", "'sentiment'"), ("../x", "'x'")])
def test_name_must_be_one(tmp_path: Path, name: str, offer: str) -> None:
    with pytest.raises(SpecError, match="can't be a pipeline's name") as caught:
        plan(name, write(tmp_path / "d.csv", rows(60)))
    assert offer in caught.value.remedy


def test_messages_hold_no_texts(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("secret words nobody may read again and again,x\nanother line of words,y\n", encoding="utf-8")
    with pytest.raises(PerennialError) as caught:
        plan("news", path)
    assert "again and again" not in str(caught.value)
    assert "another line" not in str(caught.value)

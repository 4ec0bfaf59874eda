import gzip
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from notes import Notes

from perennial.core.errors import SourceError
from perennial.core.progress import heard_by
from perennial.ingest.unlabelled import answered, rows_of

Row = dict[str, Any]


def read(path: Path | None, **options: Any) -> tuple[list[Row], list[str]]:
    chunks = list(rows_of(path, **options))
    return [row for chunk in chunks for row in chunk.rows], [text for chunk in chunks for text in chunk.columns["text"]]


def piped(content: str | bytes, **options: Any) -> tuple[list[Row], list[str]]:
    return read(None, stdin=io.BytesIO(content.encode() if isinstance(content, str) else content), **options)


@pytest.mark.parametrize(
    ("name", "content", "rows"),
    [
        ("d.csv", "text,n\na b,1\n,2\n", [{"text": "a b", "n": "1"}, {"text": "", "n": "2"}]),
        ("d.tsv", "text\tn\na b\t1\n", [{"text": "a b", "n": "1"}]),
        ("d.jsonl", '{"text": "a b", "n": 1.5, "x": [1]}\n', [{"text": "a b", "n": 1.5, "x": [1]}]),
        ("d.jsonl", '{"text": "a"}\n\n{"text": "b", "n": 1}\n', [{"text": "a", "n": None}, {"text": "b", "n": 1}]),
        ("d.txt", "a b\n\n c d \r\n", [{"text": "a b"}, {"text": ""}, {"text": "c d"}]),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_files_keep_all_their_columns(tmp_path: Path, name: str, content: str, rows: list[Row], zipped: bool) -> None:
    path = tmp_path / (name + ".gz" * zipped)
    path.write_bytes(gzip.compress(content.encode()) if zipped else content.encode())
    assert read(path) == (rows, [row["text"] for row in rows])


def test_parquet_keeps_types(tmp_path: Path) -> None:
    rows = [{"text": "a b", "at": datetime(2026, 1, 1, tzinfo=UTC), "n": 2, "x": None, "d": Decimal("1.50")}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet") == (rows, ["a b"])


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('{"text": "a b", "n": 1}\n{"text": "c"}\n', ["a b", "c"]),
        ('\n\ufeff{"text": "a b"}\n'[1:], ["a b"]),
        ("first text\nsecond text", ["first text", "second text"]),
        ('\n\n  {"text": "a"}', ["a"]),
        ("{no object} but text\n", ["{no object} but text"]),
        ("[1, 2]\n", ["[1, 2]"]),
        ("", []),
        ("\n \n", ["", ""]),
    ],
)
def test_standard_input_is_json_lines_or_plain_lines(content: str, texts: list[str]) -> None:
    assert piped(content)[1] == texts


def test_chunks_are_bounded_and_lazy(tmp_path: Path) -> None:
    def lines() -> Iterator[str]:
        yield from (json.dumps({"text": f"row {n}"}) + "\n" for n in range(12_345))

    path = tmp_path / "d.jsonl"
    path.write_text("".join(lines()), encoding="utf-8")
    sizes = [len(chunk.rows) for chunk in rows_of(path)]
    assert max(sizes) == 1_000
    assert sum(sizes) == 12_345
    with path.open("a", encoding="utf-8") as file:
        file.write("broken\n")
    chunks = rows_of(path)
    assert next(chunks).columns["text"][0] == "row 0"
    with pytest.raises(SourceError, match=r"line 12,346 is not JSON"):
        list(chunks)


@pytest.mark.parametrize(
    ("header", "options", "column"),
    [
        ("text,body", {}, "text"),
        ("text,body", {"column": "body"}, "body"),
        ("text,body", {"preferred": {"text": "body"}}, "body"),
        ("text,body", {"preferred": {"text": "headline"}}, "text"),
        ("title,n", {}, "title"),
        ("title,n", {"delimiter": ","}, "title"),
    ],
)
def test_the_text_column(tmp_path: Path, header: str, options: Row, column: str) -> None:
    names = header.split(",")
    cells = ["7" if name == "n" else f"words of {name}" for name in names]
    (tmp_path / "d.csv").write_text(f"{header}\n{','.join(cells)}\n", encoding="utf-8")
    assert read(tmp_path / "d.csv", **options)[1] == [f"words of {column}"]


@pytest.mark.parametrize(
    ("name", "content", "options", "says"),
    [
        ("d.csv", "a,b\nx y,z w\n", {}, r"more than one column reads like text: 'a', 'b'.*are: a, b.*--column"),
        ("d.csv", "a,b\n1,2\n", {}, r"no column reads like text.*columns are: a, b"),
        ("d.csv", "text,b\nx y,z w\n", {"column": "txt"}, r"no column 'txt'.*nearest to 'txt' is 'text'.*--column"),
        ("d.csv", "text,b\nx y\n", {}, r"line 2 has 1 cells; the header has 2"),
        ("d.csv", "", {}, "d.csv is empty"),
        ("d.txt", b"caf\xe9\n", {}, r"line 1: byte 4 is 0xE9, which is not UTF-8"),
        ("d.jsonl", '{"text": ["a"]}\n', {}, r"line 1: column 'text' holds a list; text was expected"),
        ("d.jsonl", '{"text": "\\ud800"}\n', {}, r"line 1: column 'text' holds half a surrogate pair"),
        (
            "d.jsonl",
            '{"tokens": ["a", "\\ud800"]}\n',
            {"read": (("tokens",),)},
            r"line 1: column 'tokens' holds half a surrogate pair",
        ),
        ("d.pdf", "x", {}, r"ending.*\.txt.*pipe it in"),
    ],
)
def test_what_can_not_be_read_is_said(tmp_path: Path, name: str, content: str | bytes, options: Row, says: str) -> None:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SourceError, match=says):
        read(tmp_path / name, **options)


def test_a_missing_file_and_no_input_at_all(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("x\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"no file 'text\.txt'.*texts\.txt"):
        read(tmp_path / "text.txt")
    with pytest.raises(SourceError, match="nothing to read"):
        read(None)


def test_broken_standard_input_names_the_line() -> None:
    with pytest.raises(SourceError, match="standard input, line 2 is not JSON"):
        piped('{"text": "a"}\nplain\n')
    with pytest.raises(SourceError, match="standard input, line 2: byte 1 is a NUL byte"):
        piped(b"a\n\0b\n")


def test_rows_without_text_are_counted(tmp_path: Path) -> None:
    notes = Notes()
    with heard_by(notes):
        assert piped('{"text": null}\n{"text": "a"}\n{"other": 1}\n')[1] == ["", "a", ""]
        piped("")
    assert "2 rows have no text" in notes.messages[0]
    assert "holds no rows" in notes.messages[1]


def test_numbers_as_texts_are_texts() -> None:
    assert piped('{"text": 12}\n{"text": true}\n')[1] == ["12", "true"]


def test_answers_stand_beside_the_rows() -> None:
    prediction = {"label": "good", "score": 0.9, "scores": {"good": 0.9, "bad": 0.1}}
    row = {"label": "bad", "text": "a", "score": 1, "given_score": 2}
    answer = next(answered([row], [prediction]))
    assert answer == {"given_label": "bad", "text": "a", "given_given_score": 1, "given_score": 2, **prediction}
    assert list(answer)[-3:] == ["label", "score", "scores"]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (datetime(2026, 1, 1, 9, tzinfo=UTC), "2026-01-01T09:00:00+00:00"),
        (date(2026, 1, 1), "2026-01-01"),
        (math.nan, None),
        (math.inf, None),
        (Decimal("1.50"), 1.5),
        (Decimal("7"), 7),
        (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
        (Decimal("NaN"), None),
        (b"abc", "abc"),
        ([math.nan, {"at": date(2026, 1, 1)}], [None, {"at": "2026-01-01"}]),
        (None, None),
        (True, True),
    ],
)
def test_values_are_made_ready_for_json(value: object, plain: object) -> None:
    answer = next(answered([{"x": value}], [{"label": "good"}]))
    assert json.loads(json.dumps(answer, allow_nan=False)) == {"x": plain, "label": "good"}


def test_as_many_answers_as_rows() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(answered([{"text": "a"}, {"text": "b"}], [{"label": "good"}]))

"""Files as real programs write them: read as the rows they mean."""

import bz2
import csv
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from notes import Notes

from perennial.core.errors import SourceError
from perennial.core.progress import heard_by
from perennial.ingest.sources import dialects, file, sentences
from perennial.ingest.sources.dialects import Dialect
from perennial.ingest.sources.json_files import json_documents
from perennial.ingest.sources.sentences import Parting
from perennial.ingest.unlabelled import rows_of
from perennial.rows.batch import Batch
from perennial.settings.data import DataSpec

ROWS = [{"text": "profit up, again", "label": "good"}, {"text": "profit down", "label": "bad"}]
CSV = 'text,label\n"profit up, again",good\nprofit down,bad\n'
COLUMNS = ("text", "label")


def read(path: Path, columns: tuple[str, ...] | None = COLUMNS, dialect: Dialect | None = None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for batch in file.read(path, columns, dialect):
        rows += [dict(zip(batch.columns, cells, strict=True)) for cells in zip(*batch.columns.values(), strict=True)]
    return rows


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def zipped(members: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def zstandard(content: str) -> bytes:
    packed = pa.BufferOutputStream()
    with pa.CompressedOutputStream(packed, "zstd") as out:
        out.write(content.encode())
    return bytes(packed.getvalue())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv.bz2", bz2.compress(CSV.encode())),
        ("d.csv.xz", lzma.compress(CSV.encode())),
        ("d.csv.zst", zstandard(CSV)),
        ("d.csv.zip", zipped({"anything.csv": CSV})),
        ("d.zip", zipped({"d.csv": CSV, "__MACOSX/d.csv": ""})),
        ("d.json", json.dumps(ROWS)),
        ("d.json", json.dumps(ROWS, indent=2)),
        ("d.jsonl", json.dumps(ROWS)),
        ("d.json", json.dumps({"data": ROWS}, indent=1)),
        ("d.json", json.dumps({"version": 2, "rows": ROWS, "more": [1]})),
        ("d.json", "\n".join(json.dumps(row, indent=2) for row in ROWS)),
        ("d.json", json.dumps({name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in COLUMNS})),
        ("d.json", json.dumps({name: [row[name] for row in ROWS] for name in COLUMNS})),
        ("d.json", json.dumps({str(n): row for n, row in enumerate(ROWS)})),
        ("d.json", json.dumps({"columns": COLUMNS, "index": [0, 1], "data": [list(row.values()) for row in ROWS]})),
        ("d.csv", "sep=,\n" + CSV),
        ("d.csv", '"sep=;"\r\ntext;label\r\n"profit up, again";good\r\nprofit down;bad\r\n'),
        ("d.csv", "sep=\t\ntext\tlabel\nprofit up, again\tgood\nprofit down\tbad\n"),
        ("d.csv", "text;label\n" + "profit up, again;good\nprofit down;bad\n"),
    ],
)
@pytest.mark.parametrize("columns", [COLUMNS, None])
def test_every_way_of_writing_gives_the_same_rows(
    tmp_path: Path, name: str, content: str | bytes, columns: tuple[str, ...] | None
) -> None:
    assert read(written(tmp_path / name, content), columns) == ROWS


@pytest.mark.parametrize("rows", [3_000])
def test_long_documents_are_read_by_their_beginning(tmp_path: Path, rows: int) -> None:
    many = [{"text": f"a text of some length, number {n}, " * 5, "label": "ab"[n % 2]} for n in range(rows)]
    wrapped = {"meta": {"made": "today"}, "data": many, "after": 1}
    cells = {"columns": list(COLUMNS), "data": [list(row.values()) for row in many]}
    columns = {name: {str(n): row[name] for n, row in enumerate(many)} for name in COLUMNS}
    for content in (wrapped, cells, columns, many):
        assert read(written(tmp_path / "d.json", json.dumps(content))) == many
    assert read(written(tmp_path / "d.json", "\n".join(json.dumps(row) for row in many))) == many


@pytest.mark.parametrize(
    "row",
    [
        {"text": "Ann left", "spans": [{"start": 0, "end": 3, "label": "PER"}]},
        {"tokens": ["Ann", "left"], "tags": ["B-PER", "O"]},
        {"text": "a" * 300_000, "spans": []},
    ],
)
def test_one_row_with_lists_is_a_row(tmp_path: Path, row: dict[str, Any]) -> None:
    assert read(written(tmp_path / "d.json", json.dumps(row, indent=1)), tuple(row)) == [row]
    assert read(written(tmp_path / "d.jsonl", json.dumps(row)), None) == [row]


def test_json_of_no_rows_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"d.json has no column 'text', 'label'"):
        read(written(tmp_path / "d.json", json.dumps({"a": [1], "b": {"c": 2}})))
    with pytest.raises(SourceError, match=r"no JSON that can be read behind item [\d,]+ on"):
        read(written(tmp_path / "d.json", json.dumps({"data": ROWS * 3_000}).encode()[:200_000]))


def test_wrapped_rows_take_bounded_memory() -> None:
    """The array's rows are given before its end is read."""
    start = b'{"data": [' + b",".join(json.dumps(row).encode() for row in ROWS * 4_000)

    class Endless(io.RawIOBase):
        reads = 0

        def read(self, size: int = -1) -> bytes:
            self.reads += 1
            assert self.reads < 4, "more was read than the first rows need"
            return start + b","

    assert next(json_documents.read(Endless(), "d.json", COLUMNS)).columns["label"][:2] == ["good", "bad"]  # type: ignore[arg-type]


def test_dotted_names_lead_into_objects(tmp_path: Path, pipeline: Any) -> None:
    rows = [
        {"id": n, "review": {"body": row["text"], "meta": {"lang": "en"}}, "mark": {"label": row["label"]}}
        for n, row in enumerate(ROWS)
    ]
    for name in ("d.jsonl", "d.json", "d.parquet"):
        made = pipeline(name, text="review.body", label="mark.label", id="id", slices=["review.meta.lang"])
        if name == "d.parquet":
            pq.write_table(pa.Table.from_pylist(rows), tmp_path / name)
        else:
            made.write(name, "\n".join(map(json.dumps, rows)) if name == "d.jsonl" else json.dumps({"data": rows}))
        read_rows = [(row["text"], row["label"], row["row_id"], row["review.meta.lang"]) for row in made.rows()]
        assert read_rows == [("profit up, again", "good", "0", "en"), ("profit down", "bad", "1", "en")]


def test_a_dotted_name_that_is_not_there_is_told_with_the_nearest(pipeline: Any) -> None:
    made = pipeline("d.jsonl", text="review.text", label="label")
    made.write("d.jsonl", '{"review": {"texts": "a b"}, "label": "good"}\n')
    with pytest.raises(SourceError, match=r"no column 'review.text'.*nearest to 'review.text' is 'review.texts'"):
        made.ingest()


def test_a_key_with_a_dot_is_that_key(pipeline: Any) -> None:
    made = pipeline("d.jsonl", text="a.b", label="label")
    made.write("d.jsonl", '{"a.b": "one two", "a": {"b": "no"}, "label": "good"}\n')
    assert [row["text"] for row in made.rows()] == ["one two"]


def many(delimiter: str = ",", **how: Any) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, **how)
    writer.writerow(COLUMNS)
    writer.writerows((f"number {n}, which is here", "ab"[n % 2]) for n in range(30))
    return out.getvalue()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_run_finds_the_delimiter_where_a_comma_gives_no_columns(pipeline: Any, delimiter: str) -> None:
    made = pipeline("data.csv")
    made.write("data.csv", many(delimiter).replace("a\r\n", "good\r\n").replace("b\r\n", "bad\r\n"))
    assert {row["label"] for row in made.rows()} == {"good", "bad"}
    assert any("data.csv is read with" in note for note in made.notes)


def test_settings_say_how_a_table_is_written(pipeline: Any) -> None:
    source = {"path": "d.csv", "format": "csv", "delimiter": ";", "skip_lines": 2, "header": False, "escape": "\\"}
    made = pipeline(source=source, text="column_2", label="column_1")
    made.write("d.csv", 'Title; "of all"\n\ngood;"a \\"big\\"; thing"\nbad;\\N\n')
    assert [(row["text"], row["label"], row["line"]) for row in made.rows()] == [
        ('a "big"; thing', "good", 3),
        (None, "bad", 4),
    ]
    made = pipeline(source={"path": "d.tsv", "quoting": "none"})
    made.write("d.tsv", 'text\tlabel\n"so it\tgood\nsays "he"\tbad\n')
    assert [(row["text"], row["label"]) for row in made.rows()] == [('"so it', "good"), ('says "he"', "bad")]


TITLES = [
    ("Survey of shops, 2024\nmade by hand\n\n", 3),
    ("# made by x; y\n# on Monday, at noon\n", 2),
    ("Report,\n,\n", 2),
    ("", 0),
    ("\n\n", 0),
]


@pytest.mark.parametrize(("above", "lines"), TITLES)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_lines_above_the_header_are_counted(above: str, lines: int, delimiter: str) -> None:
    text = above.replace(",\n", f"{delimiter}\n") + many(delimiter)
    assert dialects.sniff(text.splitlines(keepends=True)) == Dialect(delimiter, skip_lines=lines)


HEADLESS = [
    (["good", "A jacket, which was here."], True),
    (["A jacket which was here.", "1"], True),
    (["text", "good"], False),
    (["0", "1"], False),
    (["label", "text"], False),
]


@pytest.mark.parametrize(("first", "headless"), HEADLESS)
def test_a_first_line_that_is_a_row_is_told_from_a_header(first: list[str], headless: bool) -> None:
    text_first = first[0] in ("text", "0") or " " in first[0]
    labels = ("1", "0") if "1" in first else ("good", "bad")
    rows = [(f"a text, with words: {n}", labels[n % 2]) for n in range(20)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([first, *(row if text_first else row[::-1] for row in rows)])
    assert dialects.sniff(out.getvalue().splitlines(keepends=True)).header is not headless


def test_one_column_with_commas_in_it_keeps_its_header() -> None:
    lines = ["text\n", *(f"number {n}, which is here\n" for n in range(30))]
    assert dialects.sniff(lines) == Dialect(",")
    assert dialects.sniff(["Survey\n", *many().splitlines(keepends=True)]) == Dialect(",", skip_lines=1)


def test_a_header_that_comes_again_stays_one() -> None:
    text = many() + many()
    assert dialects.sniff(text.splitlines(keepends=True)).header


def proven(text: str, delimiter: str = ",") -> Dialect:
    return dialects.proven(lambda: iter(text.splitlines(keepends=True)), Dialect(delimiter))


def test_quotes_are_proven_by_the_whole_file() -> None:
    assert proven(many()) == Dialect(",")
    assert proven("a,b\n" + '"x","y z"\n' * 500 + '"the \\"big\\", one","z"\n') == Dialect(",", escape="\\")
    assert proven("a\tb\n" + "x\ty\n" * 500 + '"so\ty\n' * 2, "\t") == Dialect("\t", quoted=False)
    # One broken record does not make quotes of all others characters.
    assert proven("a,b\n" + '"x","y z"\n' * 500 + '"x"y,z\n') == Dialect(",")
    assert proven('a,b\n"x\ny",z\n"q",r\n') == Dialect(",")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("d.xlsx", b"PK", r"d.xlsx is a spreadsheet.*pip install openpyxl.*read_excel\('d.xlsx'\)"),
        (
            "d.zip",
            zipped({"a.csv": CSV, "b.csv": CSV}),
            r"d.zip holds 2 files \(a.csv, b.csv\); one was expected. Unpack it",
        ),
        ("d.csv.zip", b"no zip", "no sound packed file"),
        ("d.csv.bz2", bz2.compress(CSV.encode() * 99)[:-20], "ends in the middle.*truncated"),
        ("d.csv.xz", b"no xz", "no sound packed file"),
        ("d.csv.zst", b"no zst", "can't be read"),
    ],
)
def test_packed_files_that_can_not_be_read_are_told(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        read(written(tmp_path / name, content))


TOKENS = [("1", "Ann", "B-PER"), ("1", "left", "O"), ("2", "Bo", "B-PER"), ("2", "came", "O"), ("2", "home", "O")]
SENTENCES = [(["Ann", "left"], ["B-PER", "O"]), (["Bo", "came", "home"], ["B-PER", "O", "O"])]


def batches(rows: list[tuple[Any, ...]], size: int) -> list[Batch]:
    made = []
    for start in range(0, len(rows), size):
        ids, words, tags = zip(*rows[start : start + size], strict=True)
        columns = {"id": list(ids), "word": list(words), "tag": list(tags)}
        made.append(Batch("f", "line", range(start, start + len(ids)), columns))
    return made


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (TOKENS, "id"),
        ([(row[0] if n in (0, 2) else None, *row[1:]) for n, row in enumerate(TOKENS)], "id"),
        ([*TOKENS[:2], (None, None, None), (None, None, None), *TOKENS[2:]], None),
    ],
)
def test_tokens_are_put_together_over_batches(rows: list[tuple[Any, ...]], sentence: str | None, size: int) -> None:
    together = list(sentences.put_together(batches(rows, size), Parting("word", "tag", sentence)))
    pairs = [pair for one in together for pair in zip(one.columns["word"], one.columns["tag"], strict=True)]
    assert pairs == SENTENCES
    if sentence:
        assert [value for one in together for value in one.columns["id"]] == ["1", "2"]


def test_a_sentence_without_an_end_is_told() -> None:
    rows = [("1", "a", "O")] * 10_001
    with pytest.raises(
        SourceError, match=r"sentence that begins there has more than 10,000 tokens.*'id' names no other"
    ):
        list(sentences.put_together(batches(rows, 5_000), Parting("word", "tag", "id")))


def texts_of(path: Path, **options: Any) -> list[str]:
    return [text for chunk in rows_of(path, **options) for text in chunk.columns["text"]]


def test_blank_lines_of_texts_are_answered(tmp_path: Path) -> None:
    path = written(tmp_path / "q.txt", 'I lost my card\n\nwhy was I charged "extra"\n')
    listener = Notes()
    with heard_by(listener):
        assert texts_of(path) == ["I lost my card", "", 'why was I charged "extra"']
    assert listener.messages == ["1 rows have no text; they were labelled all the same, as an empty one."]


def data(source: dict[str, Any], **columns: str) -> DataSpec:
    return DataSpec.model_validate({"source": {"type": "file", "path": "x.csv", **source}, "columns": columns})


@pytest.mark.parametrize(
    ("content", "source"),
    [
        ('text;label\n"a, b";x\nc d;y\n', {}),
        ('text;label\n"a, b";x\nc d;y\n', {"delimiter": ";"}),
        ("sep=;\ntext;label\na, b;x\nc d;y\n", {}),
        ("sep=;\ntext;label\na, b;x\nc d;y\n", {"delimiter": ";"}),
        ("A title\n\ntext;label\na, b;x\nc d;y\n", {"delimiter": ";", "skip_lines": 2}),
        ('text,label\n"a, b",x\nc d,y\n', {"delimiter": ";", "skip_lines": 2}),
    ],
)
def test_predict_reads_as_the_pipeline_does_or_as_the_file_shows(
    tmp_path: Path, content: str, source: dict[str, Any]
) -> None:
    path = written(tmp_path / "d.csv", content)
    assert texts_of(path, preferred={"text": "text"}, data=data(source)) == ["a, b", "c d"]


def test_predict_reads_a_pipelines_quotes_and_missing_header(tmp_path: Path) -> None:
    path = written(tmp_path / "d.csv", 'x,"a \\"b\\" c"\n')
    own = data({"escape": "\\", "header": False}, text="column_2")
    assert texts_of(path, preferred={"text": "column_2"}, data=own) == ['a "b" c']


def test_predict_puts_tokens_together_as_the_pipeline_does(tmp_path: Path) -> None:
    path = written(tmp_path / "d.csv", "id,word\n1,Ann\n,left\n2,Bo\n,came\n,home\n")
    own = data({}, tokens="word", sentence="id")
    chunks = list(rows_of(path, read=[("tokens",), ("text",)], preferred={"tokens": "word"}, data=own))
    assert [one for chunk in chunks for one in chunk.columns["tokens"]] == [pair[0] for pair in SENTENCES]


def test_predict_reads_inside_objects_and_gives_them_back_whole(tmp_path: Path) -> None:
    rows = [{"review": {"body": "a b"}, "n": 1}, {"review": None, "n": 2}]
    path = written(tmp_path / "d.jsonl", "\n".join(map(json.dumps, rows)))
    for options in ({"preferred": {"text": "review.body"}}, {"column": "review.body"}, {}):
        [chunk] = rows_of(path, **options)  # type: ignore[arg-type]
        assert (chunk.rows, chunk.columns["text"]) == (rows, ["a b", ""])


def test_blank_lines_of_json_are_counted_and_those_of_one_column_answered(tmp_path: Path) -> None:
    listener = Notes()
    with heard_by(listener):
        assert texts_of(written(tmp_path / "d.jsonl", '{"text": "a"}\n\n\n{"text": "b"}\n')) == ["a", "b"]
        assert texts_of(written(tmp_path / "d.csv", "text\na b\n\nc d\n")) == ["a b", "", "c d"]
        assert texts_of(written(tmp_path / "d.csv", 'text,n\n"a\n\nb",1\n\nc d,2\n')) == ["a\n\nb", "c d"]
    assert listener.messages == [
        "2 blank lines hold no row: they have no answer.",
        "1 rows have no text; they were labelled all the same, as an empty one.",
    ]


def test_settings_that_are_not_used_are_in_no_key() -> None:
    unused = data({}).model_dump(mode="json")
    assert set(unused["source"]) == {"type", "path", "format", "delimiter", "annotators", "offsets", "unlabelled"}
    assert not {"one_hot", "separator", "sentence"} & set(unused["columns"])
    used = data({"skip_lines": 1}, tokens="word", sentence="id").model_dump(mode="json")
    assert (used["source"]["skip_lines"], used["columns"]["sentence"]) == (1, "id")


@pytest.mark.parametrize(
    ("source", "columns", "says"),
    [
        ({}, {"sentence": "id"}, "sentence goes with tokens"),
        ({"blank_lines": "end_sentences"}, {}, "end_sentences goes with columns.tokens"),
        ({"blank_lines": "end_sentences"}, {"tokens": "w", "sentence": "s"}, "without columns.sentence"),
    ],
)
def test_settings_of_tokens_that_contradict_each_other_are_refused(
    source: dict[str, Any], columns: dict[str, str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        data(source, **columns)


SPLIT_ROWS = [{"text": f"a text of some words, number {number}", "label": "good"} for number in range(60)]


@pytest.mark.parametrize(
    "content",
    [
        # As long as each other, they would be columns side by side, with the texts of one and the labels of the other.
        {"train": SPLIT_ROWS, "test": SPLIT_ROWS},
        {"version": 1, "train": SPLIT_ROWS, "test": SPLIT_ROWS[:3]},
        {"test": SPLIT_ROWS[:3], "train": SPLIT_ROWS * 400},
        {"train": SPLIT_ROWS * 400, "test": SPLIT_ROWS[:3]},
    ],
)
@pytest.mark.parametrize("columns", [None, COLUMNS])
def test_several_lists_of_rows_are_told_and_not_taken_for_one(
    tmp_path: Path, content: dict[str, Any], columns: tuple[str, ...] | None
) -> None:
    path = written(tmp_path / "d.json", json.dumps(content))
    with pytest.raises(SourceError, match=r"several lists of rows, such as .*'test'.*\.test\[\]"):
        read(path, columns)


@pytest.mark.parametrize("times", [1, 400])
@pytest.mark.parametrize(
    "others", [{"licenses": [{"id": 1, "name": "CC0"}, {"id": 2, "name": "MIT"}]}, {"included": SPLIT_ROWS[:2]}]
)
def test_another_list_beside_the_rows_is_none_of_them(tmp_path: Path, times: int, others: dict[str, Any]) -> None:
    rows = SPLIT_ROWS * times
    path = written(tmp_path / "d.json", json.dumps({"data": rows, **others}))
    assert len(read(path)) == len(rows)

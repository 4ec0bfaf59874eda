import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.core.errors import SourceError
from perennial.ingest.sources.json_files import jsonl

ROWS = [("profit up", "good"), ("profit down", "bad")]
CSV = "text,label\nprofit up,good\nprofit down,bad\n"
JSONL = '{"text": "profit up", "label": "good"}\n{"text": "profit down", "label": "bad"}\n'


def parquet(path: Path, **columns: object) -> bytes:
    pq.write_table(pa.table(columns), path)
    return path.read_bytes()


def pairs(rows):
    return [(row["text"], row["label"]) for row in rows]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.csv", CSV),
        ("data.CSV", CSV),
        ("data.csv", CSV.replace("\n", "\r\n")),
        ("data.csv", "\ufeff" + CSV),
        ("data.csv", CSV.rstrip("\n")),
        ("data.csv", "\n" + CSV.replace("\n", "\n\n")),
        ("data.csv", 'label,other,"text"\ngood,1,"profit up"\nbad,2,profit down\n'),
        ("data.tsv", CSV.replace(",", "\t")),
        ("data.jsonl", JSONL),
        ("data.ndjson", "\ufeff" + JSONL.replace("\n", "\r\n")),
        ("data.json", JSONL.replace("\n", "\n\n").rstrip()),
        ("data.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("data.jsonl.gz", gzip.compress(JSONL.encode(), mtime=0)),
    ],
)
def test_every_form_gives_the_same_rows(pipeline, name: str, content: str | bytes) -> None:
    made = pipeline(name)
    made.write(name, content)
    assert pairs(made.rows()) == ROWS


@pytest.mark.parametrize("zipped", [False, True])
def test_parquet_plain_and_zipped(pipeline, tmp_path: Path, zipped: bool) -> None:
    made = pipeline("data.parquet.gz" if zipped else "data.parquet")
    content = parquet(tmp_path / "made", text=["profit up", "profit down"], label=["good", "bad"], other=[1, 2])
    made.write(made.spec.data.source.path[0], gzip.compress(content) if zipped else content)
    rows = made.rows()
    assert pairs(rows) == ROWS
    assert [row["line"] for row in rows] == [1, 2]


def test_delimiter_and_format_settings(pipeline) -> None:
    made = pipeline(source={"path": "data.txt", "format": "csv", "delimiter": ";"})
    made.write("data.txt", CSV.replace(",", ";"))
    assert pairs(made.rows()) == ROWS


def test_globs_are_sorted_and_each_file_is_read_once(pipeline) -> None:
    made = pipeline(["data/*.csv", "data/**/*.csv", "./data/b.csv"])
    for name in ("b", "a", "deep/c"):
        made.write(f"data/{name}.csv", f"text,label\ntext {name},good\n")
    rows = made.rows()
    assert [row["file"] for row in rows] == ["data/a.csv", "data/b.csv", "data/deep/c.csv"]


def test_a_name_with_brackets_is_a_name(pipeline) -> None:
    made = pipeline("data[1].csv")
    made.write("data[1].csv", CSV)
    assert pairs(made.rows()) == ROWS


def test_lines_are_those_of_the_file_where_cells_hold_line_ends(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", 'text,label\n"one\r\ntwo\nthree",good\n\nfour,bad\n')
    assert [(row["text"], row["line"]) for row in made.rows()] == [("one\r\ntwo\nthree", 2), ("four", 6)]


def test_cells_stay_as_they_are_written(pipeline) -> None:
    made = pipeline(id="id", slices=["slice"])
    labels = ["0", "1.0", "007", "NA", "null", "None", "true", " x "]
    made.write("data.csv", "text,label,id,slice\n" + "".join(f"t{n},{v},{n:03},{v}\n" for n, v in enumerate(labels)))
    rows = made.rows()
    assert [row["label"] for row in rows] == labels
    assert [row["slice"] for row in rows] == labels
    assert [row["row_id"] for row in rows] == [f"{n:03}" for n in range(len(labels))]


def test_an_empty_cell_is_null_and_the_row_is_kept(pipeline) -> None:
    made = pipeline()
    made.write("data.csv", 'text,label\n,good\na,\n"",""\n  ,unknown\n')
    assert pairs(made.rows()) == [(None, "good"), ("a", None), (None, None), ("  ", "unknown")]


def test_json_values_become_text(pipeline) -> None:
    made = pipeline("data.jsonl")
    values = ["1", "true", "1.10", "1e5", "null", '"x"', "false", "12345678901234567890", "NaN"]
    made.write("data.jsonl", "".join(f'{{"text": "t{n}", "label": {v}}}\n' for n, v in enumerate(values)))
    labels = ["1", "true", "1.10", "1e5", None, "x", "false", "12345678901234567890", None]
    assert [row["label"] for row in made.rows()] == labels


VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5)
LINES = st.one_of(
    st.dictionaries(st.sampled_from(["text", "label", "other"]), VALUES | st.lists(VALUES, max_size=2)).map(json.dumps),
    st.sampled_from(
        [
            "",
            " ",
            "[]",
            "1",
            '{"text": 1, "text": 2}',
            '{"text": -0}',
            '{"text": 1E400}',
            '{"text": "\\ud800"}',
            "{} {}",
        ]
    ),
)


@given(st.lists(LINES, max_size=4))
def test_what_is_decoded_faster_is_what_python_decodes(lines: list[str]) -> None:
    wanted = ("text", "label")
    found = jsonl._plainly(lines, wanted)
    if found is not None:
        rows, places = jsonl._decoded("file", lines, list(range(len(lines))), wanted)
        assert found[1] == {name: [row.get(name) for row in rows] for name in wanted}
        assert list(map(list, found[0])) == list(map(list, rows))
        assert places == list(range(len(lines)))


def test_a_key_that_some_json_rows_lack_is_null(pipeline) -> None:
    made = pipeline("data.jsonl")
    made.write("data.jsonl", '{"text": "a"}\n{"label": "good", "text": "b"}\n')
    assert pairs(made.rows()) == [("a", None), ("b", "good")]


def test_parquet_values_become_text(pipeline, tmp_path: Path) -> None:
    made = pipeline("*.parquet", slices=["slice"])
    dictionary = pa.array(["x", None, "y"]).dictionary_encode()
    parquet(
        tmp_path / "a.parquet", text=pa.array(["a", "b", "c"], pa.large_string()), label=[0, None, 2], slice=dictionary
    )
    parquet(tmp_path / "b.parquet", text=["d", "e", "f"], label=[True, False, None], slice=[1.0, 2.5, float("nan")])
    rows = made.rows()
    assert [row["label"] for row in rows] == ["0", None, "2", "true", "false", None]
    assert [row["slice"] for row in rows] == ["x", None, "y", "1.0", "2.5", None]


def test_ten_megabytes_in_a_cell_are_read(pipeline) -> None:
    made = pipeline(["data.csv", "data.jsonl"])
    huge = "long text, \n" * 900_000
    made.write("data.csv", f'text,label\n"{huge}",good\nshort,bad\n')
    made.write("data.jsonl", json.dumps({"text": huge, "label": "bad"}) + "\n")
    rows = made.rows()
    assert [len(row["text"]) for row in rows] == [len(huge), 5, len(huge)]
    assert len({row["text_key"] for row in rows}) == 2


def test_a_cell_across_many_blocks_keeps_its_characters(pipeline) -> None:
    made = pipeline("data.jsonl")
    texts = ["é" * (100_000 + step) for step in range(7)]
    made.write("data.jsonl", "".join(json.dumps({"text": t, "label": "x"}, ensure_ascii=False) + "\n" for t in texts))
    assert [row["text"] for row in made.rows()] == texts


BAD = [
    ("data.csv", "", ["data.csv is empty", "first line with the columns' names"]),
    ("data.jsonl", "", ["'sentiment' holds no row", "data.jsonl has nothing in it"]),
    ("data.csv", "text,label\n", ["'sentiment' holds no row", "data.csv has nothing in it, or nothing but a header"]),
    ("data.csv", b"text,label\na,b\ncaf\xe9,good\n", ["data.csv, line 3: byte 4 is 0xE9", "not UTF-8", "iconv -f"]),
    ("data.jsonl", b'{"text": "a", "label": "b"}\n{"text": "\xff"}\n', ["data.jsonl, line 2: byte 11 is 0xFF"]),
    ("data.csv", CSV.encode("utf-16"), ["data.csv is UTF-16", "iconv -f UTF-16"]),
    ("data.csv", CSV + "a\0b,good\n", ["data.csv, line 4: byte 2 is a NUL byte", "UTF-16"]),
    ("data.jsonl", JSONL + '{"text": "\0"}\n', ["data.jsonl, line 3", "NUL byte"]),
    ("data.csv", CSV + "one\n", ["data.csv, line 4 has 1 cells; the header has 2", "delimiter"]),
    ("data.csv", 'text,label\n"a\nb",good\na,b,c\n', ["data.csv, line 4 has 3 cells; the header has 2"]),
    ("data.csv", 'text,label\n"a,good\nb,bad\n', ["record from line 2 on is broken", "no closing quote"]),
    ("data.csv", 'text,label\n"a"b,good\n', ["record from line 2 on is broken", "written twice"]),
    ("data.csv", "text,label\na,b\rc,d\n", ["record from line 2 on is broken", "carriage return"]),
    ("data.csv", "txt,label\na,b\n", ["data.csv has no column 'text'", "txt, label", "nearest to 'text' is 'txt'"]),
    ("data.csv", "text,label,text\na,b,c\n", ["more than one column named 'text'"]),
    ("data.jsonl", '{"txt": "a", "label": "b"}\n', ["data.jsonl has no column 'text'", "txt, label", "'txt'"]),
    ("data.jsonl", JSONL + '{"text": "a", "label"\n', ["data.jsonl, line 3 is not JSON", "column 22"]),
    ("data.jsonl", JSONL + "[1]\n", ["data.jsonl, line 3 holds an array", "one JSON object a line"]),
    ("data.json", "[\n" + JSONL, ["data.json ends in the middle of its JSON array"]),
    ("data.json", '["a", "b"]', ["data.json: item 1 is a str; an object was expected"]),
    ("data.jsonl", "[" * 100_000, ["data.jsonl is no JSON", "too deep"]),
    ("data.jsonl", JSONL + '{"text": ["a"], "label": "b"}', ["data.jsonl, line 3: column 'text' holds a list"]),
    ("data.jsonl", JSONL + '{"text": "a", "label": {"b": 1}}', ["data.jsonl, line 3: column 'label' holds a dict"]),
    ("data.jsonl", JSONL + '{"text": "\\ud800", "label": "b"}', ["line 3", "'text'", "surrogate", "utf-16"]),
    ("data.parquet", "no parquet at all", ["data.parquet can't be read as Parquet", "data.source.format"]),
    ("data.csv.gz", gzip.compress(CSV.encode() * 99, mtime=0)[:-20], ["data.csv.gz ends in the middle", "truncated"]),
    ("data.csv.gz", CSV, ["data.csv.gz is no sound gzip file", "drop the .gz"]),
    ("data.txt", CSV, ["can't be told by its ending", ".csv", "data.source.format"]),
]


@pytest.mark.parametrize(("name", "content", "parts"), BAD)
def test_bad_files_say_what_and_where(pipeline, name: str, content: str | bytes, parts: list[str]) -> None:
    made = pipeline(name)
    made.write(name, content)
    with pytest.raises(SourceError) as caught:
        made.ingest()
    for part in parts:
        assert part in str(caught.value)
    assert not list(made.home.root.rglob("snapshot-*"))


def test_text_of_a_bad_row_is_not_shown(pipeline) -> None:
    made = pipeline()
    for content in ("text,label\nsecret words,a,b\n", 'text,label\n"secret words" x,a\n'):
        made.write("data.csv", content)
        with pytest.raises(SourceError) as caught:
            made.ingest()
        assert "secret" not in str(caught.value)


def test_a_damaged_parquet_column_is_named(pipeline, tmp_path: Path) -> None:
    made = pipeline("data.parquet")
    broken = pa.array([b"fine", b"\xff\xfe"]).view(pa.binary()).cast(pa.binary())
    text = pa.Array.from_buffers(pa.string(), 2, broken.buffers())
    parquet(tmp_path / "data.parquet", text=text, label=["good", "bad"])
    with pytest.raises(SourceError, match=r"data.parquet, column 'text', row 2 holds text that is not UTF-8"):
        made.ingest()


def test_a_missing_file_shows_the_folder_and_near_names(pipeline) -> None:
    made = pipeline("data/news.csv")
    made.write("data/new.csv", CSV)
    with pytest.raises(SourceError, match=r"There is no file 'data/news.csv': in .*data there is: new.csv"):
        made.ingest()


def test_a_glob_that_matches_nothing_shows_the_folder_and_near_names(pipeline) -> None:
    made = pipeline("data/*.cvs")
    with pytest.raises(SourceError, match=r"No file matches 'data/\*.cvs': the folder .*data does not exist"):
        made.ingest()
    made.write("data/one.csv", CSV)
    with pytest.raises(SourceError, match=r"No file matches 'data/\*.cvs': in .*data there is: one.csv"):
        made.ingest()


def test_a_folder_is_no_file(pipeline) -> None:
    made = pipeline("data")
    made.write("data/one.csv", CSV)
    with pytest.raises(SourceError, match=r"is a folder; files were expected. .*data/\*.csv"):
        made.ingest()


def test_an_unreadable_file_is_named(pipeline, unreadable) -> None:
    made = pipeline()
    path = made.write("data.csv", CSV)
    made.ingest()
    made.write("data.csv", CSV + "more,good\n")
    unreadable(path)
    with pytest.raises(SourceError, match=r"data.csv may not be read: permission denied"):
        made.ingest()

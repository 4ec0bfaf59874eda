"""What `init` makes of files as real programs write them, and that a run then reads all of them."""

import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from init_files import rows, sentence, write

from perennial.core.errors import SpecError
from perennial.ingest import canonical_rows, sources
from perennial.init import Guess, plan, write_pipeline
from perennial.pipeline_file import loader

TOPICS = ["billing", "delivery", "returns", "warranty"]
ROWS = [(row["text"], row["label"]) for row in rows(120)]
Table = list[dict[str, Any]]


def looked_at(data: Path, folder: Path, **given: Any) -> tuple[Guess, Table]:
    """What is guessed of `data`, and the rows that a run of the pipeline that is written reads."""
    guess = plan("shape", data, **given)
    path = write_pipeline(guess, folder / "pipelines" / "shape", force=True)
    return guess, read_by(path)


def read_by(path: Path) -> Table:
    """The rows that a run of the pipeline reads, in the kind's columns and with the id."""
    spec = loader.read_pipeline(path)
    batches = [batch for piece in sources.pieces(spec) for batch in piece.read(None)]
    rows = [canonical_rows.canonical_rows(batch, spec).to_pylist() for batch in batches if batch.numbers]
    return [row for one in rows for row in one]


def table(records: Sequence[Sequence[Any]], above: str = "", **how: Any) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, **how).writerows(records)
    return above + out.getvalue()


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8", newline="")
    return path


HEADED = [("text", "label"), *ROWS]
BACKSLASHED = "".join(f'"{t} \\"of {n}\\", so","{label}"\n' for n, (t, label) in enumerate(ROWS))
UNQUOTED = "".join(('"' * (n % 7 == 0)) + f'{t} "{n}"\t{label}\n' for n, (t, label) in enumerate(ROWS))


@pytest.mark.parametrize(
    ("name", "content", "delimiter", "settings"),
    [
        ("d.csv", table(HEADED, "sep=;\r\n", delimiter=";"), ";", {}),
        ("d.csv", table(HEADED, "Words of shops, 2026\nby hand\n\n"), None, {"skip_lines": 3}),
        ("d.csv", table(HEADED, "# words\n# of shops; 2026\n", delimiter=";"), ";", {"skip_lines": 2}),
        ("d.csv", table(ROWS), None, {"header": False}),
        ("d.tsv", table([row[::-1] for row in ROWS], delimiter="\t"), None, {"header": False}),
        ("d.csv", '"text","label"\n' + BACKSLASHED, None, {"escape": "\\"}),
        ("d.tsv", "text\tlabel\n" + UNQUOTED, None, {"quoting": "none"}),
    ],
)
def test_how_a_table_is_written_is_found_and_said(
    tmp_path: Path, name: str, content: str, delimiter: str | None, settings: dict[str, Any]
) -> None:
    guess, read = looked_at(written(tmp_path / name, content), tmp_path)
    assert (guess.kind, guess.delimiter, guess.written) == ("text-classification", delimiter, settings)
    assert sorted(row["label"] for row in read) == sorted(label for _, label in ROWS)
    texts = {row["text"] for row in read}
    expected = {text for text, _ in ROWS}
    if "escape" in settings:
        expected = {f'{text} "of {n}", so' for n, (text, _) in enumerate(ROWS)}
    if "quoting" in settings:
        expected = {'"' * (n % 7 == 0) + f'{text} "{n}"' for n, (text, _) in enumerate(ROWS)}
    assert texts == expected
    assert bool(settings) == any("data.source." in warning for warning in guess.warnings)


@pytest.mark.parametrize(
    ("first", "header"),
    [
        (("I want it gone by now, please", "furious"), False),  # a label that no other row has
        (("I want it gone by now, please", "Rating"), True),
        (("what did you think of the shop?", "furious"), True),  # as surveys have it
        (("comment", "furious"), True),
    ],
)
def test_a_first_row_whose_label_no_other_has_is_a_row(tmp_path: Path, first: tuple[str, str], header: bool) -> None:
    guess, read = looked_at(written(tmp_path / "d.csv", table([first, *ROWS])), tmp_path)
    assert guess.text.column == (first[0] if header else "column_1")
    assert guess.written == ({} if header else {"header": False})
    assert len(read) == len(ROWS) + (not header)


def one_hot(values: Sequence[Any]) -> Table:
    chooser = random.Random(4)  # noqa: S311
    return [
        {"id": n, "comment": sentence(n)} | {topic: values[chooser.random() < 0.4] for topic in TOPICS}
        for n in range(150)
    ]


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("d.csv", (0, 1), None),
        ("d.csv", (0, 1), "multi-label"),
        ("d.csv", ("False", "True"), None),
        ("d.jsonl", (False, True), None),
        ("d.parquet", (0.0, 1.0), None),
        ("d.csv", ("N", "Y"), None),
        ("d.csv", ("", 1), None),
        ("d.jsonl", (None, 1), None),
    ],
)
def test_columns_of_0_and_1_are_labels(tmp_path: Path, name: str, values: tuple[Any, Any], kind: str | None) -> None:
    data = one_hot(values)
    guess, read = looked_at(write(tmp_path / name, data), tmp_path, kind=kind)
    assert (guess.kind, guess.one_hot.columns, sorted(guess.labels)) == ("multi-label", tuple(TOPICS), TOPICS)
    expected = [[topic for topic in TOPICS if row[topic] == values[1]] for row in data]
    assert sorted(row["label"] for row in read) == sorted(expected)


def test_columns_that_hold_their_own_name_are_labels(tmp_path: Path) -> None:
    data = [{name: name if value == 1 else value for name, value in row.items()} for row in one_hot((None, 1))]
    data[0] |= {"id": 0}
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.kind, guess.one_hot.columns) == ("multi-label", tuple(TOPICS))
    assert sorted(row["label"] for row in read) == sorted([t for t in TOPICS if row[t] == t] for row in data)


def test_empty_cells_among_0_and_1_are_counted_and_said(tmp_path: Path) -> None:
    data = one_hot((0, 1))
    for row in data[:5]:
        row["billing"] = None
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.kind, guess.one_hot.columns) == ("multi-label", tuple(TOPICS))
    assert sum("billing" in row["label"] for row in read) == sum(row["billing"] == 1 for row in data)
    assert any("5 cells of 'billing' are empty beside others" in warning for warning in guess.warnings)


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_rows_whose_columns_of_0_and_1_are_all_empty_are_not_labelled(tmp_path: Path, name: str) -> None:
    data = one_hot((0, 1))
    empty = range(5, 150, 15)
    for row in empty:
        data[row] |= dict.fromkeys(TOPICS)
    guess, read = looked_at(write(tmp_path / name, data), tmp_path)
    assert (guess.one_hot.columns, guess.missing_labels, guess.missing_means) == (tuple(TOPICS), 10, "set_aside")
    assert not any("read as 0" in warning for warning in guess.warnings)
    assert any("10 no list of labels that can be read" in warning for warning in guess.warnings), guess.warnings
    assert {int(row["row_id"]) for row in read if row["label"] is None} == set(empty)
    path = tmp_path / "pipelines/shape/pipeline.yaml"
    assert "missing_labels: set_aside" in path.read_text()
    written(path, path.read_text().replace("missing_labels: set_aside", "missing_labels: none"))
    expected = [[topic for topic in TOPICS if row[topic] == 1] for row in data]
    assert [row["label"] for row in read_by(path)] == expected


def test_where_only_1_is_written_a_row_without_any_has_no_label(tmp_path: Path) -> None:
    data = one_hot(("", 1))
    none = [n for n, row in enumerate(data) if not any(row[topic] for topic in TOPICS)]
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.missing_labels, guess.missing_means) == (len(none), "none")
    assert "missing_labels: none" in (tmp_path / "pipelines/shape/pipeline.yaml").read_text()
    assert [n for n, row in enumerate(read) if row["label"] == []] == none
    # One column that says no is enough: then an empty cell says nothing.
    for n, row in enumerate(data):
        row["returns"] = None if n in none[:3] else row["returns"] or 0
    guess, read = looked_at(write(tmp_path / "e.csv", data), tmp_path)
    assert (guess.missing_labels, guess.missing_means) == (3, "set_aside")
    assert [n for n, row in enumerate(read) if row["label"] is None] == none[:3]


def test_columns_as_good_as_the_label_are_named(tmp_path: Path) -> None:
    guess, _ = looked_at(write(tmp_path / "d.csv", one_hot(("non", "oui"))), tmp_path)
    assert guess.label.column == "billing"
    assert any(
        "'delivery', 'returns', 'warranty' hold the same values as 'billing' ('non', 'oui')" in warning
        for warning in guess.warnings
    )


def test_rows_without_a_label_below_the_header_are_no_titles(tmp_path: Path) -> None:
    data = [HEADED[0], *((text, "") for text, _ in ROWS[:2]), *ROWS[2:]]
    guess, read = looked_at(written(tmp_path / "d.csv", table(data)), tmp_path)
    assert (guess.text.column, guess.written, len(read)) == ("text", {}, len(ROWS))
    assert [row["label"] for row in read].count(None) == 2


def test_a_flag_beside_a_label_is_none(tmp_path: Path) -> None:
    data = rows(120, is_new=lambda n: n % 2, has_link=lambda n: n % 3 == 0)
    guess, _ = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.kind, guess.label.column) == ("text-classification", "label")


def test_one_hot_cells_that_say_nothing_set_the_row_aside(tmp_path: Path) -> None:
    data = one_hot((0, 1))
    data[0] |= {"billing": -1}
    guess, _ = looked_at(write(tmp_path / "d.csv", data), tmp_path, kind="multi-label", label="delivery")
    assert guess.label.column == "delivery"
    path = tmp_path / "pipelines/shape/pipeline.yaml"
    written(path, path.read_text().replace("label: delivery", f"one_hot: [{', '.join(TOPICS)}]"))
    read = read_by(path)
    assert [row["row_id"] for row in read if row["label"] is None] == ["0"]


def several(mark: str, name: str = "what") -> Table:
    chooser = random.Random(5)  # noqa: S311
    return [
        {"text": sentence(n), name: mark.join(chooser.sample(TOPICS, chooser.choice([1, 1, 2, 3])))} for n in range(150)
    ]


@pytest.mark.parametrize(
    ("mark", "name"),
    [(", ", "tags"), (", ", "what"), (",", "what"), ("; ", "what"), ("#", "labels"), ("#", "what"), (" / ", "what")],
)
def test_labels_in_a_cell_are_found_whatever_stands_between(tmp_path: Path, mark: str, name: str) -> None:
    data = several(mark, name)
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.kind, guess.label.column, list(guess.labels)) == ("multi-label", name, TOPICS)
    assert guess.separator == (mark.strip() if mark.strip() in "#/" else None)
    assert sorted(row["label"] for row in read) == sorted(sorted(row[name].split(mark)) for row in data)


@pytest.mark.parametrize("mark", ["\n", "\t", "\u3001"])
def test_rarer_marks_between_labels_are_said_in_the_file(tmp_path: Path, mark: str) -> None:
    data = several(mark, "tags")
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.kind, guess.separator, list(guess.labels)) == ("multi-label", mark, TOPICS)
    assert sorted(row["label"] for row in read) == sorted(sorted(row["tags"].split(mark)) for row in data)


def test_arrays_of_postgresql_are_lists_of_labels(tmp_path: Path) -> None:
    data = [
        row | {"tags": "{" + row["tags"].replace("returns", '"late, returns"') + "}"} for row in several(",", "tags")
    ]
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.kind, list(guess.labels)) == ("multi-label", ["billing", "delivery", "late, returns", "warranty"])
    assert sum("late, returns" in row["label"] for row in read) == sum("returns" in row["tags"] for row in data)


def test_rows_deep_inside_one_object_are_told_with_the_way_to_write_them(tmp_path: Path) -> None:
    content = {"hits": {"hits": [{"_source": {"text": text, "label": label}} for text, label in ROWS]}}
    with pytest.raises(SpecError, match=r"'hits' holds objects with _source, and there are next to no rows.*jq -c"):
        plan("shape", written(tmp_path / "d.json", json.dumps(content)))


def test_places_with_a_comma_are_no_labels(tmp_path: Path) -> None:
    towns = ["Berlin, Germany", "Munich, Germany", "Paris, France", "Lyon, France"]
    guess, _ = looked_at(write(tmp_path / "d.csv", rows(120, town=lambda n: towns[n % 4])), tmp_path)
    assert (guess.kind, guess.label.column) == ("text-classification", "label")


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl"])
def test_choices_in_objects_are_lists(tmp_path: Path, name: str) -> None:
    data = [
        {"text": row["text"], "label": {"choices": row["what"].split("|")} if n % 3 or "jsonl" in name else "billing"}
        for n, row in enumerate(several("|"))
    ]
    guess, read = looked_at(write(tmp_path / name, data), tmp_path)
    assert (guess.kind, list(guess.labels)) == ("multi-label", TOPICS)
    assert all(set(row["label"]) <= set(TOPICS) and row["label"] for row in read)


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_a_list_of_one_label_in_every_row_is_one_label(tmp_path: Path, name: str) -> None:
    data = [row | {"label": [row["label"]]} for row in rows(120)]
    guess, read = looked_at(write(tmp_path / name, data), tmp_path)
    assert (guess.kind, list(guess.labels)) == ("text-classification", ["bad", "good", "plain"])
    assert {row["label"] for row in read} == {"bad", "good", "plain"}


def test_another_column_is_not_taken_for_the_label_in_silence(tmp_path: Path) -> None:
    data = [row | {"label": {"of": n, "by": [{}]}, "mood": "ab"[n % 2]} for n, row in enumerate(rows(120))]
    guess, _ = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert guess.label.column == "mood"
    [warning] = [warning for warning in guess.warnings if "'label'" in warning]
    assert "was not taken for the label" in warning
    assert "'mood' was" in warning


WORDS = [("Ann", "NN", "B-PER"), ("Roe", "NN", "I-PER"), ("left", "V", "O"), ("Graz", "NN", "B-LOC")]


def tokens(style: str, count: int = 80) -> str:
    """One token a row, sentences parted by a column (in each row, in the first one) or by lines."""
    sentences = [[*WORDS, (str(n), "CD", "O")] for n in range(count)]
    if style in ("each", "first"):
        header = ["Sentence #", "Word", "POS", "Tag"]
        ids = [[f"Sentence: {n}" if k == 0 or style == "each" else "" for k in range(5)] for n in range(count)]
        return table([header, *((ids[n][k], *word) for n, one in enumerate(sentences) for k, word in enumerate(one))])
    between = {"blank": "\n", "empty": ",,\n", "none": ""}[style]
    return "token,pos,ner\n" + "".join(table(one, lineterminator="\n") + between for one in sentences)


@pytest.mark.parametrize("style", ["each", "first", "blank", "empty"])
@pytest.mark.parametrize("asked", [False, True])
def test_tokens_are_put_together_as_sentences(tmp_path: Path, style: str, asked: bool) -> None:
    path = written(tmp_path / "ner.csv", tokens(style))
    by_column = style in ("each", "first")
    names = ("Word", "Tag") if by_column else ("token", "ner")
    given = {"kind": "token-classification", "tokens": names[0], "tags": names[1]} if asked else {}
    guess, read = looked_at(path, tmp_path, **given)
    assert (guess.kind, guess.rows, guess.labels) == ("token-classification", 80, {"LOC": 80, "PER": 80})
    assert (guess.tokens.column, guess.tags.column) == names
    assert guess.written == ({} if by_column else {"blank_lines": "end_sentences"})
    assert (guess.sentence.column if guess.sentence else None) == ("Sentence #" if by_column else None)
    assert sorted(row["text"] for row in read) == sorted(f"Ann Roe left Graz {n}" for n in range(80))
    assert all(
        row["spans"] == [{"start": 0, "end": 7, "label": "PER"}, {"start": 13, "end": 17, "label": "LOC"}]
        for row in read
    )


def test_tokens_without_sentences_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "ner.csv", tokens("none"))
    for given in ({}, {"tokens": "token", "tags": "ner"}):
        with pytest.raises(SpecError, match=r"Each row holds one token.*where a sentence ends.*--sentence"):
            plan("shape", path, **given)  # type: ignore[arg-type]


def test_a_column_of_sentences_may_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "ner.csv", tokens("first").replace("Sentence #", "x", 1))
    guess, _ = looked_at(path, tmp_path, sentence="x")
    assert (guess.sentence.column, guess.sentence.reason) == ("x", "you named it; each row is one token")


def test_columns_inside_objects_have_dotted_names(tmp_path: Path) -> None:
    data = [
        {"id": n, "review": {"body": t, "lang": "en"}, "mark": {"label": label}} for n, (t, label) in enumerate(ROWS)
    ]
    path = written(tmp_path / "d.jsonl", "\n".join(map(json.dumps, data)))
    for given in ({}, {"text": "review.body", "label": "mark.label"}):
        guess, read = looked_at(path, tmp_path, **given)
        assert (guess.text.column, guess.label.column, guess.id.column) == ("review.body", "mark.label", "id")
        assert sorted((row["text"], row["label"]) for row in read) == sorted(ROWS)


def test_wrapped_rows_are_rows(tmp_path: Path) -> None:
    data = [{"text": text, "label": label} for text, label in ROWS]
    for content in (
        {"data": data},
        data,
        {name: {str(n): row[name] for n, row in enumerate(data)} for name in data[0]},
    ):
        guess, read = looked_at(written(tmp_path / "d.json", json.dumps(content, indent=1)), tmp_path)
        assert (guess.kind, guess.rows, len(read)) == ("text-classification", 120, 120)


def test_a_folder_of_tables_is_read_as_one(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for n in range(2):
        written(folder / f"{n}.csv", table([("text", "label"), *ROWS[n::2]], delimiter=";"))
    written(folder / "notes.md", "not data")
    guess, read = looked_at(folder, tmp_path)
    assert (guess.rows, len(read), guess.delimiter) == (120, 120, ";")
    assert guess.data.endswith("data/*.csv")


def test_columns_of_labels_are_refused_by_kinds_of_one_label(tmp_path: Path) -> None:
    _, _ = looked_at(write(tmp_path / "d.csv", rows(120)), tmp_path)
    path = tmp_path / "pipelines/shape/pipeline.yaml"
    written(path, path.read_text().replace("    label: label", "    one_hot: [a, b]"))
    with pytest.raises(
        SpecError, match=r"text-classification reads one column of what is learned; multi-label reads these"
    ):
        loader.read_pipeline(path)


def test_sentences_that_are_numbered_anew_in_each_document_are_sentences(tmp_path: Path) -> None:
    data = [
        {"doc_id": n // 10, "sent_id": n % 10, "token": f"w{n}{part}", "tag": "B-PER" if part == 0 else "O"}
        for n in range(100)
        for part in range(3)
    ]
    guess, read = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert (guess.sentence.column, guess.rows, len(read)) == ("sent_id", 100, 100)
    assert {len(row["tokens"]) for row in read} == {3}


def test_one_word_texts_beside_numbers_of_sentences_are_told(tmp_path: Path) -> None:
    data = [{"sid": n // 4, "text": f"word{n}", "label": "ab"[n % 2]} for n in range(200)]
    guess, _ = looked_at(write(tmp_path / "d.csv", data), tmp_path)
    assert any("'sid' looks like the number of a sentence" in warning for warning in guess.warnings)

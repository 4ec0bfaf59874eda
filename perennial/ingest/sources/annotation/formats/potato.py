"""potato's Parquet, JSONL, CSV and TSV. Only the Parquet export holds the texts, in `items.parquet`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perennial.core.errors import SourceError
from perennial.ingest.sources.annotation import opinions
from perennial.ingest.sources.annotation.formats.delimited_rows import delimited_rows
from perennial.ingest.sources.annotation.opinions import Answer, Export, Labels, MarkedSpan, Opinion, Spans, Tally
from perennial.ingest.sources.json_files.json_items import json_items
from perennial.rows import cells

ITEMS, SPANS = "items.parquet", "spans.parquet"
OWN = ("instance_id", "user_id")
_SPANS = "._spans"


def potato(export: Export, tally: Tally) -> Iterator[Opinion]:
    """JSONL: labels and spans by the name of their question."""
    texts = _texts(export)
    for number, row in json_items(export.stream, export.name):
        answers: dict[str, Answer] = {
            name: Labels(tuple(map(str, given)), several=len(given) > 1) for name, given in row["labels"].items()
        }
        answers |= {name: Spans(tuple(map(_mark, given))) for name, given in (row.get("spans") or {}).items()}
        yield from _opinion(export, number, row, texts, answers, tally)


def potato_csv(export: Export, tally: Tally) -> Iterator[Opinion]:
    """CSV or TSV: a column for each label of a question, which holds the label's name where it was chosen."""
    texts = _texts(export)
    for number, row in delimited_rows(export):
        chosen: dict[str, tuple[str, ...]] = {}
        answers: dict[str, Answer] = {}
        for name, value in row.items():
            question, _, label = name.partition(".")
            if name in OWN or value is None or not label:
                continue
            if name.endswith(_SPANS):
                marks = cells.nested(value)
                answers[question] = Spans(tuple(map(_mark, marks)) if isinstance(marks, list) else ())
            else:
                chosen[question] = (*chosen.get(question, ()), label)
        answers |= {name: Labels(tuple(sorted(names)), several=len(names) > 1) for name, names in chosen.items()}
        yield from _opinion(export, number, row, texts, answers, tally)


def potato_parquet(export: Export, tally: Tally) -> Iterator[Opinion]:
    """`annotations.parquet`, with `items.parquet` and `spans.parquet` beside it."""
    import pyarrow.parquet as pq

    texts = _texts(export)
    spans: dict[tuple[str, str], dict[str, list[MarkedSpan]]] = {}
    path = export.path.with_name(SPANS)
    for span in pq.read_table(path).to_pylist() if path.is_file() else ():
        by_question = spans.setdefault((span["instance_id"], span["user_id"]), {})
        by_question.setdefault(span["schema_name"], []).append(_mark({**span, "name": span["label"]}))
    for number, row in enumerate(pq.read_table(export.stream).to_pylist(), 1):
        answers: dict[str, Answer] = {
            name: Labels(tuple(value) if isinstance(value, list) else (str(value),), several=isinstance(value, list))
            for name, value in row.items()
            if name not in OWN and value is not None
        }
        marked = spans.get((row["instance_id"], row["user_id"]), {})
        answers |= {name: Spans(tuple(marks)) for name, marks in marked.items()}
        yield from _opinion(export, number, row, texts, answers, tally)


def _opinion(
    export: Export,
    number: int,
    row: Mapping[str, Any],
    texts: Mapping[str, Mapping[str, Any]],
    answers: dict[str, Answer],
    tally: Tally,
) -> Iterator[Opinion]:
    row_id = str(row["instance_id"])
    if row_id not in texts:
        tally.leave_out(opinions.WITHOUT_TEXT, export.at("row", number))
        return
    yield Opinion(number, texts[row_id], answers, id=row_id, annotator=str(row["user_id"]), submitted=bool(answers))


def _texts(export: Export) -> dict[str, dict[str, Any]]:
    """The items by their id."""
    import pyarrow.parquet as pq

    path: Path = export.path.with_name(ITEMS)
    if not path.is_file():
        raise SourceError(
            f"{export.name} is an export of potato's, which holds no texts, and {ITEMS}, which does, is not beside it.",
            remedy=f"Export as Parquet too (python -m potato.export … parquet) and put {ITEMS} into the same folder.",
        )
    rows = pq.read_table(path).to_pylist()
    return {str(row["item_id"]): {name: row[name] for name in row if name not in ("item_id", "id")} for row in rows}


def _mark(span: Mapping[str, Any]) -> MarkedSpan:
    # Without a text the span lies outside what potato showed; it is then of no view, and said to be.
    return MarkedSpan(int(span["start"]), int(span["end"]), str(span["name"]), span.get("text"))

"""Documents through every annotation format and back, and what looking into plain files costs their reading.

BENCH_ROWS: documents (2,000), and a hundred times as many plain rows. Each format's exports are written in the tool's
own units and shape, read as a source reads them, and compared span by span.
"""

from __future__ import annotations

import csv
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import annotated_documents as made
from benchmarks import own_rows
from benchmarks.annotated_documents import Document
from perennial.ingest.sources import annotated_files, file
from perennial.ingest.sources.annotation.opinions import Export
from perennial.ingest.sources.annotation.reading import ExportOutcome, Manner, rows_of_exports
from perennial.ingest.sources.annotation.recognition import recognised_form
from perennial.ingest.sources.annotation.tools import FORMS
from perennial.rows.text_views import CHARACTERS, GRAPHEMES, UTF8, UTF16

ROUNDS = 5
FORMATS: dict[str, tuple[Callable[[Sequence[Document]], str | bytes], str]] = {
    "label-studio JSON": (made.label_studio_json, "label"),
    "label-studio JSON, UTF-16": (lambda docs: made.label_studio_json(docs, UTF16), "label"),
    "label-studio JSON, UTF-8": (lambda docs: made.label_studio_json(docs, UTF8), "label"),
    "label-studio JSON_MIN": (made.label_studio_min, "label"),
    "label-studio CSV": (made.label_studio_csv, "label"),
    "label-studio TSV": (lambda docs: made.label_studio_csv(docs, "\t"), "label"),
    "doccano JSONL, UTF-16": (made.doccano_jsonl, "label"),
    "doccano JSONL, code points": (lambda docs: made.doccano_jsonl(docs, CHARACTERS), "label"),
    "doccano JSONL, graphemes": (
        lambda docs: made.doccano_jsonl([made.whole_graphemes(doc) for doc in docs], GRAPHEMES),
        "label",
    ),
    "doccano JSONL, relations": (made.doccano_relations, "entities"),
    "prodigy JSONL": (made.prodigy_jsonl, "spans"),
    "argilla JSON": (made.argilla_json, "ents"),
    "spacy JSONL": (made.spacy_jsonl, "ents"),
    "spacy DocBin": (made.docbin, "ents"),
}


def measure(scratch: Path) -> dict[str, object]:
    """Spans that came back elsewhere or not at all, by format, and seconds; then the ratios of plain reading."""
    count = own_rows.size("BENCH_ROWS", 2_000)
    docs = made.documents(count)
    figures: dict[str, object] = {"documents": count, "spans": sum(len(doc.spans) for doc in docs)}
    for name, (write, column) in FORMATS.items():
        whole = [made.whole_graphemes(doc) for doc in docs] if "graphemes" in name else docs
        figures[name] = _there_and_back(scratch / "export", whole, write(whole), column)
    return figures | dict(_plain(scratch, count * 100))


def _there_and_back(path: Path, docs: Sequence[Document], content: str | bytes, column: str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    opened = _opener(path)
    with opened() as export:
        form = FORMS[recognised_form(export) or ""]
    outcome = ExportOutcome()
    started = time.perf_counter()
    batches = list(rows_of_exports([opened], form.reader, Manner(default_offsets=form.tool.offsets), None, outcome))
    seconds = time.perf_counter() - started
    rows = {
        text: spans
        for batch in batches
        for text, spans in zip(batch.columns["text"], batch.columns[column], strict=True)
    }
    moved = sum(_moved(doc, rows.get(doc.text)) for doc in docs)
    missing = sum(doc.text not in rows for doc in docs)
    said = outcome.tally.left_out.total()
    return f"{moved:,} spans moved, {missing:,} documents left out ({said:,} counted), {seconds:.2f} s"


def _moved(doc: Document, spans: Any) -> int:
    if spans is None:
        return len(doc.spans)
    back = {(span["start"], span["end"], span["label"]) for span in spans}
    return len(set(doc.spans) ^ back)


def _opener(path: Path) -> Callable[[], AbstractContextManager[Export]]:
    @contextmanager
    def opened() -> Iterator[Export]:
        with path.open("rb") as stream:
            yield Export(path, path.name, stream)

    return opened


def _plain(scratch: Path, count: int) -> Iterator[tuple[str, object]]:
    """Seconds of reading a plain file with the look into it, as a share of those without."""
    rows = [
        {"text": f"This is sentence number {number}, and it is a plain one.", "label": "ab"[number % 2]}
        for number in range(count)
    ]
    (scratch / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with (scratch / "rows.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)
    for name in ("rows.jsonl", "rows.csv"):
        ratios = []
        for _ in range(ROUNDS):
            plain = _seconds(scratch / name, look=False)
            ratios.append(_seconds(scratch / name, look=True) / plain)
        yield f"reading {name} with the look : without", statistics.median(ratios)


def _seconds(path: Path, *, look: bool) -> float:
    annotated_files._form.cache_clear()
    started = time.perf_counter()
    if look and annotated_files.annotated_files(path.parent, [path.name], "auto") is not None:
        raise AssertionError(path)
    for _ in file.read(path, ("text", "label")):
        pass
    return time.perf_counter() - started

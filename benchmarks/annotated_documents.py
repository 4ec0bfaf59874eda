"""Made-up documents, and the files in which each tool would export them: in the tool's own units, shape and order."""

import csv
import io
import itertools
import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perennial.inference.words import words_in
from perennial.ingest.sources.annotation.formats.docbin import ENT_IOB, ENT_TYPE, ORTH, murmurhash
from perennial.ingest.sources.annotation.formats.spacy_symbols import SYMBOLS
from perennial.rows import text_views

PIECES = (
    *(
        "Acme",
        "bought",
        "Widget",
        "Co.",
        "in",
        "Paris",
        "naïve",
        "Straße",
        "well-known",
        "isn't",
        "東京都",
        "서울",
        "x",
    ),
    *("😀", "👨‍👩‍👧", "🇩🇪", "Café", "Cafe\u0301", "&amp;", "<b>costs</b>", "R&amp;D", "a<b", "(see", "below)", "12,5"),
)
BETWEEN = (" ", " ", " ", " ", "  ", "\n", "\r\n", "\t", " , ")
LABELS = ("ORG", "LOC", "a b", "x#y", "C, D")
Span = tuple[int, int, str]


@dataclass(frozen=True)
class Document:
    """A text with what a person said of it, offsets in code points."""

    text: str
    spans: tuple[Span, ...] = ()
    labels: tuple[str, ...] = ()
    number: float = 1.0
    tokens: tuple[str, ...] = field(default=())

    def said(self, start: int, end: int) -> str:
        """What stands between two characters."""
        return self.text[start:end]


def documents(count: int, seed: int = 0) -> list[Document]:
    """Distinct documents, as many as `count`, with spans at words that do not overlap."""
    chance = random.Random(seed)  # noqa: S311
    return [_document(chance, number) for number in range(count)]


def _document(chance: random.Random, number: int) -> Document:
    pieces = [chance.choice(PIECES) for _ in range(chance.randint(3, 14))]
    text = "".join(piece + chance.choice(BETWEEN) for piece in pieces) + f"no {number}."
    words = [(start, end) for start, end in words_in([text])[0].tolist()]
    spans: list[Span] = []
    index = chance.randint(0, 3)
    while index < len(words) and len(spans) < 4:
        last = min(len(words) - 1, index + chance.randint(0, 2))
        spans.append((words[index][0], words[last][1], chance.choice(LABELS[:2])))
        index = last + 1 + chance.randint(0, 4)
    return Document(
        text=text,
        spans=tuple(spans),
        labels=tuple(sorted(chance.sample(LABELS, chance.randint(1, 3)))),
        number=chance.choice((1.0, 2.5, 4.0)),
        tokens=tuple(text.split()),
    )


def in_units(text: str, span: Span, name: str) -> tuple[int, int]:
    """A span in the units of the view `name`: the inverse of what is tested, by counting."""
    before, through = text[: span[0]], text[: span[1]]
    size: Callable[[str], int] = {
        text_views.CHARACTERS: len,
        text_views.UTF16: lambda part: len(part.encode("utf-16-le")) // 2,
        text_views.UTF8: lambda part: len(part.encode()),
        text_views.GRAPHEMES: _graphemes,
    }[name]
    return size(before), size(through)


def _graphemes(text: str) -> int:
    import regex

    return len(regex.findall(r"\X", text))


def whole_graphemes(document: Document) -> Document:
    """The document with only those spans that begin and end with graphemes: others can't be told in them."""
    import regex

    bounds = {0, *(match.end() for match in regex.finditer(r"\X", document.text))}
    spans = tuple(span for span in document.spans if span[0] in bounds and span[1] in bounds)
    return Document(document.text, spans, document.labels, document.number, document.tokens)


def label_studio_json(docs: Sequence[Document], unit: str = text_views.CHARACTERS) -> str:
    """Tasks with an annotation each; offsets in `unit`."""
    return json.dumps([_task(number, doc, unit) for number, doc in enumerate(docs, 1)], ensure_ascii=False)


def _task(number: int, doc: Document, unit: str) -> dict[str, Any]:
    regions: list[dict[str, Any]] = [
        {"from_name": "label", "to_name": "text", "type": "labels", "id": f"r{i}", "value": region}
        for i, region in enumerate(_regions(doc, unit))
    ]
    regions.append({"from_name": "topics", "to_name": "text", "type": "choices", "value": {"choices": [*doc.labels]}})
    regions.append({"from_name": "stars", "to_name": "text", "type": "number", "value": {"number": doc.number}})
    annotation = {"id": number, "completed_by": 1, "result": regions, "was_cancelled": False}
    return {"id": number, "annotations": [annotation], "drafts": [], "predictions": [], "data": {"text": doc.text}}


def _regions(doc: Document, unit: str) -> list[dict[str, Any]]:
    places = [(*in_units(doc.text, span, unit), doc.said(*span[:2]), span[2]) for span in doc.spans]
    return [{"start": start, "end": end, "text": said, "labels": [label]} for start, end, said, label in places]


def _min_row(number: int, doc: Document) -> dict[str, Any]:
    topics: Any = {"choices": [*doc.labels]} if len(doc.labels) > 1 else doc.labels[0]
    row: dict[str, Any] = {"text": doc.text, "id": number}
    if doc.spans:
        row["label"] = _regions(doc, text_views.CHARACTERS)
    stamps = {"annotation_id": number, "created_at": "2026-11-30T08:24:41Z", "updated_at": "2026-11-30T08:24:42Z"}
    return row | {"topics": topics, "stars": doc.number, "annotator": 1, **stamps, "lead_time": 3.5}


def label_studio_min(docs: Sequence[Document]) -> str:
    """A row for each annotation."""
    return json.dumps([_min_row(number, doc) for number, doc in enumerate(docs, 1)], indent=2, ensure_ascii=False)


def label_studio_csv(docs: Sequence[Document], delimiter: str = ",") -> str:
    """The same, columns sorted by name, all texts quoted."""
    rows = [{"label": "", **_min_row(number, doc)} for number, doc in enumerate(docs, 1)]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, sorted(rows[0]), delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def doccano_jsonl(docs: Sequence[Document], unit: str = text_views.UTF16) -> str:
    """Spans as triples; offsets in `unit`."""
    return "".join(
        json.dumps(
            {
                "id": number,
                "text": doc.text,
                "label": [[*in_units(doc.text, span, unit), span[2]] for span in doc.spans],
                "Comments": [],
            },
            ensure_ascii=False,
        )
        + "\n"
        for number, doc in enumerate(docs, 1)
    )


def doccano_relations(docs: Sequence[Document]) -> str:
    """Spans as entities with ids, in UTF-16."""
    lines = []
    for number, doc in enumerate(docs, 1):
        places = [(*in_units(doc.text, span, text_views.UTF16), span[2]) for span in doc.spans]
        entities = [
            {"id": number * 10 + i, "label": label, "start_offset": start, "end_offset": end}
            for i, (start, end, label) in enumerate(places)
        ]
        row = {"id": number, "text": doc.text, "entities": entities, "relations": [], "Comments": []}
        lines.append(json.dumps(row, ensure_ascii=False))
    return "\n".join(lines)


def doccano_csv(docs: Sequence[Document]) -> str:
    """Labels in one cell, a # between them."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["id", "text", "label", "Comments"])
    writer.writerows([number, doc.text, "#".join(doc.labels), ""] for number, doc in enumerate(docs, 1))
    return out.getvalue()


def prodigy_jsonl(docs: Sequence[Document]) -> str:
    """Accepted answers with spans."""
    lines = []
    for number, doc in enumerate(docs, 1):
        spans = [{"start": start, "end": end, "label": label} for start, end, label in doc.spans]
        row = {"text": doc.text, "_input_hash": number, "_task_hash": -number, "spans": spans, "answer": "accept"}
        lines.append(json.dumps(row))
    return "\n".join(lines)


def argilla_json(docs: Sequence[Document]) -> str:
    """Records with the responses of one person."""
    records = [
        {
            "id": f"r{number}",
            "fields": {"text": doc.text},
            "metadata": {},
            "suggestions": {},
            "responses": {
                "ents": [{"value": [_span(span) for span in doc.spans], "user_id": "u1"}],
                "topics": [{"value": [*doc.labels], "user_id": "u1"}],
                "stars": [{"value": doc.number, "user_id": "u1"}],
            },
            "vectors": {},
        }
        for number, doc in enumerate(docs, 1)
    ]
    return json.dumps(records)


def _span(span: Span) -> dict[str, Any]:
    return {"start": span[0], "end": span[1], "label": span[2]}


def spacy_jsonl(docs: Sequence[Document]) -> str:
    """`doc.to_json()`, one a line."""
    rows = [
        {"text": doc.text, "ents": [_span(span) for span in doc.spans], "cats": dict.fromkeys(doc.labels, 1.0)}
        | {"tokens": [{"id": 0, "start": 0, "end": len(doc.text)}]}
        for doc in docs
    ]
    return "\n".join(map(json.dumps, rows))


def docbin(docs: Sequence[Document]) -> bytes:
    """As spaCy's DocBin.to_bytes(): one token for each word and each stretch between words."""
    strings: set[str] = set()
    tokens, spaces, lengths = [], [], []
    for doc in docs:
        cuts = sorted({0, len(doc.text), *(edge for span in doc.spans for edge in span[:2])})
        words = [(start, end) for start, end in itertools.pairwise(cuts) if end > start]
        lengths.append(len(words))
        for start, end in words:
            label = next((label for first, behind, label in doc.spans if first <= start < behind), "")
            strings |= {doc.text[start:end], label}
            tokens.append((_hash(doc.text[start:end]), 3 if label else 2, _hash(label)))
            spaces.append(False)
    data = {
        "version": "0.1",
        "attrs": [ORTH, ENT_IOB, ENT_TYPE],
        "tokens": b"".join(struct.pack("<3Q", *token) for token in tokens),
        "spaces": bytes(spaces),
        "lengths": struct.pack(f"<{len(lengths)}i", *lengths),
        "strings": sorted(strings - {""}),
        "cats": [dict.fromkeys(doc.labels, 1.0) for doc in docs],
        "flags": [{} for _ in docs],
    }
    return zlib.compress(packed(data))


def _hash(text: str) -> int:
    return SYMBOLS.get(text) or murmurhash(text)


def packed(value: Any) -> bytes:
    """MessagePack, in its longest forms."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        return b"\xd3" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"\xc6" + struct.pack(">I", len(value)) + value
    if isinstance(value, str):
        raw = value.encode()
        return b"\xdb" + struct.pack(">I", len(raw)) + raw
    if isinstance(value, list):
        return b"\xdd" + struct.pack(">I", len(value)) + b"".join(map(packed, value))
    pairs = b"".join(packed(key) + packed(item) for key, item in value.items())
    return b"\xdf" + struct.pack(">I", len(value)) + pairs


def tags(doc: Document) -> list[str]:
    """A tag for each of the document's tokens: every third one begins a span of two."""
    return [("B-ORG", "I-ORG", "O")[index % 3] for index in range(len(doc.tokens))]


def conll2003(docs: Sequence[Document]) -> str:
    """As Label Studio writes it."""
    sentences = ["\n".join(f"{t} -X- _ {tag}" for t, tag in zip(doc.tokens, tags(doc), strict=True)) for doc in docs]
    return "-DOCSTART- -X- O\n" + "\n\n".join(sentences) + "\n\n"


def iob(docs: Sequence[Document]) -> str:
    """Two columns, a tab between them."""
    sentences = ["\n".join(f"{t}\t{tag}" for t, tag in zip(doc.tokens, tags(doc), strict=True)) for doc in docs]
    return "\n\n".join(sentences)


def conllu(docs: Sequence[Document]) -> str:
    """Entities in the last column."""
    lines = []
    for number, doc in enumerate(docs, 1):
        lines += [f"# sent_id = s{number}", f"# text = {' '.join(doc.tokens)}"]
        for index, (token, tag) in enumerate(zip(doc.tokens, tags(doc), strict=True), 1):
            misc = "_" if tag == "O" else f"NER={tag}"
            lines.append("\t".join([str(index), token, *"_______", misc]))
        lines.append("")
    return "\n".join(lines)


def fasttext(docs: Sequence[Document]) -> str:
    """A line for each document; a blank in a label becomes a dash."""
    lines = []
    for doc in docs:
        names = " ".join("__label__" + name.replace(" ", "-") for name in doc.labels)
        lines.append(f"{names} {' '.join(doc.text.split())}")
    return "\n".join(lines)


def brat(docs: Sequence[Document], folder: Path) -> list[Path]:
    """A pair of files for each document; the paths of those with the marks."""
    paths = []
    for number, doc in enumerate(docs, 1):
        path = folder / f"d{number:05}.ann"
        path.with_suffix(".txt").write_bytes(doc.text.encode())
        lines = [
            f"T{i}\t{label} {start} {end}\t"
            + doc.said(start, end).replace("\r", " ").replace("\n", " ").replace("\t", " ")
            for i, (start, end, label) in enumerate(doc.spans, 1)
        ]
        path.write_bytes("\n".join(lines).encode())
        paths.append(path)
    return paths

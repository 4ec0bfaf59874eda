"""Which annotation tool wrote a file: by what is in it, whatever it is called."""

import csv
import itertools
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from perennial.core.errors import SourceError
from perennial.inference import spans
from perennial.ingest.sources.annotation.formats import brat, fasttext
from perennial.ingest.sources.annotation.formats.label_studio_rows import OWN as LABEL_STUDIO_COLUMNS
from perennial.ingest.sources.annotation.opinions import Export
from perennial.ingest.sources.json_files import json_documents
from perennial.ingest.sources.json_files.json_items import json_items

HEAD = 64 << 10
"""Bytes looked at, of text that is no JSON."""
ITEMS = 20
"""Objects of JSON looked at."""
BLANK = "blank"
"""Instead of a form: nothing is in the file, or an empty array, as of a member of a project who did nothing yet."""
_SPAN_KEYS = {"start", "end", "label"}


def recognised_form(export: Export) -> str | None:
    """The form (a key of tools.FORMS) that the file is in; BLANK; None: it is no annotation tool's, as far as it tells.

    The stream is left at its beginning.
    """
    head = export.stream.read(HEAD)
    export.stream.seek(0)
    if not head.strip() or head.strip() == b"[]":
        # A document of brat's in which nothing is marked.
        return "brat" if export.name.lower().endswith(brat.MARKS) else BLANK
    if head[:4] == b"PAR1":
        return _parquet_form(export)
    if _is_docbin(head):
        return "docbin"
    text = head.decode("utf-8-sig", "replace")
    if text.lstrip()[:1] in ("{", "["):
        # One object of all rows would have to be read as a whole, and no tool writes it.
        return None if json_documents.is_long_document(head) else _json_form(export)
    lines = text.splitlines()
    whole = lines if len(head) < HEAD else lines[:-1]
    return _delimited_form(whole[0]) or _lines_form(export, whole)


def _is_docbin(head: bytes) -> bool:
    if head[:1] != b"\x78":
        return False
    try:
        return b"attrs" in zlib.decompressobj().decompress(head, 1 << 10)
    except zlib.error:
        return False


def _parquet_form(export: Export) -> str | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(export.stream).names
    except (pa.ArrowException, OSError):
        names = []
    export.stream.seek(0)
    return "potato-parquet" if {"instance_id", "user_id"} <= set(names) and "schema_name" not in names else None


def _json_form(export: Export) -> str | None:
    try:
        items = [item for _, item in itertools.islice(json_items(export.stream, export.name), ITEMS)]
    except SourceError:
        items = []
    export.stream.seek(0)
    return next((form for form, fits in _JSON.items() if items and any(map(fits, items))), None)


def _is_label_studio(item: Mapping[str, Any]) -> bool:
    people = item.get("annotations", item.get("completions"))
    return isinstance(item.get("data"), Mapping) and isinstance(people, list)


def _is_argilla(item: Mapping[str, Any]) -> bool:
    if any(name.endswith(".responses") for name in item):
        return True
    return isinstance(item.get("fields"), Mapping) and isinstance(item.get("responses"), Mapping | list)


def _is_spacy(item: Mapping[str, Any]) -> bool:
    ents, tokens = item.get("ents"), item.get("tokens")
    if not isinstance(item.get("text"), str) or not (isinstance(ents, list) or isinstance(item.get("cats"), Mapping)):
        return False
    has_tokens = isinstance(tokens, list) and all(isinstance(one, Mapping) and "start" in one for one in tokens)
    marked = isinstance(ents, list) and all(isinstance(one, Mapping) and set(one) >= _SPAN_KEYS for one in ents)
    return has_tokens or (marked and "cats" in item)


def _is_doccano(item: Mapping[str, Any]) -> bool:
    if "id" not in item or not isinstance(item.get("text", item.get("data")), str):
        return False
    entities, label = item.get("entities"), item.get("label")
    if isinstance(entities, list) and any(isinstance(one, Mapping) and "start_offset" in one for one in entities):
        return True
    if isinstance(label, list) and label and all(_is_triple(one) for one in label):
        return True
    return isinstance(item.get("Comments"), list) and any(isinstance(one, list) for one in (entities, label))


def _is_triple(value: Any) -> bool:
    return isinstance(value, list) and [type(one) for one in value] == [int, int, str]


_JSON: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "label-studio-json": _is_label_studio,
    "perennial": lambda item: {"annotator", "labelled_at", "chosen_by"} <= set(item),
    "label-studio-min": lambda item: {"annotator", "annotation_id", "lead_time"} <= set(item),
    "prodigy": lambda item: "_input_hash" in item and ("answer" in item or "_task_hash" in item),
    "argilla": _is_argilla,
    "potato-json": lambda item: {"instance_id", "user_id", "labels"} <= set(item),
    "spacy-json": _is_spacy,
    "doccano-json": _is_doccano,
}


def _delimited_form(header: str) -> str | None:
    names = next(csv.reader([header], delimiter="\t" if "\t" in header else ","), [])
    if set(names) >= set(LABEL_STUDIO_COLUMNS):
        return "label-studio-csv"
    if names[:2] == ["id", "text"] and names[-2:] == ["label", "Comments"]:
        return "doccano-csv"
    return "potato-csv" if set(names[:2]) == {"instance_id", "user_id"} else None


def _lines_form(export: Export, lines: list[str]) -> str | None:
    if export.name.lower().endswith(brat.MARKS):
        return "brat" if all(line[:1] in "TREAMN#*" for line in lines if line.strip()) else None
    filled = [line for line in lines if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    if any(line.startswith((fasttext.PREFIX, f'"{fasttext.PREFIX}')) for line in filled[:ITEMS]):
        return "fasttext"
    if filled and all(len(line.split("\t")) == 10 and line[:1].isdigit() for line in filled):
        return "conllu"
    tabbed = [line.split("\t") if "\t" in line else line.split() for line in filled]
    if tabbed and all(len(cells) >= 2 and _is_tag(cells[-1].strip()) for cells in tabbed):
        # A header such as token<TAB>tag is no tag; a table of one-word cells all called O is nothing to learn from.
        return "conll" if any(cells[-1].strip() != "O" for cells in tabbed) else None
    return None


def _is_tag(text: str) -> bool:
    try:
        spans.split(text)
    except ValueError:
        return False
    return True

"""spaCy's DocBin (`.spacy`), read without spaCy: zlib around MessagePack, strings by their 64-bit MurmurHash."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from perennial.core.errors import SourceError
from perennial.ingest.sources.annotation.formats.msgpack import unpacked
from perennial.ingest.sources.annotation.formats.spacy_json import categories
from perennial.ingest.sources.annotation.formats.spacy_symbols import SYMBOLS
from perennial.ingest.sources.annotation.opinions import Answer, Export, MarkedSpan, Opinion, Spans, Tally

ORTH, ENT_IOB, ENT_TYPE = 65, 77, 78
"""spaCy's numbers of a token's attributes: its text, and how and which entity it belongs to."""
INSIDE, BEGINS = 1, 3
"""Of ENT_IOB; 0 is unknown, 2 outside."""
_GROUPS = "document with groups of overlapping spans, which were not read (spaCy's doc.to_json() has them)"
_ANYWAY = "Or, where spaCy is installed: python -m spacy convert, or a line a document: json.dumps(doc.to_json())"
_MOST = 4 << 30
"""Bytes unpacked: more is no file of annotations."""


def docbin(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion for each document. Raises SourceError for what is no DocBin, or lacks its tokens' texts."""
    data = _data(export)
    attributes = list(data["attrs"])
    if ORTH not in attributes:
        raise _unreadable(export, "its tokens have no texts")
    names = {SYMBOLS.get(name) or murmurhash(name): name for name in (*data["strings"], *SYMBOLS)} | {0: ""}
    lengths = np.frombuffer(data["lengths"], "<i4")
    tokens = np.frombuffer(data["tokens"], "<u8").reshape(-1, len(attributes))
    spaces = np.frombuffer(data["spaces"], np.bool_)
    if len(tokens) != lengths.sum() or len(spaces) != len(tokens):
        raise _unreadable(export, "its documents and its tokens differ in number")
    columns = {attribute: tokens[:, index] for index, attribute in enumerate(attributes)}
    ends = np.cumsum(lengths)
    groups = data.get("span_groups") or []
    cats = data.get("cats") or [{}] * len(lengths)
    for number, (first, end) in enumerate(zip((ends - lengths).tolist(), ends.tolist(), strict=True), 1):
        if number <= len(groups) and _has_groups(groups[number - 1]):
            tally.change(_GROUPS, export.at("document", number))
        cut = {attribute: column[first:end].tolist() for attribute, column in columns.items()}
        try:
            yield _opinion(number, cut, spaces[first:end].tolist(), names, cats[number - 1])
        except KeyError as error:
            raise _unreadable(export, f"document {number:,} has a token whose text is not among its strings") from error


def _data(export: Export) -> Mapping[str, Any]:
    try:
        data = unpacked(zlib.decompressobj().decompress(export.stream.read(), _MOST))
    except (zlib.error, ValueError) as error:
        raise _unreadable(export, str(error)) from error
    if not isinstance(data, Mapping) or not {"attrs", "tokens", "lengths", "spaces", "strings"} <= set(data):
        raise _unreadable(export, "it lacks what a DocBin has")
    return data


def _unreadable(export: Export, reason: str) -> SourceError:
    return SourceError(f"{export.name} can't be read as spaCy's DocBin: {reason}.", remedy=f"Write it again. {_ANYWAY}")


def _has_groups(packed: Any) -> bool:
    # An empty group is a few bytes.
    return isinstance(packed, bytes) and len(packed) > 2


def _opinion(
    number: int,
    cut: Mapping[int, Sequence[int]],
    spaces: Sequence[bool],
    names: Mapping[int, str],
    cats: Mapping[str, Any],
) -> Opinion:
    words = [names[orth] for orth in cut[ORTH]]
    starts: list[int] = []
    text = ""
    for word, space in zip(words, spaces, strict=True):
        starts.append(len(text))
        text += word + " " * space
    answers: dict[str, Answer] = {}
    if ENT_TYPE in cut and ENT_IOB in cut:
        answers["ents"] = Spans(tuple(_entities(cut[ENT_IOB], [names[kind] for kind in cut[ENT_TYPE]], starts, words)))
    if cats:
        answers["cats"] = categories(cats)
    return Opinion(number, {"text": text}, answers, submitted=True)


def _entities(
    iob: Sequence[int], kinds: Sequence[str], starts: Sequence[int], words: Sequence[str]
) -> Iterator[MarkedSpan]:
    first: int | None = None
    for index in range(len(iob) + 1):
        goes_on = index < len(iob) and iob[index] == INSIDE
        if first is not None and not goes_on:
            yield MarkedSpan(starts[first], starts[index - 1] + len(words[index - 1]), kinds[first])
            first = None
        if index < len(iob) and (iob[index] == BEGINS or (goes_on and first is None)) and kinds[index]:
            first = index


def murmurhash(text: str, seed: int = 1) -> int:
    """MurmurHash64A (Appleby 2008) of a string's UTF-8, with spaCy's seed: its number for the string; 0 for none."""
    if not text:
        return 0
    data, mask, factor = text.encode("utf-8", "surrogatepass"), (1 << 64) - 1, 0xC6A4A7935BD1E995
    value = (seed ^ (len(data) * factor)) & mask
    whole = len(data) - len(data) % 8
    for position in range(0, whole, 8):
        block = int.from_bytes(data[position : position + 8], "little") * factor & mask
        block = (block ^ (block >> 47)) * factor & mask
        value = (value ^ block) * factor & mask
    if rest := data[whole:]:
        value = (value ^ int.from_bytes(rest, "little")) * factor & mask
    value = (value ^ (value >> 47)) * factor & mask
    return value ^ (value >> 47)

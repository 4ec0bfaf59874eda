"""The objects of a JSON file, one after the other: of an array, or one a line, whichever it is; memory is bounded."""

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from perennial.core.errors import SourceError, listing
from perennial.ingest.sources.base import MAX_LINE_BYTES
from perennial.ingest.sources.lines import BLOCK_BYTES

_BETWEEN = " \t\r\n,"
_NEAR_END = 16
"""Characters: an error so near to the end of what was read may be of a value that is cut there."""
_NEXT_LIST = re.compile(r'\s*,\s*("(?:[^"\\]|\\.)*")\s*:\s*\[\s*(?={)')
_REMEDY = "Copy or export the file again; nothing of it was taken in."
_DECODER = json.JSONDecoder()
Item = tuple[int, dict[str, Any]]
"""Its number, from 1, and the object."""


def json_items(
    stream: BinaryIO, name: str, decoder: json.JSONDecoder = _DECODER, offset: int | None = None, *, only: bool = False
) -> Iterator[Item]:
    """The objects of the array, or of the lines, in `stream`; `offset`: of the array that begins after so many
    characters; `only`: no other array of such objects may follow it. Raises SourceError for what is neither."""
    values = (
        _values(_blocks(stream, name), name, decoder)
        if offset is None
        else json_values(stream, name, decoder, offset, only=only)
    )
    for number, item in enumerate(values, 1):
        if not isinstance(item, dict):
            raise SourceError(
                f"{name}: item {number:,} is a {type(item).__name__}; an object was expected.",
                remedy='Write each row as an object with the columns\' names, such as {"text": "…", "label": "…"}; the '
                "export of an annotation tool, export again as the tool's JSON or JSONL.",
            )
        yield number, item


def json_values(
    stream: BinaryIO, name: str, decoder: json.JSONDecoder, offset: int, *, only: bool = False
) -> Iterator[Any]:
    """The values of the array that begins after `offset` characters; what follows it is not read."""
    return _values(_after(_blocks(stream, name), offset), name, decoder, alone=True, only=only)


def are_alike(one: object, other: object) -> bool:
    """Whether both are objects which have most names in common, or the first no other names, as one of which only the
    wanted columns were kept."""
    if not isinstance(one, dict) or not isinstance(other, dict) or not one:
        return False
    both = one.keys() & other.keys()
    return 2 * len(both) >= len(one.keys() | other.keys()) or len(both) == len(one)


def several_lists(name: str, keys: Sequence[str]) -> SourceError:
    """What to say of an object that has rows under several keys."""
    paths = ", ".join(f".{key}[]" if key.isidentifier() else f'.["{key}"][]' for key in keys[:5])
    return SourceError(
        f"{name} is one JSON object with several lists of rows, such as {listing(map(repr, keys), 5)}; which of them "
        "is meant can't be told.",
        remedy=f"Write the rows that are meant one a line, each list by its name: jq -c '{paths}'",
    )


def _after(blocks: Iterator[str], offset: int) -> Iterator[str]:
    for block in blocks:
        yield block[offset:]
        offset = max(0, offset - len(block))


def _blocks(stream: BinaryIO, name: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while block := stream.read(BLOCK_BYTES):
            yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{name} is not UTF-8: it holds the byte 0x{error.object[error.start]:02X} where none can be.",
            remedy=f"Convert it, for example with: iconv -f UTF-16 -t UTF-8 {name} > converted",
        ) from error


def _require_no_more(rest: str, last: object, name: str) -> None:
    """Raises SourceError if `rest`, which follows an array in an object, goes on with one of objects like `last`."""
    following = _NEXT_LIST.match(rest)
    if following is None:
        return
    try:
        first, _ = _DECODER.raw_decode(rest, following.end())
    except (ValueError, RecursionError):
        return
    if are_alike(last, first):
        raise several_lists(name, [json.loads(following[1])])


def _values(
    blocks: Iterator[str], name: str, decoder: json.JSONDecoder, *, alone: bool = False, only: bool = False
) -> Iterator[Any]:
    """The values, one after the other; `alone`: only those of the array they begin with; `only`: as of json_items."""
    buffer, position, number, in_array, ended, wanted = "", 0, 0, False, False, 0
    value: Any = None
    while True:
        position = _past(buffer, position, _BETWEEN)
        if position < len(buffer):
            character = buffer[position]
            if character == "[" and not in_array and not number:
                in_array, position = True, position + 1
                continue
            if character == "]" and in_array:
                if only:
                    _require_no_more(buffer[position + 1 :] + next(blocks, ""), value, name)
                if alone:
                    return
                in_array, position = False, position + 1
                continue
            if len(buffer) - position >= wanted or ended:
                try:
                    value, position = decoder.raw_decode(buffer, position)
                except (ValueError, RecursionError) as error:
                    if ended or len(buffer) - position > MAX_LINE_BYTES or not _may_go_on(error, len(buffer)):
                        raise _broken(name, number, error) from error
                    # Tried again when there is half as much again: a long object costs no more than a few looks.
                    wanted = (len(buffer) - position) * 3 // 2
                else:
                    number, wanted = number + 1, 0
                    yield value
                    continue
        if ended:
            break
        block = next(blocks, None)
        ended = block is None
        buffer, position = buffer[position:] + (block or ""), 0
    if in_array:
        raise SourceError(f"{name} ends in the middle of its JSON array: it is truncated.", remedy=_REMEDY)


def _past(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _may_go_on(error: Exception, length: int) -> bool:
    if not isinstance(error, json.JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= length - _NEAR_END


def _broken(name: str, number: int, error: Exception) -> SourceError:
    reason = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deep"
    where = f"behind item {number:,}" if number else "from its beginning"
    return SourceError(f"{name} is no JSON that can be read {where} on: {reason}.", remedy=_REMEDY)

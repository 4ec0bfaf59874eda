"""The objects of a JSON file, one after the other: of an array, or one a line, whichever it is; memory is bounded."""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from perennial.core.errors import SourceError
from perennial.ingest.sources.base import MAX_LINE_BYTES
from perennial.ingest.sources.lines import BLOCK_BYTES

_BETWEEN = " \t\r\n,"
_NEAR_END = 16
"""Characters: an error so near to the end of what was read may be of a value that is cut there."""
_REMEDY = "Copy or export the file again; nothing of it was taken in."
_DECODER = json.JSONDecoder()
Item = tuple[int, dict[str, Any]]
"""Its number, from 1, and the object."""


def json_items(
    stream: BinaryIO, name: str, decoder: json.JSONDecoder = _DECODER, offset: int | None = None
) -> Iterator[Item]:
    """The objects of the array, or of the lines, in `stream`; `offset`: of the array that begins after so many
    characters. Raises SourceError for what is neither."""
    values = (
        _values(_blocks(stream, name), name, decoder) if offset is None else json_values(stream, name, decoder, offset)
    )
    for number, item in enumerate(values, 1):
        if not isinstance(item, dict):
            raise SourceError(
                f"{name}: item {number:,} is a {type(item).__name__}; an object was expected.",
                remedy='Write each row as an object with the columns\' names, such as {"text": "…", "label": "…"}; the '
                "export of an annotation tool, export again as the tool's JSON or JSONL.",
            )
        yield number, item


def json_values(stream: BinaryIO, name: str, decoder: json.JSONDecoder, offset: int) -> Iterator[Any]:
    """The values of the array that begins after `offset` characters; what follows it is not read."""
    return _values(_after(_blocks(stream, name), offset), name, decoder, alone=True)


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


def _values(blocks: Iterator[str], name: str, decoder: json.JSONDecoder, *, alone: bool = False) -> Iterator[Any]:
    """The values, one after the other; `alone`: only those of the array they begin with."""
    buffer, position, number, in_array, ended, wanted = "", 0, 0, False, False, 0
    while True:
        position = _past(buffer, position, _BETWEEN)
        if position < len(buffer):
            character = buffer[position]
            if character == "[" and not in_array and not number:
                in_array, position = True, position + 1
                continue
            if character == "]" and in_array:
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

"""Protocol buffers as bytes: fields in, fields out. (protobuf.dev, "Encoding".)

A server has no `onnx` package and needs none: to cut a graph in two, its parts are copied as they are.
"""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Field = tuple[int, int, memoryview]
"""Number, wire type, and content: for BYTES without its length, else as it is written."""


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of `message` in their order. Raises ValueError if it is none."""
    position, end = 0, len(message)
    while position < end:
        key, start = _varint(message, position)
        kind = key & 7
        start, position = _extent(message, start, kind)
        if position > end:
            raise ValueError("a field passes the end of its message")
        yield key >> 3, kind, message[start:position]


def number(content: memoryview) -> int:
    """The value of a VARINT field's content."""
    return _varint(content, 0)[0]


def text(content: memoryview) -> str:
    """The value of a string's content."""
    return str(content, "utf-8")


def field(number_of_field: int, content: bytes | memoryview, kind: int = BYTES) -> bytes:
    """A field as it is written."""
    length = _written(len(content)) if kind == BYTES else b""
    return b"".join((_written(number_of_field << 3 | kind), length, content))


def integer(number_of_field: int, value: int) -> bytes:
    """A field that holds a number of 0 or more."""
    return field(number_of_field, _written(value), VARINT)


def _extent(message: memoryview, start: int, kind: int) -> tuple[int, int]:
    """Where the content of a field begins and ends, if what follows its key lies at `start`."""
    if kind == BYTES:
        length, start = _varint(message, start)
        return start, start + length
    if kind == VARINT:
        return start, _varint(message, start)[1]
    if kind in {FIXED32, FIXED64}:
        return start, start + (8 if kind == FIXED64 else 4)
    raise ValueError(f"wire type {kind} is none that is in use")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if position >= len(message):
            raise ValueError("a number passes the end of its message")
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a number has more than ten bytes")


def _written(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)

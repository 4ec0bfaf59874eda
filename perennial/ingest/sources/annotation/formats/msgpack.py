"""The part of MessagePack that spaCy writes, read without its library: no value of it can run anything."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

_FIXED: Mapping[int, str] = MappingProxyType(
    {
        0xCA: ">f",
        0xCB: ">d",
        0xCC: ">B",
        0xCD: ">H",
        0xCE: ">I",
        0xCF: ">Q",
        0xD0: ">b",
        0xD1: ">h",
        0xD2: ">i",
        0xD3: ">q",
    }
)
_SINGLE: Mapping[int, Any] = MappingProxyType({0xC0: None, 0xC2: False, 0xC3: True})
_LENGTHS = (">B", ">H", ">I")
_BYTES, _TEXTS, _LISTS, _MAPS = 0xC4, 0xD9, 0xDC, 0xDE
_DEPTH = 50


def unpacked(data: bytes) -> Any:
    """The value that `data` holds. Raises ValueError for what is no MessagePack, or cut short."""
    try:
        value, end = _value(data, 0, 0)
    except (struct.error, IndexError) as error:
        raise ValueError("it ends in the middle of a value") from error
    if end != len(data):
        raise ValueError("it goes on behind its value")
    return value


def _value(data: bytes, position: int, depth: int) -> tuple[Any, int]:
    if depth > _DEPTH:
        raise ValueError("it is nested too deep")
    sign = data[position]
    position += 1
    if sign < 0x80:
        return sign, position
    if sign >= 0xE0:
        return sign - 0x100, position
    if sign < 0x90:
        return _map(data, position, sign & 0x0F, depth)
    if sign < 0xA0:
        return _list(data, position, sign & 0x0F, depth)
    if sign < 0xC0:
        return _text(data, position, sign & 0x1F, depth)
    if sign in _SINGLE:
        return _SINGLE[sign], position
    if sign in _FIXED:
        return struct.unpack_from(_FIXED[sign], data, position)[0], position + struct.calcsize(_FIXED[sign])
    return _long(data, position, sign, depth)


def _long(data: bytes, position: int, sign: int, depth: int) -> tuple[Any, int]:
    for first, lengths, read in _LONG:
        if first <= sign < first + len(lengths):
            form = lengths[sign - first]
            (size,) = struct.unpack_from(form, data, position)
            return read(data, position + struct.calcsize(form), size, depth)
    raise ValueError(f"it holds a value of a form (0x{sign:02X}) that is not expected there")


def _bytes(data: bytes, position: int, size: int, _: int) -> tuple[Any, int]:
    if position + size > len(data):
        raise IndexError(position)
    return data[position : position + size], position + size


def _text(data: bytes, position: int, size: int, depth: int) -> tuple[Any, int]:
    raw, end = _bytes(data, position, size, depth)
    return raw.decode(), end


def _list(data: bytes, position: int, size: int, depth: int) -> tuple[Any, int]:
    items = []
    for _ in range(size):
        item, position = _value(data, position, depth + 1)
        items.append(item)
    return items, position


def _map(data: bytes, position: int, size: int, depth: int) -> tuple[Any, int]:
    items = {}
    for _ in range(size):
        key, position = _value(data, position, depth + 1)
        items[key], position = _value(data, position, depth + 1)
    return items, position


_LONG: tuple[tuple[int, tuple[str, ...], Callable[[bytes, int, int, int], tuple[Any, int]]], ...] = (
    (_BYTES, _LENGTHS, _bytes),
    (_TEXTS, _LENGTHS, _text),
    (_LISTS, _LENGTHS[1:], _list),
    (_MAPS, _LENGTHS[1:], _map),
)

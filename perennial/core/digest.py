"""Digests: one canonical way to hash files and settings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

CHUNK_BYTES = 1 << 20


def of_file(path: Path) -> str:
    """The sha256 of the file at `path`, in hex; reads it once, in chunks."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def of_values(**values: object) -> str:
    """The sha256, in hex, of named values: records, settings, strings, numbers, lists, mappings."""
    return hashlib.sha256(_canonical(values).encode()).hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return value.as_posix()
    raise TypeError(f"expected a record, mapping, path or plain value to hash, got {type(value).__name__}")

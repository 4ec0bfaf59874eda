"""Texts of which people said different things: kept beside the snapshot, for `perennial review` to show."""

import json
from collections.abc import Sequence
from typing import Any

from perennial.core.home import Home
from perennial.core.store import write_atomically

FILE = "differing.jsonl"


def write(home: Home, pipeline: str, rows: Sequence[dict[str, Any]]) -> None:
    """Keep `rows` in place of those that were kept before."""
    path = home.state(pipeline) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read(home: Home, pipeline: str) -> list[dict[str, Any]]:
    """The rows that were kept; none: nobody disagrees, or no export with several people was read."""
    try:
        lines = (home.state(pipeline) / FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line]

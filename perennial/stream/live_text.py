"""A live text as a source gives it, and as it is stored once it was answered.

Stored texts are the table that all monitoring stands on: trends, alarms, health, what to label, the dashboard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pyarrow as pa

Telling = Literal["first", "copy", "near copy", "retelling"]
"""The first text of a story, the very same text again, nearly the same one, or the story in other words."""


@dataclass(frozen=True, slots=True)
class LiveText:
    """One text of the stream, before it is answered."""

    id: str
    text: str
    time: datetime
    """When it was published, aware; where the source does not say, when it was read."""
    source: str = ""
    """Who published it."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Other columns that are stored."""


def stored_schema() -> pa.Schema:
    """The columns of stored texts; a row a text, in the order in which they were read."""
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.string()),  # Redacted, if the pipeline asks for it.
            ("time", time),  # When it was published.
            ("read", time),  # When it was read.
            ("source", pa.string()),
            ("story", pa.string()),  # The id of the story's first text.
            ("telling", pa.string()),  # One of Telling.
            ("model", pa.string()),  # The version that answered, as text.
            ("label", pa.string()),  # Its answer.
            ("score", pa.float64()),  # How sure it was of it, 0 to 1.
            ("scores", pa.list_(pa.float32())),  # Of each label, in the package's order.
            ("topic", pa.list_(pa.string())),
            ("entities", pa.list_(pa.string())),  # As written, each once.
            ("kept", pa.map_(pa.string(), pa.string())),
        ]
    )

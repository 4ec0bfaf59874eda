"""Stored live texts, as `perennial monitor` leaves them."""

from datetime import UTC, datetime
from typing import Any

START = datetime(2026, 3, 1, tzinfo=UTC)


def stored(row_id: str, text: str, **changes: Any) -> dict[str, Any]:
    """A row of the store, by `stored_schema`."""
    row = {
        "id": row_id, "text": text, "time": START, "read": START, "source": "wire", "story": row_id, "telling": "first",
        "model": "1", "label": "negative", "score": 0.5, "scores": [0.5, 0.3, 0.2], "topic": [], "entities": [],
        "kept": [],
    }  # fmt: skip
    return row | changes

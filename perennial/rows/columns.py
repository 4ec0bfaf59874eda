"""The canonical columns of a row: what every step after a source sees, whatever the source looked like."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

ROW_ID = "row_id"
TEXT_KEY = "text_key"
SPLIT = "split"
TIME = "time"
FILE = "file"
LINE = "line"

"""Cells that people open in a spreadsheet: cut, without NUL, and never a formula."""

from __future__ import annotations

MAX_CELL = 32_000
"""Characters; a spreadsheet's cell holds 32,767."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(value: object) -> object:
    """`value` as a spreadsheet can hold it: cut, without NUL, and never a formula."""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "␀")
    if len(text) > MAX_CELL:
        text = f"{text[:MAX_CELL]} … ({len(value):,} characters in all)"
    return f"'{text}" if text.startswith(FORMULA) else text


def unsafe(cell: str) -> str:
    """A short cell as it was before `safe`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell

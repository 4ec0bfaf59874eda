"""What a report's sections are made of. The template shows blocks; it knows nothing of models or metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Tone = Literal["", "good", "bad", "doubt", "quiet"]
"""How a word is coloured; what it means is always said in words, too."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str
    tone: Tone = ""
    strong: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under headings, the first column naming the row."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    caption: str = ""
    words: frozenset[int] = frozenset()
    """Columns after the first that hold words; the others hold numbers."""
    folded: bool = False
    """Shown when asked for, and in print."""
    stacked: bool = False
    """On a narrow screen each row becomes a card, for tables that are too wide to be scrolled in comfort."""

    block = "table"


@dataclass(frozen=True)
class Chart:
    """A figure as Plotly takes it, and what it shows in words."""

    name: str
    """Of the element; there once in a page."""
    title: str
    caption: str
    figure: Mapping[str, Any]
    height: int
    """Pixels."""

    block = "chart"


@dataclass(frozen=True)
class Matrix:
    """Counts of true labels (down) by predicted labels (across), shaded by their share of the row."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    caption: str

    block = "matrix"

    def share(self, row: int, column: int) -> float:
        """Of the rows with this true label, 0 to 1."""
        return self.counts[row][column] / max(sum(self.counts[row]), 1)


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str
    tone: Tone = ""

    block = "words"


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    rows: tuple[tuple[str, str], ...]

    block = "facts"


Block = Table | Chart | Matrix | Words | Facts


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading."""

    name: str
    """Of the element, for links."""
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Tile:
    """One figure of the page's head."""

    name: str
    value: str
    note: str = ""

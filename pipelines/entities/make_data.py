"""Writes the synthetic headlines in data/, with their entities: the same bytes on every machine and every Python.

    python pipelines/entities/make_data.py

headlines.txt and words.txt are a small grammar. Names are put together from parts, so most of those a model is judged
on are new to it: what tells them apart is how they are built and what stands around them. README.md says what is a
span, and of which label.
"""

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from headlines import RANGE, SLOT, Draws, Grammar, key, moment, read_grammar, write_months

HERE = Path(__file__).parent
SEED = 20260703
LABELS = ("ORG", "PER", "LOC", "AMOUNT")
PLAIN = 0.10  # share of rows without an entity
NOISE = 0.01  # share of spans that are left out, mislabelled or cut short
RECURRING = {"ORG": 0.3, "PER": 0.2}  # share of names that were in the news before; in the last part half of it
NEW_NAMES = 0.6  # share of the words of the last part that are taken from its own lists, where there are any
NEW_HEADLINES = 0.15  # share of rows of the last part that have a form only that part knows
LAST = "2026-09"
PARTS = {"2026-07": 1000, "2026-08": 1000, LAST: 1000}  # month → rows


class Span(NamedTuple):
    """Characters [start, end) of a text, and what they name."""

    start: int
    end: int
    label: str


class Row(NamedTuple):
    """A line of a data file."""

    text: str
    spans: list[Span]
    published_at: str


class Writer(Draws):
    """Composes headlines of one month after another, and remembers the names that were in them."""

    def __init__(self, rng: random.Random, grammar: Grammar) -> None:
        super().__init__(rng)
        self._grammar = grammar
        self._known: dict[str, list[str]] = {label: [] for label in RECURRING}
        self.month = min(PARTS)

    def item(self, heading: str) -> str:
        """An item under the heading, or under its namesake for the last part."""
        new = self._grammar.get(f"{heading} | {LAST}") if self.month == LAST and self.chance(NEW_NAMES) else None
        return self.pick(new or self._grammar[heading])

    def headline(self, heading: str) -> tuple[str, list[Span]]:
        """A text of the form drawn under the heading, and its spans: sorted, apart from one another."""
        text, spans = "", list[Span]()
        case = self._case()
        pieces = [piece for piece in self.expand(self.item(heading)) if piece[0]]
        first, label = pieces[0]
        pieces[0] = first[0].upper() + first[1:], label
        for piece, label in pieces:
            if piece.startswith((",", ";", " ")):
                text = text.rstrip()
            start = len(text)
            text += case(piece) if label else case(re.sub(" +", " ", piece))
            if label:
                spans.append(Span(start, len(text), label))
        return text.rstrip(), spans

    def expand(self, form: str) -> list[tuple[str, str | None]]:
        """The form with every slot filled: pieces of text, each with the label of its entity or None."""
        pieces: list[tuple[str, str | None]] = []
        for place, part in enumerate(SLOT.split(form)):
            label, _, heading = part.partition(":")
            if place % 2 == 0:
                pieces.append((part, None))
            elif label in LABELS:
                pieces.append((self.name(label, heading), label))
            elif limits := RANGE.fullmatch(part):
                low, high = map(int, limits.groups())
                pieces.append((str(self.number(low, high)), None))
            elif not part.endswith("?") or self.chance(0.5):
                pieces += self.expand(self.item(part.removesuffix("?")))
        return pieces

    def name(self, label: str, heading: str = "") -> str:
        """An entity of this label: one that was in the news before, or a new one, made as the heading says."""
        known = self._known.get(label, [])
        share = RECURRING.get(label, 0) / (2 if self.month == LAST else 1)
        if known and not heading and self.chance(share):
            return self.pick(known)
        name = "".join(piece for piece, _ in self.expand(self.item(heading or label)))
        if label in self._known and not heading:
            known.append(name)
        return name

    def spoil(self, text: str, spans: list[Span]) -> list[Span]:
        """As an annotator slips: now and then a span is missing, mislabelled, or lacks its first or last word."""
        kept = []
        for span in spans:
            slip = int(self._rng.random() * 3) if self.chance(NOISE) else None
            words = text[span.start : span.end].split(" ")
            if slip == 1 and span.label != "AMOUNT":
                kept.append(span._replace(label={"ORG": "PER", "PER": "ORG", "LOC": "ORG"}[span.label]))
            elif slip == 2 and len(words) > 1:
                cut = span._replace(start=span.start + len(words[0]) + 1)
                kept.append(span._replace(end=span.end - len(words[-1]) - 1) if self.chance(0.5) else cut)
            elif slip is None:
                kept.append(span)
        return kept

    def moment(self) -> str:
        """When the headline came, in the month."""
        return moment(self._rng, self.month)

    def _case(self) -> Callable[[str], str]:
        case = self._rng.random()
        return str.upper if case < 0.05 else str.lower if case < 0.10 else str


def fill(writer: Writer, month: str, seen: set[str]) -> list[Row]:
    """A month's rows, oldest first. No text, and within a text no name, is there twice."""
    writer.month = month
    rows: list[Row] = []
    plain = round(PARTS[month] * PLAIN)
    while len(rows) < PARTS[month]:
        new = month == LAST and writer.chance(NEW_HEADLINES)
        heading = "plain" if len(rows) < plain else f"usual | {LAST}" if new else "usual"
        text, spans = writer.headline(heading)
        names = [key(text[span.start : span.end]) for span in spans]
        if key(text) not in seen and len(names) == len(set(names)):
            seen.add(key(text))
            rows.append(Row(text, writer.spoil(text, spans), writer.moment()))
    return sorted(rows, key=lambda row: row.published_at)


def parts() -> dict[str, list[Row]]:
    """All rows by month."""
    grammar = read_grammar(HERE / "words.txt", ";") | read_grammar(HERE / "headlines.txt", "\n")
    writer, seen = Writer(random.Random(SEED), grammar), set[str]()
    return {month: fill(writer, month, seen) for month in PARTS}


def line(row: Row) -> dict[str, Any]:
    """The row as a line of its file has it."""
    return row._asdict() | {"spans": [span._asdict() for span in row.spans]}


def write(folder: Path) -> list[Path]:
    """Writes one JSONL file a month into `folder` and returns their paths."""
    return write_months(folder, {month: [line(row) for row in rows] for month, rows in parts().items()})


if __name__ == "__main__":
    for written_path in write(HERE / "data"):
        sys.stdout.write(f"{written_path.relative_to(HERE)}\n")

"""What the generators of these pipelines share: lists of words, draws, the times of rows, files of a month.

Only random() is used of Python's generator: it keeps its sequence from version to version.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

SLOT = re.compile(r"\{([^{}]+)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
WEIGHT = re.compile(r"(\d+)× ?")

T = TypeVar("T")
Sections = dict[tuple[str, ...], list[str]]  # heading, in its parts → items
Grammar = dict[str, list[str]]  # heading → items, each as often as its weight


def read_sections(path: Path, separator: str = ";", *, with_empty: bool = False) -> Sections:
    """The items under each "# heading | of | parts"; lines above the first heading are remarks.

    `with_empty`: what stands between two separators is an item even where that is nothing.
    """
    sections: Sections = {}
    items: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            items = sections.setdefault(tuple(part.strip() for part in line[1:].split("|")), [])
        elif line:
            items += [item.strip() for item in line.split(separator) if with_empty or item.strip()]
    return sections


def read_grammar(path: Path, separator: str) -> Grammar:
    """The items under each "# heading"; lines above the first heading are remarks."""
    grammar: Grammar = {}
    items: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            items = grammar.setdefault(line[1:].strip(), [])
            continue
        for item in filter(None, map(str.strip, line.split(separator))):
            weight = WEIGHT.match(item)
            items += [item[weight.end() :]] * int(weight[1]) if weight else [item]
    return grammar


class Draws:
    """What a writer draws by chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def chance(self, share: float) -> bool:
        """True in this share of calls."""
        return self._rng.random() < share

    def pick(self, options: Sequence[T]) -> T:
        """One of `options`."""
        return options[int(self._rng.random() * len(options))]

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._rng.random() * (high - low + 1))


def third_person(base: str) -> str:
    """The phrase with its first word, a verb in the base form, as it follows he or she."""
    verb, _, rest = base.partition(" ")
    irregular = {"be": "is", "have": "has", "do": "does", "go": "goes"}
    if verb.endswith("y") and verb[-2] not in "aeou":
        verb = f"{verb[:-1]}ie"
    ending = "es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s"
    return f"{irregular.get(verb, verb + ending)} {rest}"


def recase(rng: random.Random, text: str, upper: float = 0.03, lower: float = 0.04) -> str:
    """Headlines as they come: in these shares in capitals, or in lower case."""
    case = rng.random()
    return text.upper() if case < upper else text.lower() if case < upper + lower else text


def moment(rng: random.Random, month: str) -> str:
    """A second of the month, mostly on a working day in business hours, as ISO 8601 in UTC."""
    year, number = map(int, month.split("-"))
    while True:
        day = 1 + int(rng.random() * (31 if number in (7, 8) else 30))
        hour = int((rng.random() + rng.random() + rng.random()) * 8)
        when = datetime(year, number, day, hour, int(rng.random() * 60), int(rng.random() * 60), tzinfo=UTC)
        if when.weekday() < 5 or rng.random() < 0.15:
            return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def key(text: str) -> str:
    """Texts with the same key count as the same."""
    return " ".join(text.casefold().split())


def write_months(folder: Path, months: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Path]:
    """Writes one JSONL file a month into `folder` and returns their paths."""
    paths = []
    for month, rows in months.items():
        paths.append(folder / f"{month}.jsonl")
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        paths[-1].write_bytes("".join(lines).encode())
    return paths

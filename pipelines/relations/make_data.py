"""Writes the synthetic headlines in data/, each with a question about two of its companies: the same bytes every time.

    python pipelines/relations/make_data.py

headlines.txt and words.txt are a small grammar; each headline says which relations it states. Which two companies are
asked about, and in which order, is drawn here, so the same words may be answered by a relation or by "none". README.md
says what counts as what.
"""

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from headlines import RANGE, SLOT, Draws, Grammar, moment, read_grammar, recase, write_months

HERE = Path(__file__).parent
SEED = 20260704
LABELS = ("acquires", "supplies", "sues", "competes", "none")
SYMMETRIC = "competes"  # the only relation that holds both ways
REVERSED = 0.45  # share of rows labelled "none" that state a relation, asked about the wrong way round
BYSTANDER = 0.28  # share of them that ask about two companies of a headline between which nothing is said
WRONG_LABELS = 0.015
NEW_NAMES = 0.6  # share of the words of the last part that are taken from its own lists, where there are any
NEW_HEADLINES = 0.15  # share of rows of the last part that have a form only that part knows
OPENERS = 0.06
DESCRIBED = 0.45  # share of names with words before them; as many have some after
OPTIONAL = 0.5  # share of the slots with a "?" that are filled
LAST = "2026-09"
# Month → rows of each label. The last part has a few more takeovers.
PARTS = {"2026-07": (110, 110, 110, 110, 360), "2026-08": (110, 110, 110, 110, 360), LAST: (130, 110, 105, 105, 350)}
FIRMS = ("X", "Y", "Z", "W")


Facts = frozenset[tuple[str, str, str]]  # (relation, subject, object), the companies by their letters


class Form(NamedTuple):
    """A headline with slots, and the relations it states."""

    text: str
    facts: Facts
    month: str | None


class Row(NamedTuple):
    """A line of a data file."""

    text: str
    text_pair: str
    label: str
    published_at: str


def read_forms(path: Path) -> list[Form]:
    """Every headline of the file, with what its heading says of it."""
    forms = []
    for heading, texts in read_grammar(path, "\n").items():
        said, _, month = heading.partition(" | ")
        facts = {(fact[0], fact[1], fact[2]) for fact in map(str.split, said.split(", ")) if len(fact) == 3}
        facts |= {(relation, two, one) for relation, one, two in facts if relation == SYMMETRIC}
        forms += [Form(text, frozenset(facts), month or None) for text in texts]
    return forms


class Writer(Draws):
    """Composes the rows of one month after another."""

    def __init__(self, rng: random.Random, words: Grammar, forms: list[Form]) -> None:
        super().__init__(rng)
        self._words, self._forms = words, forms
        self.month = min(PARTS)

    def row(self, label: str) -> Row:
        """A headline whose question has this answer."""
        form, one, two = self.question(label)
        names = self.names()
        marked = {one: f"@ {names[one]} @", two: f"# {names[two]} #"}
        text = self.fill(form.text, {firm: self.describe(name) for firm, name in (names | marked).items()})
        if self.chance(OPENERS):
            text = f"{self.item('opener')} {text}"
        return Row(self.tidy(text), f"{names[one]} and {names[two]}", self.slip(label), moment(self._rng, self.month))

    def question(self, label: str) -> tuple[Form, str, str]:
        """A form, and the letters of the two companies to ask about, first and second."""
        if label != "none":
            form = self.form(lambda facts: any(fact[0] == label for fact in facts))
            _, one, two = self.pick(sorted(fact for fact in form.facts if fact[0] == label))
            return form, one, two
        kind = self._rng.random()
        if kind < REVERSED:
            form = self.form(lambda facts: any(fact[0] != SYMMETRIC for fact in facts))
            _, one, two = self.pick(sorted(fact for fact in form.facts if fact[0] != SYMMETRIC))
            return form, two, one
        if kind < REVERSED + BYSTANDER:
            form = self.form(bool, together=3)
            related = {frozenset(fact[1:]) for fact in form.facts}
            there = [firm for firm in FIRMS if f"{{{firm}}}" in form.text]
            pairs = [(one, two) for one in there for two in there if one != two and {one, two} not in related]
            return (form, *self.pick(pairs)) if pairs else self.question(label)
        form = self.form(lambda facts: not facts)
        return (form, "X", "Y") if self.chance(0.7) else (form, "Y", "X")

    def form(self, wanted: Callable[[Facts], bool], together: int = 2) -> Form:
        """A form of this month whose facts are wanted, with at least so many companies."""
        new = self.month == LAST and self.chance(NEW_HEADLINES)
        fitting = [
            form
            for form in self._forms
            if wanted(form.facts)
            and sum(f"{{{firm}}}" in form.text for firm in FIRMS) >= together
            and form.month == (LAST if new and together == 2 else None)
        ]
        return self.pick(fitting)

    def names(self) -> dict[str, str]:
        """Four companies with nothing in common."""
        while True:
            names = {firm: self.fill(self.item("firm"), {}) for firm in FIRMS}
            words = [word for name in names.values() for word in re.split(r"\W+", name)]
            if len(words) == len(set(words)):
                return names

    def describe(self, name: str) -> str:
        """The name, often with words before and after it, so that the verb is seldom its neighbour."""
        before = f"{self.item('d')} " if self.chance(DESCRIBED) else ""
        return before + name + (f" {self.item('town')}" if self.chance(DESCRIBED) else "")

    def fill(self, form: str, names: dict[str, str]) -> str:
        """The form with every slot filled."""
        text = ""
        for place, part in enumerate(SLOT.split(form)):
            if place % 2 == 0:
                text += part
            elif part in FIRMS:
                text += names[part]
            elif limits := RANGE.fullmatch(part):
                low, high = map(int, limits.groups())
                text += str(self.number(low, high))
            elif not part.endswith("?") or self.chance(OPTIONAL):
                text += self.fill(self.item(part.removesuffix("?")), names)
        return text

    def item(self, heading: str) -> str:
        """An item under the heading, or under its namesake for the last part."""
        new = self._words.get(f"{heading} | {LAST}") if self.month == LAST and self.chance(NEW_NAMES) else None
        return self.pick(new or self._words[heading])

    def tidy(self, text: str) -> str:
        """One space between words, none before a comma, a capital at the start; some in capitals or lower case."""
        text = re.sub(r" +(?=[,;:?])", "", " ".join(text.split()))
        text = text[0].upper() + text[1:]
        return recase(self._rng, text, upper=0.04)

    def slip(self, label: str) -> str:
        """As an annotator slips: now and then another label."""
        if not self.chance(WRONG_LABELS):
            return label
        return self.pick([other for other in LABELS if other != label])


def key(row: Row) -> str:
    """Rows with the same key count as the same: the headline without its marks."""
    return " ".join(re.sub("[@#]", "", row.text).casefold().split())


def parts() -> dict[str, list[Row]]:
    """All rows by month, oldest first."""
    writer = Writer(random.Random(SEED), read_grammar(HERE / "words.txt", ";"), read_forms(HERE / "headlines.txt"))
    months: dict[str, list[Row]] = {}
    seen: set[str] = set()
    for month, counts in PARTS.items():
        writer.month = month
        rows: list[Row] = []
        for label, count in zip(LABELS, counts, strict=True):
            goal = len(rows) + count
            while len(rows) < goal:
                row = writer.row(label)
                if key(row) not in seen:
                    seen.add(key(row))
                    rows.append(row)
        months[month] = sorted(rows, key=lambda row: row.published_at)
    return months


def write(folder: Path) -> list[Path]:
    """Writes one JSONL file a month into `folder` and returns their paths."""
    return write_months(folder, {month: [row._asdict() for row in rows] for month, rows in parts().items()})


if __name__ == "__main__":
    for written_path in write(HERE / "data"):
        sys.stdout.write(f"{written_path.relative_to(HERE)}\n")

"""Writes the synthetic headlines in data/: the same bytes on every machine and every Python.

    python pipelines/intensity/make_data.py

Headlines are composed from words.txt, and their worth from the same pieces: what moved, how far, which way, against
which expectation, and how certain it is. A word alone says little: README.md has the rules.
"""

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from headlines import Draws, Sections, moment, read_sections, recase, third_person, write_months

HERE = Path(__file__).parent
SEED = 20260703
PARTS = {"2026-07": 790, "2026-08": 810, "2026-09": 800}  # month → rows
NOISE = 0.08  # standard deviation of what two readers make of the same headline
LARGE = 50  # a change by so many per cent is as strong as a change gets

Row = dict[str, str | float]  # a line of a data file


class Headline(NamedTuple):
    """A text and what it is worth to a holder of the shares, from -1 to 1."""

    text: str
    worth: float


class Move(NamedTuple):
    """A verb of change; `strength` is from -1, down, to 1, up."""

    past: str
    noun: str
    strength: float


class Writer(Draws):
    """Draws the words of one headline about one company."""

    def __init__(self, rng: random.Random, words: Sections) -> None:
        super().__init__(rng)
        self._words = words
        self.firm, self.period = self.word("firm"), self.word("period")

    def word(self, *heading: str) -> str:
        """An item under a heading of words.txt, its choices made."""
        text = re.sub(r"\[([^]]*)\]", lambda choice: self.pick(choice[1].split("/")), self.pick(self._words[heading]))
        return text.replace("{n}", str(self.number(3, 39)))

    def valued(self, kind: str, sign: int = 0) -> tuple[str, float]:
        """An item of this kind and the number of its heading: any, or only one of this sign."""
        numbers = [heading[1] for heading in self._words if heading[0] == kind]
        number = self.pick([number for number in numbers if not sign or float(number) * sign > 0])
        return self.word(kind, number), float(number)

    def event(self, sign: int = 0) -> Headline:
        """What the company does, in the base form."""
        return Headline(*self.valued("event", sign))

    def metric(self, sign: int = 0) -> tuple[str, float]:
        """A metric that matters and how much, below 0 if less of it is better."""
        return self.valued("metric", sign or self.pick((1, -1)))

    def move(self, sign: int = 0) -> Move:
        """A verb of change."""
        words, strength = self.valued("move", sign)
        past, noun = words.split("/")
        return Move(past, noun, strength)

    def scope(self) -> tuple[str, float]:
        """Often nothing, else how much of the company it concerns, and by what that multiplies the worth."""
        words, factor = ("", 1.0) if self.chance(0.6) else self.valued("scope")
        return f" {words}" if words else "", factor


def measured(w: Writer) -> tuple[str, str, float]:
    """A metric and its move, with an adverb, a figure or nothing: (metric, what it did, worth)."""
    (metric, weight), move = w.metric(), w.move()
    strength, middling = move.strength, 0.3 < abs(move.strength) < 0.6
    did, size = move.past, w.number(1, 60)
    if middling and w.chance(0.4):
        adverb, factor = w.valued("adverb")
        did, strength = f"{did} {adverb}", strength * factor
    elif middling and w.chance(0.7):
        did = f"{did} {w.pick((f'{size}%', f'by {size}%', f'by {size} per cent'))}"
        strength *= 0.4 + 1.6 * min(1.0, size / LARGE)
    return metric, did, weight * strength


def moves(w: Writer) -> Headline:
    """A metric went up or down."""
    metric, did, worth = measured(w)
    scope, factor = w.scope()
    texts = (
        f"{w.firm}: {metric} {did}{scope}",
        f"{w.firm} says {metric} {did}{scope}",
        f"{w.firm} reports that {metric} {did}{scope} {w.period}",
        f"At {w.firm}, {metric} {did}{scope}",
    )
    return Headline(w.pick(texts), worth * factor)


def surprises(w: Writer) -> Headline:
    """A metric moved more, less, or as much as expected: the surprise is most of the news."""
    (metric, weight), move, by = w.metric(), w.move(), w.pick((2, 1, 1, 0, -1, -1, -2))
    if not 0.3 < abs(move.strength) < 0.8:
        return surprises(w)  # nobody expects a collapse, and an inch is no surprise
    worth = weight * move.strength
    loaded = w.pick(("hoped", "promised")) if worth > 0 else w.pick(("feared", "dreaded"))
    than = w.pick((loaded, loaded, "expected", "forecast", "analysts had pencilled in"))
    how = {2: "far more than", 1: "more than", 0: "just as", -1: "less than", -2: "far less than"}[by]
    sign = 1 if worth > 0 else -1
    return Headline(f"{w.firm}: {metric} {move.past} {how} {than}", 0.3 * worth + 0.28 * sign * by)


def happens(w: Writer) -> Headline:
    """An event, plainly."""
    text, worth = w.event()
    return Headline(f"{w.firm} {third_person(text)}", worth)


def uncertain(w: Writer) -> Headline:
    """An event that may come is worth a part of it, by how likely it sounds."""
    text, worth = w.event()
    texts = (
        (f"{w.firm} is about to {text}, the company confirms", 0.9),
        (f"{w.firm} will {text}, people close to it say", 0.7),
        (f"{w.firm} may {text}, newspaper reports", 0.5),
        (f"{w.firm} could some day {text}, a blogger muses", 0.15),
        (f"{w.firm} is unlikely to {text}, analysts say", 0.1),
    )
    told, share = w.pick(texts)
    return Headline(told, worth * share)


def unhappened(w: Writer) -> Headline:
    """An event that was expected does not come: the reverse of a part of it. One that was never likely: nothing."""
    text, worth = w.event()
    texts = (
        (f"{w.firm} will not {text} after all", -0.5),
        (f"{w.firm} no longer {w.pick(('expects', 'hopes' if worth > 0 else 'has'))} to {text}", -0.5),
        (f"{w.firm} had been sure to {text}; now that is off", -0.6),
        (f"{w.firm} denies an old rumour that it would {text}", 0),
        (f"{w.firm} did not {text}, contrary to a hoax on the web", 0),
    )
    told, share = w.pick(texts)
    return Headline(told, worth * share)


def weighed(w: Writer) -> Headline:
    """Good and bad: the main clause decides, the other takes a little off; or they are said to cancel."""
    main, side = (1, -1) if w.chance(0.5) else (-1, 1)
    first, second = w.event(main), w.event(side)
    told, also = third_person(first.text), third_person(second.text)
    worth = first.worth + 0.3 * second.worth
    texts = (
        (f"{w.firm} {also} but, more important, {told}", worth),
        (f"Although it {also}, what counts is that {w.firm} {told}", worth),
        (f"{w.firm} {told}, which outweighs that it {also}", worth),
        (f"{w.firm} {told} and {also}; one makes up for the other", 0.0),
        (f"{w.firm} {told} and {also}: no net effect, analysts say", 0.0),
    )
    return Headline(*w.pick(texts))


def twice(w: Writer) -> Headline:
    """Two facts that point the same way."""
    first = w.event()
    sign = 1 if first.worth > 0 else -1
    second, move = w.event(sign), w.move(sign)
    texts = (
        (f"{w.firm} {third_person(first.text)} and {third_person(second.text)}", second.worth),
        (f"{w.firm} {third_person(first.text)} after {move.noun} in {w.metric(1)[0]}", move.strength),
    )
    told, more = w.pick(texts)
    return Headline(told, first.worth + 0.4 * more)


def trivia(w: Writer) -> Headline:
    """Nothing a holder would act on, however far it moved."""
    moved = f"says {w.word('metric', '0')} {w.move().past} {w.period}"
    told = third_person(w.word("trivia"))
    return Headline(f"{w.firm} {w.pick((told, told, moved))}", 0)


FRAMES: tuple[tuple[Callable[[Writer], Headline], int], ...] = (
    (moves, 24),
    (surprises, 11),
    (happens, 22),
    (uncertain, 9),
    (unhappened, 9),
    (weighed, 8),
    (twice, 6),
    (trivia, 11),
)
DRAWN = tuple(frame for frame, weight in FRAMES for _ in range(weight))


def annotate(rng: random.Random, worth: float) -> float:
    """The worth as one reader puts it: with noise, of two decimals, from -1 to 1."""
    # Twelve uniform draws less six are close to a standard normal one; whole numbers add up alike everywhere.
    draws = sum(int(rng.random() * 1000) for _ in range(12)) / 1000 - 6
    clipped = max(-1.0, min(1.0, max(-1.0, min(1.0, worth)) + NOISE * draws))
    return round(clipped, 2) + 0.0  # no -0.0


def parts() -> dict[str, list[Row]]:
    """All rows by month, oldest first, no text twice."""
    rng = random.Random(SEED)
    words = read_sections(HERE / "words.txt", with_empty=True)
    seen: set[str] = set()
    months: dict[str, list[Row]] = {month: [] for month in PARTS}
    for month, rows in months.items():
        while len(rows) < PARTS[month]:
            writer = Writer(rng, words)
            headline = writer.pick(DRAWN)(writer)
            text = recase(rng, headline.text)
            if text.casefold() not in seen:
                seen.add(text.casefold())
                intensity = annotate(rng, headline.worth)
                rows.append({"text": text, "intensity": intensity, "published_at": moment(rng, month)})
        rows.sort(key=lambda row: row["published_at"])
    return months


def write(folder: Path) -> list[Path]:
    """Writes one JSONL file a month into `folder` and returns their paths."""
    return write_months(folder, parts())


if __name__ == "__main__":
    for written_path in write(HERE / "data"):
        sys.stdout.write(f"{written_path.relative_to(HERE)}\n")

"""Writes the synthetic headlines in data/: the same bytes on every machine and every Python.

    python pipelines/sentiment/make_data.py

Hand-written headlines come from handwritten.txt; the others are composed from words.txt so that a word alone says
little: whether "rose" is good news depends on what rose, on what was expected, and on which clause carries the weight.
README.md says when a headline counts as negative, neutral or positive.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from headlines import Draws, Sections, key, moment, read_sections, recase, write_months

HERE = Path(__file__).parent
SEED = 20260701
LABELS = ("negative", "neutral", "positive")
SECTORS = ("banks", "energy", "health", "industry", "retail", "technology")
WRONG_LABELS = 0.02
TYPOS = 0.03
NEW_TOPICS = 0.45  # share of composed headlines of the last part that may use words of the new topics
LAST = "2026-09"
# Month → rows of each label. The last part is a little gloomier: tariffs.
PARTS = {"2026-07": (325, 485, 390), "2026-08": (335, 480, 395), LAST: (370, 470, 360)}


class Metric(NamedTuple):
    """A thing that goes up or down; `good` is 1 if more is better, -1 if less is, 0 if it does not matter."""

    name: str
    plural: bool
    money: bool
    good: int


class Move(NamedTuple):
    """A verb of change; `way` is 1 for up and -1 for down."""

    past: str
    base: str
    third: str
    noun: str
    way: int


class Headline(NamedTuple):
    """A text and how it looks to a holder of the shares: -1, 0 or 1."""

    text: str
    sign: int


class Row(NamedTuple):
    """A line of a data file."""

    text: str
    label: str
    published_at: str
    sector: str


Given = tuple[str, str, str]  # a hand-written headline: text, label, sector


class Writer(Draws):
    """Draws the words of one headline: its sector, firm and month stay the same throughout."""

    def __init__(self, rng: random.Random, words: Sections, sector: str, month: str) -> None:
        super().__init__(rng)
        self._words, self._sector = words, sector
        self._new = month == LAST and self.chance(NEW_TOPICS)
        self.firm = self.word("firms", sector)

    def word(self, *heading: str) -> str:
        """An item under a heading of words.txt."""
        return self.pick(self._words[heading])

    def topical(self, kind: str) -> str:
        """An item of this kind that suits the sector (and often, in the last part, a new topic)."""
        new = self._words.get((kind, self._sector, LAST), [])
        if new and self._new and self.chance(0.6):
            return self.pick(new)
        return self.word(kind, self._sector if self.chance(0.4) else "any")

    def metric(self, *goods: int) -> Metric:
        """A metric, its `good` one of `goods` (default: one that matters)."""
        good = self.pick(goods or (1, -1))
        name = self.topical({1: "more is better", -1: "less is better", 0: "no matter"}[good])
        return Metric(name.lstrip("*$"), name.startswith("*"), "$" in name, good)

    def move(self, way: int = 0) -> Move:
        """A verb of change, up or down."""
        way = way or self.pick((1, -1))
        past, base, third, noun = self.word("up" if way > 0 else "down").split("/")
        return Move(past, base, third, noun, way)

    def amount(self, metric: Metric) -> str:
        """How much, as a phrase that says nothing of which way."""
        number = self.number(2, 39)
        if metric.money and self.chance(0.3):
            return self.pick((f"by {number}m euros", f"by ${number}m", f"by £{number}m", f"by {number}0m kronor"))
        share = self.pick((f"{number}%", f"by {number}%", f"{number}.{self.number(1, 9)}%"))
        return self.pick((share, share, "slightly", "again", "sharply", "for a third quarter running", "a touch", ""))

    def tail(self) -> str:
        """Often nothing; else where, when, or who says so."""
        return self.pick(
            ("", "", "", f" {self.word('places')}", f" in {self.word('periods')}", f", {self.word('sources')}")
        )


def genitive(firm: str) -> str:
    """The firm as an owner."""
    return f"{firm}'" if firm.endswith("s") else f"{firm}'s"


def bare(metric: Metric) -> str:
    """The metric without its article."""
    return metric.name.removeprefix("the ")


def owned(firm: str, metric: Metric) -> str:
    """As in "Ostmere Bank's NIM"."""
    return f"{genitive(firm)} {bare(metric)}"


def at(firm: str, metric: Metric) -> str:
    """As in "NIM at Ostmere Bank"."""
    return f"{metric.name} at {firm}"


def present(metric: Metric, move: Move) -> str:
    """The verb, agreeing with the metric."""
    return move.base if metric.plural else move.third


def moves(w: Writer, metric: Metric) -> Headline:
    """A metric went up or down."""
    move, tail = w.move(), w.tail()
    place, where = at(w.firm, metric), owned(w.firm, metric)
    extreme = "high" if move.way > 0 else "low"
    changed: tuple[str, ...] = ("Higher", "Rising", "Growing") if move.way > 0 else ("Lower", "Falling", "Shrinking")
    if metric.plural and not metric.money:
        changed = ("More",) if move.way > 0 else ("Fewer",)
    text = w.pick(
        (
            f"{where} {move.past} {w.amount(metric)}{tail}",
            f"{place} {move.past}{tail}",
            f"{place} {present(metric, move)} {w.amount(metric)}{tail}",
            f"{where} {move.past} to a {w.number(2, 7)}-year {extreme}{tail}",
            f"{w.firm} reports {w.number(3, 40)}% {move.noun} in {metric.name}{tail}",
            f"{w.firm} sees {metric.name} {move.base}{tail}",
            f"{w.pick(changed)} {bare(metric)} at {w.firm}{tail}",
            f"{w.firm} ends {w.word('periods')} with {w.pick(changed).lower()} {bare(metric)}",
            f"{w.word('periods')}: {where} {move.past}",
            f"{w.firm} says {metric.name} {move.past} {w.amount(metric)}{tail}",
        )
    )
    return Headline(text, metric.good * move.way)


def plain(w: Writer) -> Headline:
    """A metric that matters moved."""
    return moves(w, w.metric())


def trivia(w: Writer) -> Headline:
    """A metric that does not matter moved."""
    return moves(w, w.metric(0))


def surprise(w: Writer) -> Headline:
    """A metric moved more, less, or as much as expected: the surprise is the news."""
    metric, move = w.metric(), w.move()
    sign = metric.good * move.way
    by = w.pick((1, 1, -1, -1, 0))
    loaded = w.pick(("hoped", "promised", "targeted")) if sign > 0 else w.pick(("feared", "dreaded", "warned of"))
    than = w.pick((loaded, "expected", "forecast", "analysts had pencilled in", "guided", "the market had assumed"))
    how = {
        1: ("more than", "further than", "faster than", "well beyond what was", "by more than"),
        -1: ("less than", "not as much as", "more slowly than", "by less than", "not nearly as fast as"),
        0: ("just as", "exactly as", "in line with what was", "no more and no less than", "as"),
    }
    where = w.pick((owned(w.firm, metric), at(w.firm, metric)))
    return Headline(f"{where} {move.past} {w.pick(how[by])} {than}{w.tail()}", sign * by)


def contrast(w: Writer) -> Headline:
    """Two metrics pull different ways: the main clause decides."""
    main, side = w.metric(), w.metric()
    move, other = w.move(), w.move()
    if side.name == main.name or main.good * move.way == side.good * other.way:
        return contrast(w)
    aside, said = f"{side.name} {other.past}", f"{main.name} {move.past}"
    text = w.pick(
        (
            f"{w.firm}: although {aside}, {said}{w.tail()}",
            f"{owned(w.firm, side)} {other.past}, but more important, {said}",
            f"{said} at {w.firm} even though {aside}",
            f"{owned(w.firm, main)} {move.past} despite {other.noun} in {side.name}",
            f"Never mind that {aside}: {w.firm} says {said}",
            f"{w.firm} {said}, which outweighs {other.noun} in {side.name}",
            f"{other.noun} in {side.name} cannot hide that {owned(w.firm, main)} {move.past}",
        )
    )
    return Headline(text, main.good * move.way)


def agreement(w: Writer) -> Headline:
    """Two metrics pull the same way."""
    one, two = w.metric(), w.metric()
    first, second = w.move(), w.move()
    if one.name == two.name or one.good * first.way != two.good * second.way:
        return agreement(w)
    up, period = one.good * first.way > 0, w.word("periods").removeprefix("the ")
    shares = w.pick(("rose", "climbed", "gained", "jumped") if up else ("fell", "slid", "lost ground", "dropped"))
    text = w.pick(
        (
            f"{owned(w.firm, one)} {first.past} and {two.name} {second.past}{w.tail()}",
            f"{owned(w.firm, one)} {first.past} as {two.name} {second.past}",
            f"{first.noun} in {one.name}, {second.noun} in {two.name}: {genitive(w.firm)} {period}",
            f"Shares in {w.firm} {shares} after {first.noun} in {one.name}",
        )
    )
    return Headline(text, one.good * first.way)


def cancels(w: Writer) -> Headline:
    """Good and bad weigh the same."""
    one, two, move = w.metric(1), w.metric(-1), w.move()
    other = w.move(move.way)
    text = w.pick(
        (
            f"{owned(w.firm, one)} and {two.name} both {move.past} by {w.number(2, 20)}%, so little changes",
            f"{w.firm}: {one.name} {move.past}, {two.name} {other.past} as much, outlook the same",
            f"{move.noun} in {one.name} offset by {other.noun} in {two.name} at {w.firm}",
            f"{owned(w.firm, two)} {move.past} in step with {one.name}{w.tail()}",
        )
    )
    return Headline(text, 0)


def turns(w: Writer) -> Headline:
    """A trend stops, slows, fails to come, or speeds up."""
    metric, move = w.metric(), w.move()
    sign, where = metric.good * move.way, owned(w.firm, metric)
    against = (
        f"{where} did not {move.base} after all{w.tail()}",
        f"{move.noun} in {at(w.firm, metric)} slows{w.tail()}",
        f"{w.firm} no longer expects {metric.name} to {move.base}{w.tail()}",
        f"{move.noun} in {metric.name} comes to a halt at {w.firm}",
        f"{where} will not {move.base} in {w.word('periods')}, {w.word('sources')}",
    )
    along = (
        f"{move.noun} in {at(w.firm, metric)} speeds up{w.tail()}",
        f"{w.firm} now expects {metric.name} to {move.base}{w.tail()}",
        f"No end to {move.noun} in {at(w.firm, metric)}",
        f"{where} may {move.base} in {w.word('periods')}, {w.word('sources')}",
        f"{where} did {move.base}, contrary to what {w.firm} had said",
    )
    return Headline(w.pick(against), -sign) if w.chance(0.5) else Headline(w.pick(along), sign)


def steady(w: Writer) -> Headline:
    """Nothing moved, or nothing new is known."""
    metric, move = w.metric(), w.move()
    where = owned(w.firm, metric)
    text = w.pick(
        (
            f"{where} unchanged in {w.word('periods')}",
            f"{where} neither {move.past} nor {w.move(-move.way).past} in {w.word('periods')}",
            f"{w.firm} repeats that {metric.name} will {move.base} this year",
            f"{w.firm} keeps guidance for {metric.name}{w.tail()}",
            f"{where} in line with forecasts{w.tail()}",
            f"{w.firm} denies report that {metric.name} {move.past}",
            f"{w.firm} does not comment on talk that {metric.name} {move.past}",
            f"{metric.name} flat on the year at {w.firm}{w.tail()}",
        )
    )
    return Headline(text, 0)


def routine(w: Writer) -> Headline:
    """A date, a definition, an appointment: words of good and bad news with no news in them."""
    metric, move = w.metric(), w.move()
    text = w.pick(
        (
            f"{w.firm} to publish figures on {metric.name} on {w.number(1, 30)} October",
            f"{w.firm} to explain last year's {move.noun} in {metric.name} at investor day",
            f"{w.firm} changes how it counts {metric.name}, totals the same",
            f"Five charts on {metric.name} in {w.word('periods')}, from {w.firm} to its peers",
            f"{w.firm} hires manager to oversee {metric.name}",
            f"{w.firm} begins yearly review of {metric.name}",
            f"Why {metric.name} {present(metric, move)} with the seasons: a note on {w.firm}",
            f"{w.firm} answers investors' questions on {metric.name}",
            f"{w.firm} moves report on {metric.name} from {w.pick(('Monday', 'Tuesday'))} to Thursday",
        )
    )
    return Headline(text, 0)


def event(w: Writer) -> Headline:
    """Something good or bad to have is won, lost, suffered, averted or merely talked of."""
    good = w.chance(0.5)
    thing = w.topical("good events" if good else "bad events")
    if w.chance(0.24):
        return Headline(f"{w.firm} {w.word('procedure')} {thing}", 0)
    sign = w.pick((1, -1))
    verb = {(True, 1): "gain", (True, -1): "lose", (False, 1): "avoid", (False, -1): "suffer"}[good, sign]
    third, base = w.word(verb).split("/")
    hedged = w.pick((f"may {base}", f"is said to {base}", f"is likely to {base}", f"could soon {base}"))
    return Headline(f"{w.firm} {hedged if w.chance(0.3) else third} {thing}{w.tail()}", sign)


def verdict(w: Writer) -> Headline:
    """Good, bad or plain news, with a reason that fits or is overcome."""
    sign = w.pick((1, -1, 0))
    news = w.word({1: "good news", -1: "bad news", 0: "plain news"}[sign], "any")
    fits, fights = ("good reasons", "bad reasons") if sign > 0 else ("bad reasons", "good reasons")
    if sign == 0 or w.chance(0.4):
        return Headline(f"{w.firm} {news}{w.tail()}", sign)
    if w.chance(0.5):
        return Headline(
            f"{w.firm} {news} {w.pick(('on', 'after', 'thanks to' if sign > 0 else 'because of'))} "
            f"{w.word(fits, 'any')}",
            sign,
        )
    return Headline(f"{w.firm} {news} {w.pick(('despite', 'in spite of', 'even with'))} {w.word(fights, 'any')}", sign)


def figures(w: Writer) -> Headline:
    """Two numbers, and only they say which way it went."""
    metric = w.metric()
    now, then = w.number(11, 89), w.number(11, 89)
    unit = w.pick(("m", "m euros", " points", "0m"))
    if abs(now - then) < 8:
        return figures(w)
    text = w.pick(
        (
            f"{owned(w.firm, metric)} at {now}{unit}, after {then}{unit} a year ago",
            f"{owned(w.firm, metric)} {now}{unit} against {then}{unit}{w.tail()}",
            f"{w.firm} guides to {metric.name} of {now}{unit}, had said {then}{unit}",
        )
    )
    return Headline(text, metric.good * (1 if now > then else -1))


FRAMES: tuple[tuple[Callable[[Writer], Headline], int], ...] = (
    (plain, 38),
    (event, 44),
    (verdict, 36),
    (routine, 5),
    (trivia, 3),
    (steady, 5),
    (agreement, 6),
    (turns, 2),
    (surprise, 3),
    (contrast, 3),
    (cancels, 2),
    (figures, 1),
)
DRAWN = tuple(frame for frame, weight in FRAMES for _ in range(weight))


def compose(w: Writer) -> Headline:
    """One headline of any form."""
    text, sign = w.pick(DRAWN)(w)
    opener = f"{w.word('openers')} " if w.chance(0.06) else ""
    text = " ".join(f"{opener}{text}".split())
    return Headline(text[0].upper() + text[1:], sign)


def misspell(rng: random.Random, text: str) -> str:
    """Two neighbouring letters swapped, or one lost or doubled, in a longer word."""
    places = [i for i in range(1, len(text) - 2) if text[i - 1 : i + 3].isalpha()]
    if not places:
        return text
    i = places[int(rng.random() * len(places))]
    spoiled = (text[i + 1] + text[i], text[i], text[i] * 2 + text[i + 1])
    return text[:i] + spoiled[int(rng.random() * 3)] + text[i + 2 :]


def roughen(rng: random.Random, text: str) -> str:
    """Headlines as they come: some misspelled, some in capitals, some in lower case."""
    if rng.random() < TYPOS:
        text = misspell(rng, text)
    return recase(rng, text, upper=0.04, lower=0.05)


def written(rng: random.Random) -> dict[str, list[Given]]:
    """The hand-written headlines of each month: (text, label, sector)."""
    months: dict[str, list[Given]] = {month: [] for month in PARTS}
    for (label, sector, *month), texts in read_sections(HERE / "handwritten.txt", "\n").items():
        for text in texts:
            months[month[0] if month else list(PARTS)[int(rng.random() * len(PARTS))]].append((text, label, sector))
    return months


def fill(rng: random.Random, words: Sections, month: str, given: list[Given], seen: set[str]) -> list[Row]:
    """A month's rows: the hand-written ones, then composed ones until each label has its number; oldest first."""
    left = dict(zip(LABELS, PARTS[month], strict=True))
    rows = [(roughen(rng, text), label, sector) for text, label, sector in given]
    for _, label, _ in rows:
        left[label] -= 1
    while any(left.values()):
        sector = SECTORS[int(rng.random() * len(SECTORS))]
        headline = compose(Writer(rng, words, sector, month))
        label, text = LABELS[headline.sign + 1], roughen(rng, headline.text)
        if left[label] > 0 and key(text) not in seen:
            seen.add(key(text))
            left[label] -= 1
            rows.append((text, label, sector))
    return sorted((Row(text, label, moment(rng, month), sector) for text, label, sector in rows), key=lambda r: r[2])


def mislabel(rng: random.Random, row: Row) -> Row:
    """As an annotator slips: in 2% of rows another label stands there."""
    if rng.random() >= WRONG_LABELS:
        return row
    others = [label for label in LABELS if label != row.label]
    return row._replace(label=others[int(rng.random() * len(others))])


def parts() -> dict[str, list[Row]]:
    """All rows by month."""
    rng = random.Random(SEED)
    words = read_sections(HERE / "words.txt", ";")
    given = written(rng)
    seen = {key(text) for rows in given.values() for text, _, _ in rows}
    return {month: [mislabel(rng, row) for row in fill(rng, words, month, given[month], seen)] for month in PARTS}


def write(folder: Path) -> list[Path]:
    """Writes one JSONL file a month into `folder` and returns their paths."""
    return write_months(folder, {month: [row._asdict() for row in rows] for month, rows in parts().items()})


if __name__ == "__main__":
    for written_path in write(HERE / "data"):
        sys.stdout.write(f"{written_path.relative_to(HERE)}\n")

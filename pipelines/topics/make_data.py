"""Writes the synthetic headlines in data/: the same bytes on every machine and every Python.

    python pipelines/topics/make_data.py

Headlines are composed from words.txt so that a keyword alone says little: a suit is worn or fought, a strike stops work
or seals a deal, and what is only named to date the news, or said not to be the matter, is no topic.
README.md says when a headline has a topic.
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
SEED = 20260702
# Topic → weight among the headlines' topics.
TOPICS = {
    "earnings": 20,
    "mergers": 15,
    "regulation": 12,
    "products": 18,
    "workforce": 14,
    "markets": 13,
    "litigation": 10,
    "sustainability": 3,
}
PARTS = {"2026-07": 790, "2026-08": 810, "2026-09": 800}  # month → rows
MATTERS = 0.6  # share of news told with a verb that fits any topic
WRONG_TOPICS = 0.015

Row = dict[str, str | list[str]]  # a line of a data file


class Phrase(NamedTuple):
    """Words and the topics they bring."""

    text: str
    topics: frozenset[str]


class Writer(Draws):
    """Draws the words of one headline about one company."""

    def __init__(self, rng: random.Random, words: Sections) -> None:
        super().__init__(rng)
        self._words = words
        self.firm = self.word("firm")

    def word(self, *heading: str) -> str:
        """An item under a heading of words.txt."""
        return self.pick(self._words[heading])

    def topic(self, *but: str) -> str:
        """A topic, the frequent ones more often, and none of `but`."""
        return self.pick([name for name, weight in TOPICS.items() if name not in but for _ in range(weight)])

    def phrase(self, kind: str, *topics: str) -> Phrase:
        """A clause or a matter of exactly these topics."""
        text = re.sub(r"\[([^]]*)\]", lambda choice: self.pick(choice[1].split("/")), self.word(kind, *topics))
        rival = self.pick([firm for firm in self._words[("firm",)] if firm != self.firm])
        crowd = self.pick((f"{self.number(2, 9)}00", f"1,{self.number(1, 9)}00", "forty", "a dozen", "two thousand"))
        text = text.replace("{n}", str(self.number(3, 39))).replace("{crowd}", crowd).replace("{rival}", rival)
        return Phrase(text.replace("{place}", self.word("place")), frozenset(topics))

    def clause(self, *topics: str) -> Phrase:
        """What the company does, in the third person."""
        base, given = self.phrase("clause", *topics)
        return Phrase(third_person(base), given)

    def matter(self, topic: str) -> str:
        """A thing that is in the news."""
        return self.phrase("matter", topic).text

    def news(self, topic: str) -> Phrase:
        """Something the company does, or deals with, in the base form."""
        if self._rng.random() < MATTERS:
            return Phrase(f"{self.word('verb')} {self.matter(topic)}", frozenset((topic,)))
        return self.phrase("clause", topic)

    def two_at_once(self) -> Phrase:
        """A clause that belongs to two topics."""
        both = [heading[1:] for heading in self._words if heading[0] == "clause" and len(heading) == 3]
        return self.clause(*self.pick(both))


def nothing(w: Writer) -> Phrase:
    """No topic: trivia, or news of which nothing is known."""
    trivia, topic = w.clause(), w.topic()
    denied, silent = w.phrase("clause", topic).text, w.matter(topic)
    texts = (
        f"{w.firm} {trivia.text}",
        f"{w.firm} {trivia.text}",
        f"{w.firm} {trivia.text}, and not a word of {silent}",
        f"{w.firm} declines to comment on talk of {silent}",
        f"{w.firm} denies that it will {denied}",
        f"Nobody at {w.firm} says whether it will {denied}",
    )
    return Phrase(w.pick(texts), frozenset())


def single(w: Writer) -> Phrase:
    """One topic, plainly; now and then as a heading, or with trivia beside it."""
    topic = w.topic()
    news, matter = w.news(topic), w.matter(topic)
    told = f"{w.firm} {third_person(news.text)}"
    texts = (
        f"{w.firm} {w.clause().text} and {third_person(news.text)}",
        f"{w.firm}: {matter}",
        f"What {matter} means for {w.firm}",
    )
    return news._replace(text=w.pick((*texts, *[told] * 9)))


def dated(w: Writer) -> Phrase:
    """What is named only to say when, or what the company was, is no news."""
    topic = w.topic()
    other = w.topic(topic)
    news, past, before = w.news(topic), w.matter(other), w.news(other).text
    told = third_person(news.text)
    ago = w.pick(("two years", "months", "ten years", "a decade", "long", "just a year"))
    texts = (
        f"{ago} after {past}, {w.firm} {told}",
        f"{w.firm}, once known for {past}, {told}",
        f"{w.firm}, which {w.pick(('long ago', 'last year', 'in 2019'))} weathered {past}, {told}",
        f"{w.firm} used to {before}; now it {told}",
        f"{w.firm} {told}; {ago} ago it would {before}",
        f"{w.firm}, the first in {w.word('place')} to {before} in its day, {told}",
    )
    return news._replace(text=w.pick(texts))


def set_aside(w: Writer) -> Phrase:
    """What is said not to be the matter, or not to happen, is no news."""
    topic = w.topic()
    rejected = w.topic(topic)
    news, other, not_done = w.news(topic), w.matter(rejected), w.news(rejected).text
    told, matter = third_person(news.text), w.matter(topic)
    texts = (
        f"Not {other} but {matter} occupies {w.firm}",
        f"{matter}, not {other}, is what moves {w.firm}",
        f"{w.firm} {told}; {other} is off the table",
        f"{w.firm} {told} but denies rumours of {other}",
        f"Rather than {not_done}, {w.firm} will {news.text}",
        f"{w.firm} is to {news.text}, not to {not_done}",
        f"{w.firm} will not {not_done} but {news.text}",
        f"Asked if it would {not_done}, {w.firm} says it would sooner {news.text}",
    )
    return news._replace(text=w.pick(texts))


def pair(w: Writer) -> Phrase:
    """Two topics side by side, or one because of the other."""
    one = w.topic()
    two = w.topic(one)
    first, second, cause = w.news(one), w.news(two), w.matter(two)
    told, also = third_person(first.text), third_person(second.text)
    texts = (
        f"{w.firm} {told} and {also}",
        f"{w.firm} {told}; it also {also}",
        f"{w.firm} is to {first.text} and to {second.text}",
        f"{w.firm} {told} {w.pick(('amid', 'because of', 'in the wake of', 'along with', 'despite'))} {cause}",
        f"{cause} makes {w.firm} {first.text}",
        f"Not only does {w.firm} {first.text}, it will {second.text} too",
    )
    return Phrase(w.pick(texts), first.topics | second.topics)


def two_at_once(w: Writer) -> Phrase:
    """Two topics in one clause."""
    news = w.two_at_once()
    return news._replace(text=f"{w.firm} {news.text}")


def triple(w: Writer) -> Phrase:
    """Three topics."""
    both = w.two_at_once()
    third = w.topic(*both.topics)
    news, cause = w.news(third), w.matter(third)
    texts = (
        f"{w.firm} {both.text} and {third_person(news.text)}",
        f"{w.firm} {third_person(news.text)} and {both.text}",
        f"{w.firm} {both.text} {w.pick(('amid', 'along with', 'because of'))} {cause}",
    )
    return Phrase(w.pick(texts), both.topics | news.topics)


FRAMES: tuple[tuple[Callable[[Writer], Phrase], int], ...] = (
    (nothing, 8),
    (single, 32),
    (dated, 13),
    (set_aside, 14),
    (pair, 17),
    (two_at_once, 8),
    (triple, 8),
)
DRAWN = tuple(frame for frame, weight in FRAMES for _ in range(weight))


def compose(w: Writer) -> Phrase:
    """One headline of any form."""
    headline = w.pick(DRAWN)(w)
    text = headline.text[0].upper() + headline.text[1:]
    return headline._replace(text=f"{w.word('opener')} {text}" if w.pick(range(16)) == 0 else text)


def annotate(rng: random.Random, topics: frozenset[str]) -> list[str]:
    """The topics in their order; in 1.5% of rows, as an annotator slips, one too many or one too few."""
    slip = list(TOPICS)[int(rng.random() * len(TOPICS))]
    wrong = {slip} if rng.random() < WRONG_TOPICS else set()
    if wrong and len(topics) > 1 and not topics & wrong:
        wrong = {min(topics)}  # three is the most
    return [name for name in TOPICS if name in topics ^ wrong]


def parts() -> dict[str, list[Row]]:
    """All rows by month, oldest first, no text twice."""
    rng = random.Random(SEED)
    words = read_sections(HERE / "words.txt")
    seen: set[str] = set()
    months: dict[str, list[Row]] = {month: [] for month in PARTS}
    for month, rows in months.items():
        while len(rows) < PARTS[month]:
            headline = compose(Writer(rng, words))
            text = recase(rng, headline.text)
            if text.casefold() not in seen:
                seen.add(text.casefold())
                topics = annotate(rng, headline.topics)
                rows.append({"text": text, "topics": topics, "published_at": moment(rng, month)})
        rows.sort(key=lambda row: row["published_at"])
    return months


def write(folder: Path) -> list[Path]:
    """Writes one JSONL file a month into `folder` and returns their paths."""
    return write_months(folder, parts())


if __name__ == "__main__":
    for written_path in write(HERE / "data"):
        sys.stdout.write(f"{written_path.relative_to(HERE)}\n")

"""Writes the synthetic stream in live/ and what is planted in it: the same bytes on every machine and every Python.

    python pipelines/newsroom/make_data.py

Six weeks of headlines from eleven sources, whose headlines are composed as those of ../sentiment are. README.md says
which seasons, copies, retellings and surges it has.
"""

import json
import math
import random
import runpy
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from headlines import Draws, Sections, key, read_sections

HERE = Path(__file__).parent
SENTIMENT = HERE.parent / "sentiment"
SEED = 20261005
FIRST, DAYS = datetime(2026, 10, 5, tzinfo=UTC), 42
A_DAY = 100
"""Stories of a working day."""
LABELS = ("negative", "neutral", "positive")
SECTORS = ("banks", "energy", "health", "industry", "retail", "technology")
AGENCIES = ("Northwire", "Pressline")
PAPERS = ("Morning Ledger", "Evening Mail", "City Post", "Harbour Times", "The Exchange", "Daily Tally", "Weekday",
          "Market Street", "The Docket")  # fmt: skip
COPIED, RETOLD = 0.12, 0.04  # shares of stories: an agency's that papers print, and those told in other words, too
TAGS = ("UPDATE 1-", "BREAKING: ", "(repeat) ", "")
MONTH = "2026-09"  # whose topics the words may have


class Planted(NamedTuple):
    """A surge of bad news: a theme of surges.txt, about whom, when, and how many stories an hour it brings at noon."""

    theme: str
    sector: str  # "any": all of them
    firm: str
    start: datetime
    hours: int
    an_hour: float


def at(month: int, day: int, hour: int) -> datetime:
    """An hour of 2026."""
    return datetime(2026, month, day, hour, tzinfo=UTC)


SURGES = (
    Planted("leak", "technology", "Nimbrel Software", at(10, 21, 8), 34, 2.2),
    Planted("run", "banks", "Caldrith Savings", at(10, 27, 12), 36, 2.2),
    Planted("spill", "energy", "Skerrow Oil", at(11, 2, 6), 36, 2.4),
    Planted("recall", "health", "Curatine Devices", at(11, 7, 9), 36, 2.0),
    Planted("rout", "any", "", at(11, 12, 7), 34, 6.0),
)
STORM = at(10, 24, 7)  # one bad story that every paper prints, and prints again
BUSY = at(10, 30, 0)  # a day with two and a half times as much news, no worse than usual
RETOLD_DAY = at(11, 5, 9)  # one bad story that all tell in their own words


class Item(NamedTuple):
    """A line of the stream, with what only its maker knows of it."""

    id: str
    text: str
    published_at: datetime
    source: str
    sector: str
    label: str
    story: str
    telling: str


class Stream(Draws):
    """Draws the stories and their tellings."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self._rng = rng
        # The generator of the sentiment pipeline, whose headlines these are.
        self._sentiment = runpy.run_path(str(SENTIMENT / "make_data.py"))
        self._words: Sections = read_sections(SENTIMENT / "words.txt")
        self._surges = {theme[0]: lines for theme, lines in read_sections(HERE / "surges.txt").items()}
        self._retold = read_sections(HERE / "retold.txt", "\n")
        self._texts: set[str] = set()
        self._items: list[Item] = []

    def items(self) -> list[Item]:
        """The whole stream, the oldest first."""
        for hour in range(24 * DAYS):
            self._hour(FIRST + timedelta(hours=hour))
        self._storm()
        self._retell(self._retold[("recall", "negative")], "negative", "retail", "Tindervale Home", RETOLD_DAY, 12)
        end = FIRST + timedelta(days=DAYS)
        return sorted(
            (one for one in self._items if one.published_at < end), key=lambda one: (one.published_at, one.id)
        )

    def _hour(self, hour: datetime) -> None:
        for _ in range(self._poisson(usual_an_hour(hour))):
            self._story(self._moment(hour), self.pick(SECTORS), self._label(hour))
        for planted in SURGES:
            if planted.start <= hour < planted.start + timedelta(hours=planted.hours):
                for _ in range(self._poisson(planted.an_hour * (0.35 + day_shape(hour.hour)))):
                    self._bad_story(planted, self._moment(hour))

    def _label(self, hour: datetime) -> str:
        """Mondays and late evenings are gloomier."""
        negative = 0.26 + 0.04 * (hour.weekday() == 0) + 0.04 * (hour.hour >= 20)
        drawn = self._rng.random()
        return LABELS[0] if drawn < negative else LABELS[1] if drawn < negative + 0.42 else LABELS[2]

    def _story(self, time: datetime, sector: str, label: str) -> None:
        if self.chance(RETOLD):
            heading = self.pick([one for one in self._retold if one[1] == label])
            firm = self.pick(self._words[("firms", sector)])
            self._retell(self._retold[heading], label, sector, firm, time, self.number(2, 4))
            return
        source = self.pick(AGENCIES) if self.chance(0.35) else self.pick(PAPERS)
        story = self._add(self._composed(sector, label), time, source, sector, label)
        if source in AGENCIES and self.chance(COPIED / 0.35):
            self._syndicate(story, self.number(1, 4), 5)

    def _bad_story(self, planted: Planted, time: datetime) -> None:
        sector = self.pick(SECTORS) if planted.sector == "any" else planted.sector
        firm = planted.firm or self.pick(self._words[("firms", sector)])
        text = self._new(lambda: self._filled(self.pick(self._surges[planted.theme]), firm))
        story = self._add(text, time, self.pick((*AGENCIES, *PAPERS)), sector, "negative")
        if self.chance(0.15):
            self._syndicate(story, self.number(1, 3), 4)

    def _syndicate(self, story: Item, papers: int, hours: float) -> None:
        """Papers print it, some as it is, some with a tag or in capitals."""
        for _ in range(papers):
            text = self.pick(TAGS) + story.text
            text = text.upper() if self.chance(0.1) else text
            time = story.published_at + timedelta(minutes=self.number(2, int(hours * 60)))
            telling = "copy" if key(text) == key(story.text) else "near copy"
            self._add(text, time, self.pick(PAPERS), story.sector, story.label, story.story, telling)

    def _storm(self) -> None:
        text = "Yarrowmint Foods withdraws baby milk after finding glass"
        story = self._add(text, STORM, AGENCIES[0], "retail", "negative")
        self._syndicate(story, 45, 9)

    def _retell(self, lines: list[str], label: str, sector: str, firm: str, time: datetime, times: int) -> None:
        number, story = self.number(11, 89), ""
        for turn in range(times):
            text = lines[turn % len(lines)].replace("{firm}", firm).replace("{n}", str(number))
            text += "" if turn < len(lines) else self.pick((" again", ", court hears", ", reports say", " at last"))
            source = PAPERS[turn % len(PAPERS)] if turn else self.pick(AGENCIES)
            telling = "retelling" if story else "first"
            story = self._add(text, time, source, sector, label, story, telling).story
            time += timedelta(minutes=self.number(5, 90))

    def _composed(self, sector: str, label: str) -> str:
        def text() -> str:
            while True:
                writer = self._sentiment["Writer"](self._rng, self._words, sector, MONTH)
                headline = self._sentiment["compose"](writer)
                if LABELS[headline.sign + 1] == label:
                    return str(headline.text)

        return self._new(text)

    def _filled(self, line: str, firm: str) -> str:
        text = line.replace("{firm}", firm).replace("{n}", str(self.number(2, 39)))
        tail = self.pick(("", "", self.pick(self._words[("places",)]), f", {self.pick(self._words[('sources',)])}"))
        return f"{text}{tail}" if tail.startswith(",") else f"{text} {tail}".strip()

    def _new(self, write: Callable[[], str]) -> str:
        while key(text := write()) in self._texts:
            pass
        self._texts.add(key(text))
        return text

    def _add(
        self, text: str, time: datetime, source: str, sector: str, label: str, story: str = "", telling: str = "first"
    ) -> Item:
        one = f"n{len(self._items) + 1:05d}"
        self._items.append(Item(one, text, time, source, sector, label, story or one, telling))
        return self._items[-1]

    def _moment(self, hour: datetime) -> datetime:
        return hour + timedelta(seconds=int(self._rng.random() * 3600))

    def _poisson(self, mean: float) -> int:
        """By Knuth's multiplication of draws."""
        limit, product, count = math.exp(-mean), self._rng.random(), 0
        while product > limit:
            product, count = product * self._rng.random(), count + 1
        return count


def day_shape(hour: int) -> float:
    """How busy an hour is, by two bumps around ten and four o'clock; 1 at the busiest."""
    return min(1.0, math.exp(-(((hour - 10) / 3.0) ** 2)) + 0.8 * math.exp(-(((hour - 16) / 3.5) ** 2)))


def usual_an_hour(hour: datetime) -> float:
    """Stories that an hour has on average: nights and weekends are quiet."""
    share = 0.06 + day_shape(hour.hour)
    free = 0.4 if hour.weekday() >= 5 else 1.0
    busy = 2.5 if hour.date() == BUSY.date() else 1.0
    return A_DAY * free * busy * share / sum(0.06 + day_shape(one) for one in range(24))


def stream() -> list[Item]:
    """All of it, with what only its maker knows."""
    return Stream(random.Random(SEED)).items()


def truth() -> list[dict[str, str]]:
    """The planted surges, as `--truth` reads them."""
    return [
        {"name": one.theme, "start": one.start.isoformat(), "end": (one.start + timedelta(hours=one.hours)).isoformat()}
        for one in SURGES
    ]


def lines() -> Iterator[str]:
    """The stream as a reader gets it: nobody says what is bad, a copy, or planted."""
    for one in stream():
        row = {"id": one.id, "text": one.text, "published_at": f"{one.published_at:%Y-%m-%dT%H:%M:%SZ}"}
        yield json.dumps(row | {"source": one.source, "sector": one.sector}, ensure_ascii=False) + "\n"


def write(folder: Path) -> list[Path]:
    """Writes the stream and truth.json into `folder` and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "2026-10.jsonl", folder / "truth.json"]
    paths[0].write_bytes("".join(lines()).encode())
    paths[1].write_bytes((json.dumps(truth(), indent=1) + "\n").encode())
    return paths


if __name__ == "__main__":
    for written_path in write(HERE / "live"):
        sys.stdout.write(f"{written_path.relative_to(HERE)}\n")

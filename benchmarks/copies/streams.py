"""A stream of made-up business news in which it is known which texts tell the same story.

Each event has its facts, and five ways to tell it in other words (tellings.txt). Of a story some texts are copies as
agencies and outlets make them, some near copies, some retellings with the figures rounded or in words. Between them
stand texts that look alike and are not: another event of the same firm on the same day, the same event of another
firm in the same words, the same report a day later with other figures.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from perennial.stream.live_text import LiveText
from pipelines.headlines import Draws, read_sections

FOLDER = Path(__file__).parent
START = datetime(2026, 3, 2, tzinfo=UTC)
INDICES = ("FTSE 100", "DAX", "Nikkei", "S&P 500", "CAC 40", "Hang Seng")
FIRMS = 400
"""Of which some are in the news more often than others."""
_SLOT = re.compile(r"\b(CO|OT|PER|PL|TH|WHY|AMT|PCT|N)\b")
_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
]


@dataclass(frozen=True)
class Planted:
    """A text, and what is known of it."""

    text: LiveText
    entities: tuple[str, ...]
    story: int
    """The same for all texts that tell one story."""
    kind: str
    """first, copy, near copy, retelling; or what it looks like and is not: same firm, same event, report."""
    lure: int = -1
    """The story with which one could mix it up; -1: none."""


@dataclass
class Event:
    """What happened."""

    tellings: Sequence[str]
    facts: dict[str, object]
    story: int
    told: list[int] = field(default_factory=list)


class Newsroom:
    """Writes a stream. `even`: of the events that settings were not chosen by, with the firms they were not."""

    def __init__(self, seed: int, *, even: bool) -> None:
        self._rng = random.Random(seed)  # noqa: S311
        self._draws = Draws(self._rng)
        tellings = read_sections(FOLDER / "tellings.txt", separator="\n")
        self._names = {heading[0]: items for heading, items in read_sections(FOLDER / "names.txt").items()}
        kinds = list(tellings.values())
        self._kinds = kinds[1::2] if even else kinds[::2]
        for name in ("firm", "given", "family", "place", "thing", "reason", "change", "move"):
            self._names[name] = self._names[name][1::2] if even else self._names[name][::2]
        self._firms = [self._named() for _ in range(FIRMS)]
        self._stories = 0
        self._reported: set[tuple[str, date]] = set()
        self._written_reports: set[str] = set()

    def _named(self) -> str:
        pick, names = self._draws.pick, self._names
        return f"{pick(names['firm'])}{pick(names['ending'])} {pick(names['sector'])}"

    def stream(self, texts: int, a_day: int) -> list[Planted]:
        """About so many texts in order of time."""
        planted: list[Planted] = []
        seconds = 86_400 / a_day
        while len(planted) < texts:
            at = START + timedelta(seconds=seconds * len(planted))
            if self._draws.chance(0.8):
                planted += self._a_story(at)
            elif report := self._report(at):
                planted.append(report)
        planted.sort(key=lambda one: one.text.time)
        return [_numbered(one, number) for number, one in enumerate(planted)]

    def _a_story(self, at: datetime) -> list[Planted]:
        event = self._event()
        first = self._tell(event, at, "first")
        texts = [first]
        while self._draws.chance(0.5) and len(texts) < 9:
            later = at + timedelta(hours=self._rng.random() ** 2 * 30)
            what = self._draws.pick(("copy", "copy", "near copy", "retelling", "retelling"))
            source = self._draws.pick([one for one in texts if one.kind in ("first", "retelling")])
            if what == "retelling" and len(event.told) == len(event.tellings):
                continue
            if what == "retelling":
                texts.append(self._tell(event, later, what))
            else:
                edit = self._copied if what == "copy" else self._nearly
                texts.append(self._planted(edit(source.text.text), source.entities, event.story, what, later))
        if self._draws.chance(0.3):
            texts += self._lures(event, first, at)
        return texts

    def _lures(self, event: Event, first: Planted, at: datetime) -> list[Planted]:
        later = at + timedelta(hours=self._rng.random() * 20)
        if self._draws.chance(0.5):
            other = self._event(CO=event.facts["CO"])
            while other.tellings is event.tellings:
                other = self._event(CO=event.facts["CO"])
            return [self._tell(other, later, "same firm", lure=event.story)]
        other = self._event()
        other.tellings = event.tellings
        text = self._tell(other, later, "same event", lure=event.story, telling=event.told[0])
        return [text]

    def _event(self, **given: object) -> Event:
        names, draws = self._names, self._draws
        firms = [self._firms[int(self._rng.random() ** 2 * FIRMS)] for _ in range(2)]
        facts: dict[str, object] = {
            "CO": firms[0], "OT": firms[1], "PL": draws.pick(names["place"]), "TH": draws.pick(names["thing"]),
            "PER": f"{draws.pick(names['given'])} {draws.pick(names['family'])}", "WHY": draws.pick(names["reason"]),
            "AMT": draws.number(11, 990) * draws.pick((1e5, 1e6, 1e7)), "PCT": draws.number(11, 480) / 10,
            "N": draws.number(11, 990) * draws.pick((1, 10, 100, 1000)),
        }  # fmt: skip
        self._stories += 1
        return Event(draws.pick(self._kinds), facts | given, self._stories)

    def _tell(self, event: Event, at: datetime, kind: str, lure: int = -1, telling: int | None = None) -> Planted:
        left = [number for number in range(len(event.tellings)) if number not in event.told]
        number = self._draws.pick(left) if telling is None else telling
        event.told.append(number)
        named: list[str] = []
        short = self._draws.chance(0.3)

        def fill(match: re.Match[str]) -> str:
            slot, fact = match[1], event.facts[match[1]]
            if slot in ("CO", "OT") and short:
                fact = str(fact).split()[0]
            if slot == "PER" and self._draws.chance(0.4):
                fact = str(fact).split()[-1]
            if slot in ("CO", "OT", "PER", "PL"):
                named.append(str(fact))
            return self._written(slot, fact)

        text = _SLOT.sub(fill, event.tellings[number])
        text = text[0].upper() + text[1:]
        if self._draws.chance(0.1):
            text = text.title()
        if self._draws.chance(0.15):
            more = _SLOT.sub(fill, self._draws.pick([one for one in event.tellings if one != event.tellings[number]]))
            text = f"{text}. {more[0].upper()}{more[1:]}."
        return self._planted(text, tuple(dict.fromkeys(named)), event.story, kind, at, lure)

    def _written(self, slot: str, fact: object) -> str:
        if slot == "AMT":
            return self._money(float(str(fact)))
        if slot == "PCT":
            return self._share(float(str(fact)))
        return self._count(int(str(fact))) if slot == "N" else str(fact)

    def _money(self, amount: float) -> str:
        scale, short, word = (1e9, "bn", "billion") if amount >= 1e9 else (1e6, "m", "million")
        value = amount / scale
        exact, rounded = f"{value:.4g}", f"{value:.2g}" if value < 100 else f"{round(value, -1):.0f}"
        return self._draws.pick(
            (f"${exact}{short}", f"${exact} {word}", f"${rounded}{short}", f"{exact} {word} dollars",
             f"nearly ${rounded} {word}", f"about {rounded} {word} dollars")
        )  # fmt: skip

    def _share(self, share: float) -> str:
        whole = round(share)
        written = _WORDS[whole] if whole < len(_WORDS) else str(whole)
        return self._draws.pick((f"{share:g}%", f"{share:g} percent", f"{whole}%", f"{written} per cent"))

    def _count(self, count: int) -> str:
        rounded = int(float(f"{count:.2g}"))
        return self._draws.pick((f"{count:,}", f"{count}", f"about {rounded:,}", f"more than {rounded:,}"))

    def _copied(self, text: str) -> str:
        names, pick = self._names, self._draws.pick
        edits: Sequence[Callable[[str], str]] = (
            str, str.upper, str.lower, lambda one: f"{pick(names['slug'])}{one}",
            lambda one: f"{one} - {pick(names['outlet'])}", lambda one: f"{one} | {pick(names['outlet'])}",
            lambda one: f"{pick(names['place']).upper()} ({pick(names['outlet'])}) - {one}",
            lambda one: f"{one} ({pick(names['outlet'])})", lambda one: f"{one}.", lambda one: f"<b>{one}</b>",
            lambda one: one.replace(" ", "  ", 2), lambda one: f"“{one}”", lambda one: f"{one}!",
        )  # fmt: skip
        return pick(edits)(pick(edits)(text)) if self._draws.chance(0.3) else pick(edits)(text)

    def _nearly(self, text: str) -> str:
        words = text.split()
        edits: Sequence[Callable[[], str]] = (
            lambda: f"{text} {self._draws.pick(self._names['boilerplate'])}",
            lambda: " ".join(words[: -max(1, len(words) // 6)]) + " …",
            lambda: text.replace("percent", "per cent").replace(" to ", " set to ", 1),
            lambda: f"{text}, company says", lambda: f"{text}: what we know so far",
            lambda: " ".join(word if at != len(words) // 2 else _misspelt(word) for at, word in enumerate(words)),
            lambda: text.replace(" says ", " said ").replace("will ", "is to ") + ", report says",
        )  # fmt: skip
        return self._draws.pick(edits)()

    def _report(self, at: datetime) -> Planted | None:
        """Of a market, or a firm's shares: each once a day, and each a story by itself."""
        draws = self._draws
        what = "change" if draws.chance(0.3) else "move"
        index = draws.pick(INDICES)
        whose = index if what == "change" else self._firms[int(self._rng.random() ** 2 * FIRMS)]
        if (whose, at.date()) in self._reported:
            return None
        self._reported.add((whose, at.date()))
        template = draws.pick(self._names[what])
        # What happened to it on that day is the same in all its reports.
        day = Draws(random.Random(f"{whose} {at.date()}"))  # noqa: S311
        up = day.chance(0.5)
        drawn = {
            "index": whose, "co": whose, "updown": "up" if up else "down", "pct": f"{day.number(2, 60) / 10:g}%",
            "higher": "higher" if up else "lower", "sector": day.pick(self._names["sector"]).lower(),
            "mood": day.pick(("calm", "thin", "brisk")), "n": str(day.number(3, 200)),
            "amt": f"${day.number(11, 400)}", "place": day.pick(self._names["place"]),
            "day": day.pick(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")),
        }  # fmt: skip
        named = tuple(drawn[slot] for slot in ("index", "co", "place") if f"{{{slot}}}" in template)
        self._stories += 1
        text = template.format(**drawn)
        if text in self._written_reports:
            # The very same words within days are a copy, by what they say.
            return None
        self._written_reports.add(text)
        return self._planted(text, named, self._stories, "report", at)

    def _planted(
        self, text: str, entities: tuple[str, ...], story: int, kind: str, at: datetime, lure: int = -1
    ) -> Planted:
        return Planted(LiveText("", text, at), entities, story, kind, lure)


def _misspelt(word: str) -> str:
    return word[:1] + word[2:3] + word[1:2] + word[3:] if len(word) > 4 and word.isalpha() else word


def _numbered(one: Planted, number: int) -> Planted:
    text = LiveText(str(number), one.text.text, one.text.time, source=f"outlet {number % 7}")
    return Planted(text, one.entities, one.story, one.kind, one.lure)

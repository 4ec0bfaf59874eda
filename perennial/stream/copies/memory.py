"""What is remembered of the stream: its last texts, in which stories they are, and how common their words are."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from perennial.stream.copies.likeness import WeighedWording
from perennial.stream.copies.wording import FIGURE, NAME, TextWording, stem

MOST_POSTINGS = 32
"""Last texts that are remembered to have a word; of a word that more have, it says little that they do."""
FOUND_BY = {NAME: 3.0, FIGURE: 3.0}
"""How much more names and figures count than words when it is chosen which texts to compare."""
LEAST_FOUND_BY = 1.1
"""What common names and figures must say, so counted, that two texts may be told to tell the same: by the weights of
`likeness.odds` nothing else makes up for less."""
LOOKED_UP = 12
"""Words of a text, the rarest, by which texts are looked for that may tell the same."""
MOST_FOUND = 8
"""Of those the most alike, with which a text is compared."""


@dataclass(slots=True)
class Story:
    """The texts that tell the same, as far as they are remembered."""

    id: str
    first_told: datetime
    last_told: datetime
    first: int
    """Number of the first wording that is remembered."""
    latest: int
    """Of the last one in other words."""
    remembered: int = 0
    """How many of its texts are."""

    def is_open(self, at: datetime, days: timedelta) -> bool:
        """Whether a text of that time can be a telling of it."""
        return self.first_told - days <= at <= self.last_told + days

    def told(self, at: datetime) -> None:
        """One more telling."""
        self.first_told = min(self.first_told, at)
        self.last_told = max(self.last_told, at)


@dataclass(frozen=True, slots=True)
class Remembered:
    """One text that is remembered."""

    story: Story
    key: int
    time: datetime
    weighed: WeighedWording | None
    """None: a near copy, with which nothing is compared but its key, so that stories don't drift by small steps."""


class StoryMemory:
    """The last `most` different texts; numbers count up, and those below `oldest` are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: deque[Remembered] = deque()
        self.oldest = 0
        self._keys: dict[int, int] = {}
        self._stories: dict[str, Story] = {}
        self._having: dict[str, int] = {}
        self._lower: dict[str, int] = {}
        self._postings: dict[str, list[int]] = {}
        self._since = 0
        self._told = 0
        self._log = 1.0

    def __len__(self) -> int:
        return len(self._texts)

    def at(self, number: int) -> Remembered | None:
        """The text of that number; None: it is forgotten."""
        index = number - self.oldest
        return self._texts[index] if 0 <= index < len(self._texts) else None

    def same(self, key: int) -> Remembered | None:
        """The last text with that key."""
        number = self._keys.get(key)
        return None if number is None else self.at(number)

    def story(self, name: str) -> Story | None:
        """The story of that id, while any of its texts is remembered."""
        return self._stories.get(name)

    def rarity(self, word: str) -> float:
        """How much it says that a text has `word`: 1 if no other has it, 0 if all have.

        That is the inverse document frequency (Spärck Jones 1972) as a part of its largest value.
        """
        having = self._having.get(word, 0)
        return max(0.0, 1 - math.log(having + 1) / self._log) if having else 1.0

    def is_name(self, word: str) -> bool:
        """Whether `word` is one as far as the stream shows: it was one where a capital said so, or never lower case."""
        return NAME + word.casefold() in self._having or stem(word) not in self._lower

    def add(self, story: str, at: datetime, key: int, weighed: WeighedWording | None, lower: Iterable[str] = ()) -> int:
        """Remember a text, the oldest forgotten for it; its number. `weighed`: None for a near copy, known by key."""
        while len(self._texts) >= self._most:
            self._forget()
        number = self.oldest + len(self._texts)
        tale = self._stories.get(story)
        if tale is None:
            tale = self._stories[story] = Story(story, at, at, number, number)
        tale.told(at)
        tale.remembered += 1
        if weighed is not None:
            tale.latest = number
            self._index(weighed.wording, number)
            for word in lower:
                self._lower[word] = self._lower.get(word, 0) + 1
        self._keys[key] = number
        self._texts.append(Remembered(tale, key, at, weighed))
        return number

    def again(self, story: str, at: datetime, key: int) -> None:
        """One more telling in words that are known: a text is remembered only if its key is new."""
        tale = self._stories.get(story)
        if tale is None or self.same(key) is None:
            self.add(story, at, key, None)
        else:
            tale.told(at)

    def open_since(self, at: datetime) -> None:
        """Texts from before `at` are not found any more by `having`."""
        while (text := self.at(max(self._since, self.oldest))) is not None and text.time < at:
            self._since = max(self._since, self.oldest) + 1

    def having(self, weighed: WeighedWording) -> list[int]:
        """Numbers of texts that share a name or a figure with it, those first whose common words say most; MOST_FOUND
        at most. Words alone are never enough to be a telling of the same (`likeness.odds`)."""
        by_rarity = sorted((self._having[word], word) for word in weighed.wording.words if word in self._having)
        rarest = [word for _, word in by_rarity[:LOOKED_UP]]
        alike: dict[int, float] = {}
        since = max(self._since, self.oldest)
        for word in rarest:
            if word[0] in FOUND_BY:
                says = weighed.says[word] * FOUND_BY[word[0]]
                for number in self._postings[word]:
                    alike[number] = alike.get(number, 0.0) + says
        alike = {number: says for number, says in alike.items() if says >= LEAST_FOUND_BY and number >= since}
        for word in rarest if alike else ():
            if word[0] not in FOUND_BY:
                says = weighed.says[word]
                for number in self._postings[word]:
                    if number in alike:
                        alike[number] += says
        return heapq.nlargest(MOST_FOUND, alike, key=alike.__getitem__)

    def _index(self, wording: TextWording, number: int) -> None:
        self._told += 1
        self._log = math.log(self._told + 2)
        for word in wording.words:
            self._having[word] = self._having.get(word, 0) + 1
            postings = self._postings.setdefault(word, [])
            postings.append(number)
            if len(postings) > MOST_POSTINGS:
                del postings[0]

    def _forget(self) -> None:
        """The oldest text."""
        text, number = self._texts.popleft(), self.oldest
        self.oldest += 1
        if self._keys.get(text.key) == number:
            del self._keys[text.key]
        text.story.remembered -= 1
        if not text.story.remembered:
            self._stories.pop(text.story.id, None)
        elif text.story.first == number:
            text.story.first = text.story.latest
        if text.weighed is not None:
            self._told -= 1
            for word in text.weighed.wording.words:
                self._forget_word(word, number)

    def _forget_word(self, word: str, number: int) -> None:
        self._having[word] -= 1
        if not self._having[word]:
            del self._having[word], self._postings[word]
            self._lower.pop(word, None)
        elif self._postings[word] and self._postings[word][0] == number:
            del self._postings[word][0]

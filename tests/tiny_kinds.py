"""Rows of every kind of task but one label a text, which a tiny model can learn in seconds."""

import random
from dataclasses import dataclass
from typing import Any

from tiny_pipeline import FILLERS, TELLING

Row = dict[str, Any]
TOLD = ("negative", "positive")


def fillers(draw: random.Random, count: int) -> list[str]:
    return draw.choices(FILLERS, k=count)


def topics(number: int, draw: random.Random) -> Row:
    """Each label has a word of its own; a third of the rows has none."""
    labels = [["negative"], ["positive"], ["negative", "positive"], ["positive"], [], []][number % 6]
    words = [draw.choice(TELLING[label]) for label in labels] * 2 + fillers(draw, 4)
    draw.shuffle(words)
    return {"text": " ".join([*words, str(number)]), "topics": labels}


def pairs(number: int, draw: random.Random) -> Row:
    """The second text alone tells the label."""
    label = TOLD[number % 2]
    return {
        "headline": " ".join([*fillers(draw, 5), str(number)]),
        "claim": " ".join(draw.choices(TELLING[label], k=3)),
        "label": label,
    }


def prices(number: int, draw: random.Random) -> Row:
    """A number in a large unit: how many more good words than bad ones."""
    good = number % 5
    words = draw.choices(TELLING["positive"], k=good) + draw.choices(TELLING["negative"], k=4 - good)
    draw.shuffle(words)
    return {"text": " ".join([*words, *fillers(draw, 2), str(number)]), "price": 1e6 + 2e5 * good}


def entities(number: int, draw: random.Random) -> Row:
    """Telling words are spans, others are none; a third of the rows has no span."""
    words = fillers(draw, 4) + ([draw.choice(TELLING[label]) for label in TOLD] if number % 3 else [])
    draw.shuffle(words)
    text = " ".join([*words, str(number)])
    label_of_word = {word: label for label in TOLD for word in TELLING[label]}
    spans, start = [], 0
    for word in text.split():
        if word in label_of_word:
            spans.append({"start": start, "end": start + len(word), "label": label_of_word[word]})
        start += len(word) + 1
    return {"text": text, "spans": spans}


@dataclass(frozen=True)
class Case:
    """A kind with rows a tiny model can learn in seconds."""

    kind: str
    make: Any
    columns: dict[str, str]
    headline: str
    texts: tuple[str, ...] = ("text",)
    labels: tuple[str, ...] = TOLD

    def rows(self, count: int, start: int = 0) -> list[Row]:
        return [self.make(number, random.Random(number)) for number in range(start, start + count)]  # noqa: S311

    def asked(self) -> list[Row]:
        """Rows never trained on, without their answers, under the source's names."""
        names = [self.columns.get(role, role) for role in self.texts]
        return [{name: row[name] for name in names} | {"number": n} for n, row in enumerate(self.rows(9, 9000))]


CASES = {
    "multi-label": Case("multi-label", topics, {"label": "topics"}, "micro_f1"),
    "text-pair": Case(
        "text-pair", pairs, {"text": "headline", "text_pair": "claim"}, "accuracy", texts=("text", "text_pair")
    ),
    "regression": Case("regression", prices, {"label": "price"}, "r2", labels=()),
    "token-classification": Case("token-classification", entities, {}, "f1"),
}

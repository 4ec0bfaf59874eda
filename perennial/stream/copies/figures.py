"""The figures of a text: per cents, sums of money, counts; written in digits or English words, exact or rounded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Unit = Literal["percent", "money", "count", "year"]

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL = {word: value for value, word in enumerate(f"{_UNITS} seventeen eighteen nineteen".split())}
_LARGE = {word: 10 * value for value, word in enumerate(_TENS.split(), 2)}
_SCALES = {
    "hundred": 1e2, "thousand": 1e3, "k": 1e3, "million": 1e6, "mln": 1e6, "mn": 1e6, "m": 1e6,
    "billion": 1e9, "bln": 1e9, "bn": 1e9, "b": 1e9, "trillion": 1e12, "tn": 1e12,
}  # fmt: skip
_NUMBER = "|".join(sorted([*_SMALL, *_LARGE], key=len, reverse=True))
_WRITTEN = re.compile(
    r"(?<![\w.,])(?P<before>(?:us|c|a)?[$€£¥₹]|(?:usd|eur|gbp|chf|rs)\s)?\s?"
    rf"(?:(?P<digits>\d+(?:,\d+)*(?:\.\d+)?)|(?P<word>(?:{_NUMBER})(?:-(?:{_NUMBER}))?)\b)"
    rf"(?P<half> and a half)?(?:[ -]?(?P<scale>{'|'.join(sorted(_SCALES, key=len, reverse=True))})(?![a-z]))?"
    r"(?:[ -]?(?P<after>%|per\s?cent|pct|percentage|dollars?|euros?|pounds?|yen|usd|eur|gbp))?",
    re.IGNORECASE,
)
_POSSIBLE = re.compile(rf"\d|\b(?:{_NUMBER})\b", re.IGNORECASE)
_FLOAT = 1e-9
_MONEY = ("$", "€", "£", "¥", "₹", "usd", "eur", "gbp", "chf", "rs", "dollar", "euro", "pound", "yen")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that a text states."""

    unit: Unit
    value: float
    step: float
    """What its last digit but zeros stands for: how finely it is stated."""

    def agrees(self, other: Figure) -> bool:
        """Whether both may be the same figure, the coarser one rounded; of two digits or more also up or down."""
        coarse, fine = (self, other) if self.step >= other.step else (other, self)
        off = abs(coarse.value - fine.value)
        within = coarse.step if coarse.value >= 10 * coarse.step and coarse.step > fine.step else coarse.step / 2
        return self.unit == other.unit and (off == 0 or (coarse.step > fine.step and off <= within * (1 + _FLOAT)))

    @property
    def word(self) -> str:
        """The same for most figures that agree: two digits of it."""
        return f"#{self.unit}{self.value:.1e}"


def figures(text: str) -> tuple[Figure, ...]:
    """The figures that `text` states, each once, in its order.

    Of words only English ones are read, and not "one" by itself, which mostly counts nothing.
    """
    if not _POSSIBLE.search(text):
        return ()
    read = (_figure(match) for match in _WRITTEN.finditer(text))
    return tuple(dict.fromkeys(figure for figure in read if figure is not None))


def _figure(match: re.Match[str]) -> Figure | None:
    digits, word, scale = match["digits"], match["word"], (match["scale"] or "").lower()
    value, step = _of_digits(digits) if digits else _of_words(word.lower())
    if match["half"]:
        value, step = value + 0.5, 0.5
    times = _SCALES.get(scale, 1.0)
    around = f"{match['before'] or ''} {match['after'] or ''}".lower()
    if "%" in around or "per" in around or "pct" in around:
        return Figure("percent", value * times, step * times)
    if any(sign in around for sign in _MONEY):
        return Figure("money", value * times, step * times)
    if digits and not scale and len(digits) == len("2026") and 1900 <= value < 2100:
        return Figure("year", value, step)
    return None if word and word.lower() == "one" and not scale else Figure("count", value * times, step * times)


def _of_digits(digits: str) -> tuple[float, float]:
    """The value, and what its last digit but zeros stands for."""
    head, comma, tail = digits.rpartition(",")
    if comma and len(tail.split(".")[0]) != len("000"):
        digits = f"{head.replace(',', '')}.{tail.replace('.', '')}"
    whole, _, part = digits.replace(",", "").partition(".")
    if part:
        return float(f"{whole}.{part}"), 10.0 ** -len(part)
    zeros = len(whole) - len(whole.rstrip("0")) if int(whole) else 0
    return float(whole), 10.0**zeros


def _of_words(word: str) -> tuple[float, float]:
    value = float(sum(_SMALL.get(part, _LARGE.get(part, 0)) for part in word.split("-")))
    return value, 10.0 if value and value % 10 == 0 else 1.0

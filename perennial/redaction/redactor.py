"""Texts without the personal data that is known by its form: addresses and numbers; each one counted.

What has a check digit or a plan is held against it (python-stdnum; Google's phonenumbers), so that order numbers and
amounts stay. Names and postal addresses of people have no form, and are not recognised: that takes a model of its own.
"""

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from perennial.settings.serving import PersonalData

Span = tuple[int, int]
"""Characters of a text: the first, and the one after the last."""
Finder = Callable[[str], Iterator[Span]]

_EMAIL = re.compile(
    r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?!\w)"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_CARD = re.compile(r"(?<![\d.,])\d(?:[ -]?\d){11,18}(?![\d]|[.,]\d)")
_SSN = re.compile(r"(?<![\d-])\d{3}([- ])\d{2}\1\d{4}(?![\d-])")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]{2,39}(?:\d{1,3}(?:\.\d{1,3}){3})?(?![\w:])"
)
_SHORTEST_IBAN, _CARD_LENGTHS = 15, range(13, 20)


@dataclass(frozen=True)
class Redacted:
    """A text without what was taken out of it."""

    text: str
    counts: Counter[str] = field(default_factory=Counter)
    """How often something of each kind was."""


class Redactor:
    """Takes some kinds of personal data out of texts, and puts `[EMAIL]`, `[PHONE]` … in their places."""

    def __init__(self, kinds: Iterable[PersonalData], region: str = "US") -> None:
        """`region`: whose phone numbers are known without +, ISO 3166."""
        wanted = set(kinds)
        finders: dict[PersonalData, Finder] = {
            # In this order, where two find the same: an account number may look like a phone number.
            "email": _emails,
            "iban": _ibans,
            "card": _cards,
            "ssn": _ssns,
            "ip": _addresses,
            "phone": partial(_phones, region=region),
        }
        self._finders = {kind: finder for kind, finder in finders.items() if kind in wanted}

    def redact(self, text: str) -> Redacted:
        """`text` without them. Takes time in proportion to its length; raises nothing, whatever it is."""
        counts: Counter[str] = Counter()
        for kind, finder in self._finders.items():
            spans = _apart(finder(text))
            if spans:
                counts[kind] += len(spans)
                text = _replaced(text, spans, f"[{kind.upper()}]")
        return Redacted(text, counts)


def _apart(spans: Iterable[Span]) -> list[Span]:
    kept: list[Span] = []
    for start, end in sorted(spans):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _replaced(text: str, spans: Sequence[Span], mark: str) -> str:
    parts, at = [], 0
    for start, end in spans:
        parts += [text[at:start], mark]
        at = end
    return "".join([*parts, text[at:]])


def _emails(text: str) -> Iterator[Span]:
    if "@" in text:
        yield from (match.span() for match in _EMAIL.finditer(text))


def _ibans(text: str) -> Iterator[Span]:
    from stdnum import iban

    for match in _IBAN.finditer(text):
        # Words that follow look like more of it: the longest beginning that is one is.
        end = next((end for end in _ends(match) if iban.is_valid(text[match.start() : end])), None)
        if end is not None:
            yield match.start(), end


def _ends(match: re.Match[str]) -> Iterator[int]:
    whole = match[0]
    for length in range(len(whole), _SHORTEST_IBAN - 1, -1):
        if length == len(whole) or not whole[length].isalnum():
            yield match.start() + length


def _cards(text: str) -> Iterator[Span]:
    from stdnum import luhn

    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if len(digits) in _CARD_LENGTHS and digits[0] in "3456" and len(set(digits)) > 1 and luhn.is_valid(digits):
            yield match.span()


def _ssns(text: str) -> Iterator[Span]:
    from stdnum.us import ssn

    for match in _SSN.finditer(text):
        if ssn.is_valid(match[0].replace(" ", "-")):
            yield match.span()


def _addresses(text: str) -> Iterator[Span]:
    for pattern in (_IPV4, _IPV6):
        for match in pattern.finditer(text):
            try:
                ipaddress.ip_address(match[0])
            except ValueError:
                continue
            if match[0] != "::":
                yield match.span()


def _phones(text: str, region: str) -> Iterator[Span]:
    if sum(map(str.isdecimal, text)) < _FEWEST_DIGITS:
        return
    import phonenumbers

    for match in phonenumbers.PhoneNumberMatcher(text, region):
        yield match.start, match.end


_FEWEST_DIGITS = 5
"""Of a phone number: a text with fewer digits holds none, and need not be looked through."""

"""Labels that are one to a person and two to a computer: other blanks, other letters, another spelling of a number."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from perennial.core.errors import listing

if TYPE_CHECKING:
    import pyarrow as pa

DIFFERENCES = "blanks, case, width or a trailing .0"
_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Soft hyphen, zero-width space, word joiner, byte order mark."""
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_MAX_SHOWN = 40
"""Characters of a label; one that long is no label."""
_MAX_LISTED = 10


def tidy(label: str) -> str:
    """`label` without blanks at its ends, with one space for each run of blanks within (no-break spaces, line ends),
    without characters that are not seen, and with each accent in one character with its letter."""
    return unicodedata.normalize("NFC", " ".join(label.translate(_UNSEEN).split()))


def folded(label: str) -> str:
    """What labels have in common that a person takes for one: tidy, in lower case and of one width, 1.0 as 1."""
    key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", tidy(label)).casefold())
    whole = _WHOLE.fullmatch(key)
    return whole[1] if whole else key


def common_form(labels: Sequence[str], *, fold: bool) -> Callable[[str], str]:
    """What tells whether two labels are one: the same of both. With `fold` case, width and a trailing .0 make no other
    label, unless `labels` has both; blanks never do."""
    if not fold:
        return tidy
    times = Counter(map(folded, labels))
    return lambda label: key if times[key := folded(label)] < 2 else tidy(label)


def spellings(written: Iterable[str], labels: Sequence[str], *, fold: bool) -> dict[str, str]:
    """Those of the labels `written` that are no `labels` but another spelling of one, with that one.

    Blanks never make another label; with `fold` neither do case, width and a trailing .0. A spelling of two `labels`
    is none of either.
    """
    names = set(labels)
    forms = (tidy, folded) if fold else (tidy,)
    tables = [(form, _unique(labels, form)) for form in forms]
    by_spelling: dict[str, str] = {}
    for label in written:
        if label in names:
            continue
        name = next((table[key] for form, table in tables if (key := form(label)) in table), None)
        if name is not None:
            by_spelling[label] = name
    return by_spelling


def respelled(labels: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
    """`labels` (strings) with those that `spelling` has as it has them."""
    import pyarrow as pa

    coded = labels.dictionary_encode()
    names = [spelling.get(name, name) for name in coded.dictionary.to_pylist()]
    return pa.array(names, pa.string()).take(coded.indices)


def in_words(changed: Mapping[tuple[str, str], int]) -> str:
    """Spellings with the labels they are read as, and how often, the most frequent first."""
    ordered = sorted(changed.items(), key=lambda item: -item[1])
    return listing([f"{_shown(one)} as {_shown(other)} ({count:,})" for (one, other), count in ordered], _MAX_LISTED)


def variants_in_words(name: str, counts: Counter[str]) -> str:
    """A label and its other spellings, each with how often it is there."""
    others = [f"{_shown(one)} ({count:,})" for one, count in counts.most_common() if one != name]
    return f"{_shown(name)} ({counts[name]:,}) is also written {listing(others, _MAX_LISTED)}"


def _shown(label: str) -> str:
    return repr(label if len(label) <= _MAX_SHOWN else f"{label[:_MAX_SHOWN]}…")


def _unique(labels: Sequence[str], form: Callable[[str], str]) -> dict[str, str]:
    times = Counter(map(form, labels))
    return {form(label): label for label in labels if times[form(label)] == 1}

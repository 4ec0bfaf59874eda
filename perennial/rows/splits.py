"""Splits by the hash of what rows must not share: a row, and any copy of it, is in the same split for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from perennial.rows.folding import folded, normalised
from perennial.settings.data import BY_TEXT, DataSpec, SplitsSpec

if TYPE_CHECKING:
    import pyarrow as pa

KEY_BYTES = 16
KEY_DIGITS = 2 * KEY_BYTES
SEPARATOR = "\x1f"
_GROUP = "group"
# 13 hex digits are 52 bits: as many as a float holds exactly.
_LEADING = 13
_WHOLE = float(1 << 4 * _LEADING)


def text_key(text: str) -> str:
    """The hash (BLAKE2b, 16 bytes, 32 hex digits) of a text that was normalised or folded. Raises UnicodeEncodeError
    for text that is no Unicode (lone surrogates)."""
    return hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).hexdigest()


def text_keys(columns: Sequence[pa.Array]) -> list[str]:
    """The hash of each row's normalised texts; `columns`: they, in the order of the kind's text columns."""
    texts = list(map(normalised, columns))
    rows = texts[0] if len(texts) == 1 else map(SEPARATOR.join, zip(*texts, strict=True))
    return list(map(text_key, rows))


def split_keys(columns: Sequence[pa.Array], groups: pa.Array | None, splits: SplitsSpec) -> list[str]:
    """The hash of what decides each row's split: rows with the same one are in the same split.

    `columns`: the rows' texts, as of `text_keys`. `groups`: data.columns.group of each; None: there is no such column.
    By the text it is the text key itself.
    """
    if splits.by == BY_TEXT:
        return text_keys(columns)
    deciding = {"first_text": columns[:1], "second_text": columns[-1:]}.get(splits.by, columns)
    keys = [text_key(SEPARATOR.join(row)) for row in zip(*map(folded, deciding), strict=True)]
    if splits.by != "group" or groups is None:
        return keys
    # A group's name is no text: one that is spelled like a text has another key.
    named = zip(groups.to_pylist(), keys, strict=True)
    return [text_key(f"{_GROUP}{SEPARATOR}{name}") if name else key for name, key in named]


def splits_of_keys(keys: Iterable[str], splits: SplitsSpec) -> list[str]:
    """The split of the row with each split key: its leading bits as a fraction fall to test, validation or train.

    Test takes [0, test), validation [test, test + validation), train the rest. Hex digits sort as the fractions do, so
    two limits as hex decide.
    """
    test, validation = _limit(splits.test), _limit(splits.test + splits.validation)
    return ["test" if key < test else "validation" if key < validation else "train" for key in keys]


def _limit(share: float) -> str:
    # The least key whose fraction is not below `share`.
    scaled = share * _WHOLE
    least = int(scaled) + (scaled > int(scaled))
    return f"{least:0{_LEADING}x}"


def fingerprint(data: DataSpec) -> str:
    """What tells two ways of splitting apart, short enough for a tag."""
    splits = data.splits
    by = "" if splits.by == BY_TEXT else f" by={splits.by}"
    by += f":{data.columns.group}" if splits.by == "group" else ""
    return f"validation={splits.validation:g} test={splits.test:g}{by}"

"""Splits by the hash of a row's normalised text: a row, and any duplicate of it, is in the same split for ever."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from perennial.settings.data import SplitsSpec

if TYPE_CHECKING:
    import pyarrow as pa

KEY_BYTES = 16
SEPARATOR = "\x1f"
# What `normalise` only lowers: printable ASCII with single spaces between.
PLAIN = r"\A([!-~]+( [!-~]+)*)?\z"
# 13 hex digits are 52 bits: as many as a float holds exactly.
_LEADING = 13
_WHOLE = float(1 << 4 * _LEADING)


def normalise(text: str) -> str:
    """`text` without differences of case, width and whitespace.

    Unicode NFKC and case folding (as in toNFKC_Casefold, without dropping ignorable characters), then whitespace
    collapsed to single spaces and stripped.
    """
    if not text.isascii():
        # Folding can undo the normal form, so it is made again.
        folded = unicodedata.normalize("NFKC", text).casefold()
        return " ".join(unicodedata.normalize("NFKC", folded).split())
    return " ".join(text.lower().split())


def normalised(column: pa.Array) -> list[str]:
    """`normalise` of each text of an array of strings, faster for many; null counts as ""."""
    import pyarrow.compute as pc

    lowered = pc.ascii_lower(pc.fill_null(column, ""))
    texts: list[str] = lowered.to_pylist()
    for index in pc.indices_nonzero(pc.invert(pc.match_substring_regex(lowered, PLAIN))).to_pylist():
        # The texts themselves: to lower a letter before its width is made normal could tell two texts apart.
        texts[index] = normalise(column[index].as_py() or "")
    return texts


def text_key(normalised: str) -> str:
    """The hash (BLAKE2b, 16 bytes, 32 hex digits) of a text that was normalised. Raises UnicodeEncodeError for text
    that is no Unicode (lone surrogates)."""
    return hashlib.blake2b(normalised.encode(), digest_size=KEY_BYTES).hexdigest()


def keys_and_splits(rows: Iterable[Iterable[str | None]], splits: SplitsSpec) -> tuple[list[str], list[str]]:
    """Text key and split of each row, given its texts in the order of the kind's text columns; None counts as ""."""
    keys = [text_key(SEPARATOR.join([normalise(text) if text else "" for text in row])) for row in rows]
    return keys, splits_of_keys(keys, splits)


def text_keys(columns: Sequence[pa.Array]) -> list[str]:
    """The text keys of `keys_and_splits`, of rows whose texts are these columns, in the order of the kind's."""
    return [text_key(SEPARATOR.join(row)) for row in zip(*map(normalised, columns), strict=True)]


def splits_of_keys(keys: Iterable[str], splits: SplitsSpec) -> list[str]:
    """The split of the row with each text key: its leading bits as a fraction fall to test, validation or train.

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


def fingerprint(splits: SplitsSpec) -> str:
    """What tells two ways of splitting apart, short enough for a tag."""
    return f"validation={splits.validation:g} test={splits.test:g}"

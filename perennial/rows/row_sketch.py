"""A small summary of a large set of rows: how many of other rows are new to it, without keeping the rows.

The least hashes of a set are a random sample of it, and of any set it is compared with (bottom-k sketch: Broder 1997;
Beyer et al. 2007). Up to `SIZE` rows the counts are exact; beyond, a share is known to within a few percent.

Broder 1997, *Compression and Complexity of Sequences* · Beyer et al. 2007, *SIGMOD*
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

SIZE = 4096
BYTES = 8
_DIGITS = 2 * BYTES


@dataclass(frozen=True)
class RowSketch:
    """The least hashes of a set of rows, in order, as hex digits; all of them if there are fewer than `SIZE`."""

    hashes: tuple[str, ...] = ()

    @classmethod
    def of_hashes(cls, hashes: Iterable[str]) -> "RowSketch":
        """The sketch of a set."""
        return cls(tuple(sorted(set(hashes))[:SIZE]))

    @classmethod
    def read(cls, text: str) -> "RowSketch":
        """The sketch that `text` holds, as `written` gave it."""
        return cls(tuple(text[start : start + _DIGITS] for start in range(0, len(text), _DIGITS)))

    @property
    def written(self) -> str:
        """As text: 16 hex digits a row."""
        return "".join(self.hashes)

    def new_among(self, hashes: frozenset[str]) -> int:
        """About how many of `hashes` are not in the set; 0 where that can't be told."""
        limit = self.hashes[-1] if len(self.hashes) >= SIZE else None
        sample = [one for one in hashes if limit is None or one <= limit]
        if not sample:
            return 0
        members = set(self.hashes)
        return round(len(hashes) * sum(one not in members for one in sample) / len(sample))

    def joined(self, hashes: Iterable[str]) -> "RowSketch":
        """The sketch of both sets together."""
        return RowSketch.of_hashes((*self.hashes, *hashes))


def row_hashes(keys: Iterable[str], salt: str) -> frozenset[str]:
    """The hashes of rows by their text keys; without `salt` nobody can tell which rows they are of."""
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    return frozenset(hashlib.blake2b(one.encode(), digest_size=BYTES, key=key).hexdigest() for one in keys)

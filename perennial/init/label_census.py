"""Which spellings of labels there are in a whole file, and which of them a pipeline is to name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from perennial.core.errors import listing
from perennial.kinds import label_reading
from perennial.kinds.protocols import ReadsRows
from perennial.rows import label_spelling

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LISTED = 10


class LabelCensus:
    """Counts spellings under what they have in common; `fold`: case, width and a trailing .0 make no other label."""

    def __init__(self, *, fold: bool) -> None:
        self.fold = fold
        self._form = label_spelling.folded if fold else label_spelling.tidy
        self._counts: dict[str, Counter[str]] = {}

    def keyed(self, kind: ReadsRows, targets: pa.Array) -> pa.Array:
        """`targets`, counted, with each label as what its spellings have in common."""
        counts = label_reading.label_counts(kind, targets)
        keys = {label: self._form(label) for label in counts}
        for label, key in keys.items():
            self._counts.setdefault(key, Counter())[label] += counts[label]
        changed = {label: key for label, key in keys.items() if label != key}
        return kind.respelled(targets, changed) if changed else targets

    def names(self) -> dict[str, str]:
        """The commonest spelling of each label, by what its spellings have in common."""
        return {key: self._name(counts) for key, counts in self._counts.items()}

    def too_few(self, least: int) -> bool:
        """Whether fewer than `least` labels are left, and more would be if they were not folded."""
        if not self.fold:
            return False
        labels = list(filter(None, self._counts))
        return 0 < len(labels) < least <= len({label_spelling.tidy(one) for key in labels for one in self._counts[key]})

    def renamed(self, counts: Mapping[str, int]) -> Counter[str]:
        """`counts` by name."""
        names = self.names()
        return Counter({names.get(key, key): count for key, count in counts.items()})

    def sentence(self) -> str:
        """Which labels are written in several ways, with counts; empty: none is."""
        several = sorted(
            (counts for key, counts in self._counts.items() if key and len(counts) > 1), key=lambda c: -c.total()
        )
        if not several:
            return ""
        how = f"{label_spelling.DIFFERENCES} are read as one (data.fold_labels)" if self.fold else "blanks are one"
        shown = [label_spelling.variants_in_words(self._name(counts), counts) for counts in several]
        return f"Labels that differ only in {how}: {'; '.join(shown[:MAX_LISTED])}{listing(shown[MAX_LISTED:], 0)}."

    @staticmethod
    def _name(counts: Counter[str]) -> str:
        tidied: Counter[str] = Counter()
        for label, count in counts.items():
            tidied[label_spelling.tidy(label)] += count
        return max(tidied, key=lambda label: (tidied[label], -len(label), label))

"""One pass over the whole file: rows per label and split, contradicting labels, in bounded memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perennial.data import rows, splits
from perennial.data.sources import file
from perennial.data.sources.base import Batch
from perennial.errors import SourceError
from perennial.spec import SPLITS, SplitsSpec

MAX_LABELS = 1_000
SAMPLED_TEXTS = 200_000
"""Texts whose labels are compared. Of more, those with the lowest hashes: a fair sample, all rows of a text in it."""


@dataclass
class Census:
    """What the file holds, as far as `init` must know it."""

    rows: int = 0
    blank_texts: int = 0
    blank_labels: int = 0
    labels: dict[str, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})
    """Rows with text and label, per split and label; contradicted and repeated rows are left out where known."""
    contradicted: float = 0.0
    """Share of the rows whose text has another label elsewhere."""
    repeated_ids: float = 0.0
    """Share of the rows whose id is another row's, too."""
    bad_times: int = 0
    """Rows without a time that can be read."""
    missing_ids: int = 0
    repeated: int = 0
    """Rows that were left out of `labels` because an earlier one has their id, or else their content."""

    @property
    def usable(self) -> int:
        """Rows with a text and a label, each once."""
        return max(0, self.rows - self.blank_texts - self.blank_labels - self.repeated)

    @property
    def rows_per_label(self) -> Counter[str]:
        """Rows of each label, in all splits."""
        total: Counter[str] = Counter()
        for labels in self.labels.values():
            total.update(labels)
        return total


class _Sample:
    """Values seen by hash, bounded: past the limit only hashes below a falling threshold are kept."""

    def __init__(self) -> None:
        self.seen: dict[str, Counter[str]] = {}
        self.share = float(1 << 32)
        self.whole = True

    def add(self, key: str, value: str) -> bool:
        """Whether `key` is new, as far as is known: of those that are not kept nobody can tell."""
        if not self.whole and int(key[:8], 16) >= self.share:
            return True
        new = key not in self.seen
        self.seen.setdefault(key, Counter())[value] += 1
        if len(self.seen) > SAMPLED_TEXTS:
            self._thin()
        return new

    def _thin(self) -> None:
        self.share /= 2
        self.whole = False
        self.seen = {key: values for key, values in self.seen.items() if int(key[:8], 16) < self.share}


def take(
    path: Path,
    text: str,
    label: str,
    *,
    time: str | None,
    row_id: str | None,
    slices: Sequence[str],
    delimiter: str | None,
) -> Census:
    """Count the file at `path` by its columns. Raises SourceError, naming file and line, as a run would."""
    census, told, ids = Census(), _Sample(), _Sample()
    wanted = tuple(dict.fromkeys(name for name in (text, label, time, row_id, *slices) if name))
    for batch in file.read(path, wanted, delimiter):
        census.rows += len(batch.places)
        if time:
            census.bad_times += sum(not _tells_time(value) for value in batch.columns[time])
        _count(census, told, batch, text, label, _first_of_its_kind(census, ids, batch, row_id))
        if len(census.rows_per_label) > MAX_LABELS:
            break
    _conclude(census, told, ids)
    return census


def _count(census: Census, told: _Sample, batch: Batch, text: str, label: str, first: Sequence[bool]) -> None:
    texts, labels = rows.texts(batch, text), rows.texts(batch, label)
    keys, places = splits.keys_and_splits(([value] for value in texts), SplitsSpec())
    for key, place, value, name, is_first in zip(keys, places, texts, labels, first, strict=True):
        if not value or not value.strip():
            census.blank_texts += 1
        elif not name or not name.strip():
            census.blank_labels += 1
        elif is_first:
            census.labels[place][name] += 1
            told.add(key, name)


def _first_of_its_kind(census: Census, ids: _Sample, batch: Batch, row_id: str | None) -> list[bool]:
    """Whether each row is the first with its id (None: its content): a run reads repeated ones once."""
    if row_id:
        names: list[str | None] = rows.texts(batch, row_id)
    else:
        names = [repr(cells) for cells in zip(*batch.columns.values(), strict=True)]
    census.missing_ids += sum(not name for name in names)
    firsts = [not name or ids.add(_hash(name), "") for name in names]
    census.repeated += firsts.count(False)
    return firsts


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _conclude(census: Census, told: _Sample, ids: _Sample) -> None:
    sampled = sum(labels.total() for labels in told.seen.values())
    torn = [(key, labels) for key, labels in told.seen.items() if len(labels) > 1]
    census.contradicted = sum(labels.total() for _, labels in torn) / max(sampled, 1)
    numbered = sum(values.total() for values in ids.seen.values())
    census.repeated_ids = 1 - len(ids.seen) / max(numbered, 1)
    if not told.whole:
        return
    places = splits.places((key for key, _ in torn), SplitsSpec())
    for place, (_, labels) in zip(places, torn, strict=True):
        census.labels[place].subtract(labels)


def _tells_time(value: object) -> bool:
    try:
        rows.moment(value)
    except (ValueError, OverflowError):
        return False
    return True


def head(path: Path, delimiter: str | None, limit: int) -> dict[str, list[object]]:
    """All columns of about the first `limit` rows (up to a batch more). Raises SourceError as reading does."""
    columns: dict[str, list[object]] = {}
    taken = 0
    for batch in _until(file.read(path, None, delimiter), limit):
        for name, values in batch.columns.items():
            # A key that JSON Lines' earlier rows did not have.
            columns.setdefault(name, [None] * taken).extend(values)
        taken += len(batch.places)
        for values in columns.values():
            values.extend([None] * (taken - len(values)))
    if not taken:
        raise SourceError(f"{path} holds no rows.", remedy="Give a file with labelled texts, one a row.")
    return columns


def _until(batches: Iterator[Batch], limit: int) -> Iterator[Batch]:
    taken = 0
    for batch in batches:
        yield batch
        taken += len(batch.places)
        if taken >= limit:
            return

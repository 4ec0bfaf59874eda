"""One pass over the whole file: rows per label and split, contradicting targets, faults, in bounded memory."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import SourceError
from perennial.ingest import missing_labels
from perennial.init import null_words, token_lengths
from perennial.init.data_file import DataFile
from perennial.init.label_census import LabelCensus
from perennial.kinds.protocols import ReadsRows
from perennial.kinds.target_cells import target_cells
from perennial.rows import cells, moments, splits
from perennial.rows.batch import Batch
from perennial.rows.written_times import UnclearTimeError
from perennial.settings.data import SPLITS, ColumnsSpec, MissingLabels, SplitsSpec, SplitUnit

if TYPE_CHECKING:
    import pyarrow as pa

MAX_LABELS = 1_000
SAMPLED_TEXTS = 200_000
"""Texts whose targets are compared. Of more, those with the lowest hashes: a fair sample, all rows of a text in it."""
SAMPLED_ROWS = 20_000
"""Rows whose lengths, and numbers, are kept."""


@dataclass
class Census:
    """What the file holds, as far as `init` must know it."""

    rows: int = 0
    usable: int = 0
    """Rows with a text and a target, each once."""
    blank_texts: int = 0
    blank_labels: int = 0
    """Rows with a text and without what is learned: no label, no number, no list."""
    changes: Counter[str] = field(default_factory=Counter)
    """What a run changes in rows, by what it does."""
    faults: Counter[str] = field(default_factory=Counter)
    """Rows that the kind can't read, by why."""
    missing_labels: int = 0
    """Rows that may have no label, and don't say so: null, an empty cell, no such key."""
    missing_means: MissingLabels = "set_aside"
    """What those rows are counted as. none: of columns that are each a label, no cell of the file says that one does
    not hold, so an empty cell must."""
    says_not: bool = False
    """Whether a cell of such a column does say so."""
    unlabelled: int = 0
    """Rows with an empty list of labels or spans."""
    labels: dict[str, Counter[str]] = field(default_factory=lambda: {split: Counter() for split in SPLITS})
    """Rows with text and label, per split and label; contradicted and repeated rows are left out where known."""
    numbers: list[float] = field(default_factory=list)
    """What a kind without labels learns, of the first rows."""
    tokens: list[float] = field(default_factory=list)
    """Estimated tokens of the first rows."""
    contradicted: float = 0.0
    """Share of the rows whose text has another target elsewhere; 0 for a kind in which that contradicts nothing."""
    repeated_ids: float = 0.0
    """Share of the rows whose id is another row's, too."""
    bad_times: int = 0
    """Rows without a time that can be read."""
    bad_time: str = ""
    """The first such time, and why, in words; empty: those rows have none."""
    missing_ids: int = 0
    null_words: dict[str, int] = field(default_factory=dict)
    """Words for nothing in the place of a label, with their rows; not among `labels`."""
    spellings: LabelCensus = field(default_factory=lambda: LabelCensus(fold=True))
    """How the labels are written."""
    repeated: int = 0
    """Rows that were left out of `labels` because an earlier one has their id, or else their content."""

    @property
    def rows_per_label(self) -> Counter[str]:
        """Rows of each label, in all splits."""
        total: Counter[str] = Counter()
        for labels in self.labels.values():
            total.update(labels)
        return total


class _Sample:
    """Values seen by hash, bounded: past the limit only hashes below a falling threshold are kept. What follows a hash
    in its key stays with it."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}
        self.share = float(1 << 32)
        self.whole = True

    def add(self, key: str, value: str) -> bool:
        """Whether `key` is new, as far as is known: of those that are not kept nobody can tell."""
        if not self.whole and int(key[:8], 16) >= self.share:
            return True
        new = key not in self.counts
        self.counts.setdefault(key, Counter())[value] += 1
        if len(self.counts) > SAMPLED_TEXTS:
            self._thin()
        return new

    def _thin(self) -> None:
        self.share /= 2
        self.whole = False
        self.counts = {key: values for key, values in self.counts.items() if int(key[:8], 16) < self.share}


def take_census(
    data: DataFile,
    kind: ReadsRows,
    columns: ColumnsSpec,
    splits_by: SplitUnit,
    *,
    fold: bool = True,
    may_mean_none: bool = True,
) -> Census:
    """Count the rows of `data` by these `columns`, split by `splits_by`. Raises SourceError, naming file and line, as a
    run would.

    `fold`: labels that differ in case, width or a trailing .0 count as one, unless too few would be left.
    `may_mean_none`: empty cells of `columns.one_hot` say that no label holds, unless others say that themselves.
    """
    meaning: MissingLabels = "none" if columns.one_hot and may_mean_none else "set_aside"
    census = Census(spellings=LabelCensus(fold=fold), missing_means=meaning)
    with progress.counted() as census.changes:
        _take(census, data, kind, columns, SplitsSpec(by=splits_by))
    may_mean_none = may_mean_none and not census.says_not
    wrong = meaning == "none" and not may_mean_none and bool(census.missing_labels)
    fold_less = fold and census.spellings.too_few(kind.least_labels)
    if wrong or fold_less:
        fold = fold and not fold_less
        return take_census(data, kind, columns, splits_by, fold=fold, may_mean_none=may_mean_none)
    return census


def _take(census: Census, data: DataFile, kind: ReadsRows, columns: ColumnsSpec, by: SplitsSpec) -> None:
    target_sample, ids = _Sample(), _Sample()
    names = (*kind.sources(columns), columns.time, columns.id, *columns.slices)
    wanted = tuple(dict.fromkeys(name for name in names if name))
    for batch in data.rows_of(kind, columns, wanted):
        census.rows += len(batch.numbers)
        if columns.time:
            _count_times(census, batch.columns[columns.time], columns.time_format)
        first = _first_of_its_kind(census, ids, batch, columns.id)
        content = _content(census, kind, batch, columns)
        content[kind.target_column] = census.spellings.keyed(kind, content[kind.target_column])
        _count(census, target_sample, kind, content, first, by)
        if len(census.rows_per_label) > MAX_LABELS:
            break
    _conclude(census, target_sample, ids, kind)


def _content(census: Census, kind: ReadsRows, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
    """The kind's columns; rows without a label are counted."""
    target = target_cells(kind, columns)
    missing = missing_labels.rows_without_label(batch, target)
    census.missing_labels += len(missing)
    read = batch
    if missing and census.missing_means == "none":
        read = missing_labels.with_none(batch, target, missing)
    content = kind.canonical(read, columns)
    if columns.one_hot and not census.says_not:
        labels = content[kind.target_column].to_pylist()
        census.says_not = missing_labels.says_not(batch, columns.one_hot, labels)
    return content


def _count(
    census: Census,
    target_sample: _Sample,
    kind: ReadsRows,
    content: Mapping[str, pa.Array],
    first: Sequence[bool],
    by: SplitsSpec,
) -> None:
    columns = [content[name] for name in kind.text_columns]
    texts = list(zip(*(column.to_pylist() for column in columns), strict=True))
    targets = content[kind.target_column]
    column = kind.fault_column
    faults: list[str | None] = content[column].to_pylist() if column else [None] * len(texts)
    room = SAMPLED_ROWS - len(census.tokens)
    census.tokens += [token_lengths.tokens(row) for row in texts[: max(room, 0)] if any(row)]
    keys, places = splits.text_keys(columns), splits.splits_of_keys(splits.split_keys(columns, None, by), by)
    good: dict[str, list[int]] = {split: [] for split in SPLITS}
    for row, (key, text, target) in enumerate(zip(keys, texts, targets.to_pylist(), strict=True)):
        if fault := faults[row]:
            census.faults[fault] += 1
        elif not all(part and part.strip() for part in text):
            census.blank_texts += 1
        elif target is None or (isinstance(target, str) and not target.strip()):
            census.blank_labels += 1
        elif first[row]:
            good[places[row]].append(row)
            census.usable += 1
            census.unlabelled += target == []
            if kind.contradicts:
                target_sample.add(f"{key}{places[row]}", json.dumps(target))
    _count_targets(census, kind, targets, good)


def _count_targets(census: Census, kind: ReadsRows, targets: pa.Array, good: Mapping[str, list[int]]) -> None:
    for split, numbers in good.items():
        chosen = targets.take(numbers) if numbers else targets[:0]
        labels = kind.labels_in(chosen)
        if labels is None:
            census.numbers += chosen.to_pylist()[: SAMPLED_ROWS - len(census.numbers)]
        else:
            census.labels[split].update(labels.to_pylist())


def _first_of_its_kind(census: Census, ids: _Sample, batch: Batch, row_id: str | None) -> list[bool]:
    """Whether each row is the first with its id (None: its content): a run reads repeated ones once."""
    if row_id:
        names: list[str | None] = cells.texts(batch, row_id)
    else:
        names = [repr(cells) for cells in zip(*batch.columns.values(), strict=True)]
    census.missing_ids += sum(not name for name in names)
    firsts = [not name or ids.add(_hash(name), "") for name in names]
    census.repeated += firsts.count(False)
    return firsts


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _conclude(census: Census, target_sample: _Sample, ids: _Sample, kind: ReadsRows) -> None:
    sampled = sum(labels.total() for labels in target_sample.counts.values())
    torn = [(key, labels) for key, labels in target_sample.counts.items() if len(labels) > 1]
    census.contradicted = sum(labels.total() for _, labels in torn) / max(sampled, 1)
    numbered = sum(values.total() for values in ids.counts.values())
    census.repeated_ids = 1 - len(ids.counts) / max(numbered, 1)
    for key, targets in torn if target_sample.whole else ():
        census.labels[key[splits.KEY_DIGITS :]].subtract(_labels(kind, targets))
    census.labels = {split: census.spellings.renamed(labels) for split, labels in census.labels.items()}
    if _is_one_label(kind):
        census.null_words = null_words.take_out(census.labels, kind.least_labels)
        census.usable -= sum(census.null_words.values())


def _is_one_label(kind: ReadsRows) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind.column_types()[kind.target_column]))


def _labels(kind: ReadsRows, targets: Counter[str]) -> list[str]:
    """The labels of rows with these targets, each as JSON."""
    import pyarrow as pa

    rows_of = [json.loads(target) for target in targets.elements()]
    labels = kind.labels_in(pa.array(rows_of, kind.column_types()[kind.target_column]))
    return [] if labels is None else list(labels.to_pylist())


def _count_times(census: Census, values: Sequence[object], form: str | None) -> None:
    for value in values:
        try:
            moments.moment(value, form)
        except (ValueError, OverflowError) as error:
            census.bad_times += 1
            if not census.bad_time and value is not None:
                why = f": {error}" if isinstance(error, UnclearTimeError) else ""
                census.bad_time = f", such as {str(value)[:40]!r}{why}"


def head(data: DataFile, limit: int) -> dict[str, list[object]]:
    """All columns of about the first `limit` rows (up to a batch more). Raises SourceError as reading does."""
    columns: dict[str, list[object]] = {}
    taken = 0
    for batch in _until(data.rows(), limit):
        for name, values in batch.columns.items():
            # A key that JSON Lines' earlier rows did not have.
            columns.setdefault(name, [None] * taken).extend(values)
        taken += len(batch.numbers)
        for values in columns.values():
            values.extend([None] * (taken - len(values)))
    if not taken:
        raise SourceError(f"{data.path} holds no rows.", remedy="Give a file with labelled texts, one a row.")
    return columns


def _until(batches: Iterator[Batch], limit: int) -> Iterator[Batch]:
    taken = 0
    for batch in batches:
        yield batch
        taken += len(batch.numbers)
        if taken >= limit:
            return

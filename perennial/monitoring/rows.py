"""The rows that drift is measured on: a sample of those the champion knows, and windows of those that came later.

Read in batches, so memory does not grow with the parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from perennial import kinds
from perennial.core import digest
from perennial.core.errors import StoreError
from perennial.core.store import Store
from perennial.kinds import label_reading
from perennial.records.data import Part
from perennial.rows.columns import SPLIT, TEXT_KEY, TIME
from perennial.settings.pipeline import PipelineSpec
from perennial.training.sampling import DAY, NO_TIME

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 20_000
_DIGITS = 8
Texts = tuple[str, ...]


@dataclass(frozen=True)
class WindowRows:
    """Some rows, as far as drift is measured on them."""

    texts: list[Texts]
    """What the model reads of each: a text, or the two of a pair."""
    targets: pa.Array
    """The target column; of an unlabelled source it means nothing."""
    held_out: np.ndarray
    """Whether the champion did not learn from it (bool)."""
    keys: list[str]
    times: tuple[datetime | None, datetime | None]
    """The oldest and the newest; None: no time column."""
    slices: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    """The values of data.columns.slices; of samples alone."""

    @property
    def joined(self) -> list[str]:
        """Each row's texts as one."""
        return [" ".join(texts) for texts in self.texts]

    @property
    def digest(self) -> str:
        """The same for the same rows in the same order."""
        return digest.of_values(keys=self.keys, targets=[str(target) for target in self.targets.to_pylist()])


def sample(spec: PipelineSpec, parts: Sequence[Part], store: Store, limit: int) -> WindowRows:
    """About `limit` rows of `parts`, the same ones every time: those whose text's hash ends lowest.

    Where training draws rows by age (max_rows or replay with half_life_days), so does this: what was hardly learned is
    hardly there. Raises StoreError when a part is not there.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    least = _thresholds(spec, parts, store, limit)
    kept: list[pa.Table] = []
    for part in parts:
        for batch in _batches(spec, part, store, [*_columns(spec), *_slices(spec)]):
            ends = pc.utf8_slice_codeunits(batch.column(TEXT_KEY), -_DIGITS)
            kept.append(pa.Table.from_batches([batch.filter(pc.less_equal(ends, least(batch.column(TIME))))]))
    # A part may be older than a slice column.
    return _rows(spec, pa.concat_tables(kept, promote_options="default"))


def newest(spec: PipelineSpec, parts: Sequence[Part], store: Store, rows: int) -> WindowRows:
    """The `rows` rows of `parts` that came last, in the order in which windows take them; all, where there are fewer.

    Raises StoreError when a part is not there.
    """
    import pyarrow as pa

    total = sum(part.rows for part in parts)
    return _rows(spec, pa.concat_tables(list(_in_order(spec, parts, store, max(0, total - rows), total))))


def windows(
    spec: PipelineSpec, parts: Sequence[Part], store: Store, size: int, skip: int, last: int
) -> Iterator[tuple[int, WindowRows]]:
    """The `last` full windows of `size` rows of `parts`, `skip` rows left out before the first, with their numbers.

    Rows stand in the order in which they came: part by part; within a part by time, and by the hash of their text where
    there is none: a file may be sorted by label, and would seem to drift from one end to the other. Raises StoreError.
    """
    import pyarrow as pa

    full = max(0, sum(part.rows for part in parts) - skip) // size
    first = max(0, full - last)
    start, end = skip + first * size, skip + full * size
    pending: list[pa.Table] = []
    number = first + 1
    for table in _in_order(spec, parts, store, start, end):
        pending.append(table)
        whole = pa.concat_tables(pending)
        while whole.num_rows >= size:
            yield number, _rows(spec, whole.slice(0, size))
            whole, number = whole.slice(size), number + 1
        pending = [whole]


def _in_order(spec: PipelineSpec, parts: Sequence[Part], store: Store, start: int, end: int) -> Iterator[pa.Table]:
    """Those of the rows `start` to `end` of all parts together that each part holds, in order."""
    before = 0
    for part in parts:
        low, high = max(start - before, 0), min(end - before, part.rows)
        before += part.rows
        if low < high:
            yield _picked(spec, part, store, _order(spec, part, store)[low:high])


def _order(spec: PipelineSpec, part: Part, store: Store) -> np.ndarray:
    """The numbers of the part's rows, the first that came first."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = pa.Table.from_batches(list(_batches(spec, part, store, [TIME, TEXT_KEY])))
    by = [(TIME, "ascending"), (TEXT_KEY, "ascending")]
    order: np.ndarray = pc.sort_indices(keys, sort_keys=by, null_placement="at_start").to_numpy()
    return order


def _thresholds(
    spec: PipelineSpec, parts: Sequence[Part], store: Store, limit: int
) -> Callable[[pa.Array], str | pa.Array]:
    """Up to which end of a hash a row of a time is sampled: one for all, or one for each, which halves with its age."""
    import pyarrow as pa

    half_life = spec.training.half_life_days
    times = [_micros(batch) for part in parts for batch in _batches(spec, part, store, [TIME])] if half_life else []
    known_times = np.concatenate([lot[lot != NO_TIME] for lot in times]) if times else np.empty(0, np.int64)
    if half_life is None or not len(known_times):
        return lambda _: _hash_end(limit / max(1, sum(part.rows for part in parts)))
    oldest, latest, life = known_times.min(), known_times.max(), half_life * DAY

    def weights(micros: np.ndarray) -> np.ndarray:
        # As in training, a row without a time counts as the oldest.
        halved: np.ndarray = np.exp2((np.where(micros == NO_TIME, oldest, micros) - latest) / life)
        return halved

    total = sum(float(weights(lot).sum()) for lot in times)
    return lambda times: pa.array([_hash_end(one * limit / total) for one in weights(_micros(times))], pa.string())


def _hash_end(share: float) -> str:
    # A hair below the end, so that all rows are taken where there are fewer than the limit.
    return f"{int(min(1.0, share) * (16**_DIGITS - 1)):0{_DIGITS}x}"


def _micros(times: pa.Array | pa.RecordBatch) -> np.ndarray:
    import pyarrow as pa
    import pyarrow.compute as pc

    column = times.column(TIME) if isinstance(times, pa.RecordBatch) else times
    micros: np.ndarray = pc.fill_null(column.cast(pa.timestamp("us", "UTC")).cast("int64"), NO_TIME).to_numpy(
        zero_copy_only=False
    )
    return micros


def _picked(spec: PipelineSpec, part: Part, store: Store, wanted: np.ndarray) -> pa.Table:
    """The rows of `part` with these numbers, in their order."""
    import pyarrow as pa

    sorted_places = np.sort(wanted)
    picked, before = [], 0
    for batch in _batches(spec, part, store, _columns(spec)):
        here = sorted_places[(sorted_places >= before) & (sorted_places < before + batch.num_rows)]
        picked.append(pa.Table.from_batches([batch]).take(here - before))
        before += batch.num_rows
    return pa.concat_tables(picked).take(np.searchsorted(sorted_places, wanted))


def _batches(spec: PipelineSpec, part: Part, store: Store, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(store.root / part.path) as file:
            yield from file.iter_batches(BATCH_ROWS, columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise StoreError(
            f"Rows of {spec.name} ({part.path} in the store) are missing or damaged, so drift can't be measured.",
            remedy=f"`perennial run {spec.name} --reread` reads the source from its beginning into a new snapshot.",
        ) from error


def _columns(spec: PipelineSpec) -> list[str]:
    kind = kinds.kind_named(spec.kind)
    return [*kind.text_columns, kind.target_column, TIME, TEXT_KEY, SPLIT]


def _slices(spec: PipelineSpec) -> list[str]:
    return [name for name in spec.data.columns.slices if name not in _columns(spec)]


def _rows(spec: PipelineSpec, table: pa.Table) -> WindowRows:
    import pyarrow.compute as pc

    kind = kinds.kind_named(spec.kind)
    columns = [[text or "" for text in table[name].to_pylist()] for name in kind.text_columns]
    ends = pc.min_max(table[TIME]).as_py()
    return WindowRows(
        texts=list(zip(*columns, strict=True)),
        targets=label_reading.read_labels(kind, table[kind.target_column].combine_chunks(), spec.data).targets,
        held_out=np.asarray(pc.not_equal(table[SPLIT], "train").to_pylist(), bool),
        keys=table[TEXT_KEY].to_pylist(),
        times=(ends["min"], ends["max"]),
        slices={name: table[name].to_pylist() for name in _slices(spec) if name in table.column_names},
    )

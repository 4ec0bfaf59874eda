"""How many good rows count no more, by split and label: added up from one retirement to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perennial import kinds
from perennial.core import digest
from perennial.core.record import Record
from perennial.core.store import Store
from perennial.ingest import retirements
from perennial.records.data import Retirement
from perennial.rows.columns import ROW_ID, SPLIT
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import part_validation
from perennial.validation.findings import PartSummary

if TYPE_CHECKING:
    import pyarrow as pa

STEP = "gone-rows"


class RetiredCounts(Record):
    """Good rows that were retired so far."""

    rows: dict[str, int]
    """By split."""
    label_rows: dict[str, dict[str, int]]
    """By split and label."""


def count_retired_rows(
    spec: PipelineSpec, parts: Sequence[PartSummary], keys: Sequence[str], retired: Sequence[Retirement], store: Store
) -> RetiredCounts:
    """The good rows of `parts`, validated under `keys`, that are retired. Only what was retired since the last run is
    looked up in its parts."""
    taking = [one for one in retired if one.hits]
    chain = [""]
    for one in taking:
        chain.append(digest.of_values(before=chain[-1], retired=one.sha256, parts=[keys[n] for n in one.hits]))
    done, total = _newest_counts(chain, store)
    for number in range(done, len(taking)):
        total = _added(spec, total, taking[: number + 1], parts, chain[number + 1], store)
    return total


def _newest_counts(chain: Sequence[str], store: Store) -> tuple[int, RetiredCounts]:
    for number in range(len(chain) - 1, 0, -1):
        if (counts_before := store.get(STEP, chain[number], RetiredCounts)) is not None:
            return number, counts_before
    return 0, RetiredCounts(rows={}, label_rows={})


def _added(
    spec: PipelineSpec,
    before: RetiredCounts,
    taking: Sequence[Retirement],
    parts: Sequence[PartSummary],
    key: str,
    store: Store,
) -> RetiredCounts:
    """The counts with those of the last of `taking`, whose rows may have been taken out before, by another rule."""
    *older, one = taking

    def make(_: Path) -> RetiredCounts:
        gone = retirements.RetiredIds([one], store)
        # Only what was put before rows takes out what a source takes out later, too.
        twice = retirements.RetiredIds(older if any(part.superseded for part in parts) else [], store)
        rows, labels = Counter(before.rows), {split: Counter(some) for split, some in before.label_rows.items()}
        for number in one.hits:
            good = _rows(spec, store.root / parts[number].checked.path, gone.ids(number), twice.ids(number))
            rows.update(part_validation.split_rows(good))
            for split, some in part_validation.label_rows(spec, good).items():
                labels.setdefault(split, Counter()).update(some)
        return RetiredCounts(rows=dict(rows), label_rows={split: dict(some) for split, some in labels.items()})

    return store.get_or_make(STEP, key, RetiredCounts, make)


def _rows(spec: PipelineSpec, path: Path, gone: pa.Array, twice: pa.Array) -> pa.Table:
    """Those of the rows `gone` that were not so before."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=list(dict.fromkeys((ROW_ID, SPLIT, kinds.kind_named(spec.kind).target_column))))
    table = table.filter(pc.is_in(table[ROW_ID], value_set=gone))
    return table.filter(pc.invert(pc.is_in(table[ROW_ID], value_set=twice)))

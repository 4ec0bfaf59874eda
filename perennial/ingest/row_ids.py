"""How ids are spelled: one that is a whole number is the same with and without .0, as a column of floats writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perennial.core.store import Store
from perennial.records.data import Snapshot
from perennial.rows.columns import ROW_ID

if TYPE_CHECKING:
    import pyarrow as pa

_WHOLE = r"^(-?\d+)\.0+$"


def whole_ids(ids: pa.Array) -> pa.Array:
    """The ids, 17.0 spelled 17."""
    import pyarrow.compute as pc

    return pc.replace_substring_regex(ids, _WHOLE, r"\1") if _any_as_fraction(ids) else ids


def whole_id(row_id: str) -> str:
    """The id, 17.0 spelled 17."""
    return re.sub(_WHOLE, r"\1", row_id)


def known_as_fractions(snapshot: Snapshot, store: Store) -> bool:
    """Whether an id of these rows is spelled like 17.0, as older versions of Perennial took it."""
    import pyarrow.parquet as pq

    for part in snapshot.parts:
        with pq.ParquetFile(store.root / part.path) as file:
            if any(_any_as_fraction(batch.column(0)) for batch in file.iter_batches(columns=[ROW_ID])):
                return True
    return False


def _any_as_fraction(ids: pa.Array) -> bool:
    import pyarrow.compute as pc

    # The plain test is many times as fast, and nearly always enough.
    return bool(
        pc.any(pc.ends_with(ids, pattern="0")).as_py()
        and pc.any(pc.match_substring(ids, ".0")).as_py()
        and pc.any(pc.match_substring_regex(ids, _WHOLE)).as_py()
    )

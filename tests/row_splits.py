"""Which split rows come to that a test has as Python values."""

from collections.abc import Iterable, Sequence

import pyarrow as pa

from perennial.rows import splits
from perennial.settings.data import SplitsSpec


def splits_of_rows(rows: Iterable[Sequence[str | None]], by: SplitsSpec) -> list[str]:
    """The split of each row with these texts, in the order of the kind's text columns."""
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return splits.splits_of_keys(splits.split_keys(columns, None, by), by)

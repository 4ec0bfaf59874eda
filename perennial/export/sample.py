"""The validation rows on which each exported graph is compared with the trained model."""

from collections.abc import Sequence
from typing import Any

from perennial import kinds
from perennial.core.store import Store
from perennial.inference import decoders
from perennial.records.data import ValidatedData
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split

ROWS = 1024


def validation_sample(
    spec: PipelineSpec, data: ValidatedData, store: Store
) -> tuple[Sequence[decoders.Input], list[Any]]:
    """Inputs and targets of 1,024 to 2,047 validation rows, or of all if there are fewer."""
    kind = kinds.kind_named(spec.kind)
    columns = list(dict.fromkeys((*kind.input_columns, kind.target_column)))
    # Spread over the whole history: the newest rows count as well as the oldest.
    every = max(1, data.rows["validation"] // ROWS)
    rows = read_split(data, store, "validation", columns, every=every)
    return kind.inputs(rows), rows[kind.target_column].to_pylist()

"""Whether a file holds one label for each text, and in which columns: what no other kind takes a file for."""

from perennial.kinds import registry
from perennial.kinds.recognition import columns
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns, RowShape
from perennial.rows.label_spelling import folded


def find_one_label(sample: FileSample, given: Given) -> RecognisedColumns:
    """A text and its label. Raises SpecError when no column reads like text, or none looks like a label."""
    text = columns.text(sample.columns, given.text)
    label = columns.label(sample.columns, (text.column or "",), given.label, registry.number_hint())
    column = sample.column(label.column or "")
    also = []
    if text.alternatives:
        also.append(RowShape.PAIR)
    if column.numbers == 1 and column.distinct > 2:
        also.append(RowShape.NUMBER)
    labels = {folded(str(value)) for value in sample.cells[column.name] if value is not None} - {""}
    spelled = f", in {column.distinct:,} spellings" if len(labels) < column.distinct else ""
    return RecognisedColumns(
        reason=f"each text has one of {len(labels):,} labels{spelled}",
        columns={"text": text, "label": label},
        also=tuple(also),
    )

"""What a person should know of the data before the first run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from perennial.core.errors import listing
from perennial.core.percent import percent
from perennial.init import null_words
from perennial.init.file_census import Census
from perennial.init.token_lengths import LENGTHS
from perennial.kinds.floors import LOPSIDED
from perennial.kinds.protocols import Kind
from perennial.rows import far_numbers
from perennial.settings.data import DataSpec

NOTICEABLE = 0.05
LOST = {"train": "can't be learned", "validation": "can't be chosen by", "test": "can't be judged"}


def warnings(
    kind: Kind, census: Census, label_rows: Mapping[str, Mapping[str, int]], tokens: int, majority: float | None
) -> Iterator[str]:
    """One sentence or two for each thing that a run would set aside or could not learn, the most basic first."""
    yield from _set_aside(kind, census)
    if census.null_words:
        yield null_words.sentence(census.null_words)
    if sentence := null_words.lone_negative(census.rows_per_label):
        yield sentence
    if sentence := census.spellings.sentence():
        yield sentence
    if far := far_numbers.far_numbers(census.numbers):
        yield (
            f"{far.in_words}. If that stands for no number, set it aside: pipeline.yaml has a line for that under "
            "expectations."
        )
    yield from kind.cautions(census)
    for split, labels in label_rows.items():
        empty = [label for label, rows in labels.items() if not rows]
        if empty:
            yield f"No {split} row has the label {listing(map(repr, empty))}: it {LOST[split]}. Add rows with it."
    if tokens > LENGTHS[-1] and not kind.reads_whole:
        yield f"Some texts have about {tokens:,} tokens; the model reads the first {LENGTHS[-1]} of a text."
    if majority is not None and majority > LOPSIDED:
        yield f"{percent(majority)} of the rows have one label, so accuracy says little: the floor is on macro F1."


def _set_aside(kind: Kind, census: Census) -> Iterator[str]:
    blank = (census.blank_texts + census.blank_labels) / max(census.rows, 1)
    if blank:
        yield (
            f"{census.blank_texts:,} rows have no text and {census.blank_labels:,} {kind.wording.missing}; a run "
            "sets them aside (quarantine)."
        )
    for fault, count in census.faults.most_common():
        yield f"In {count:,} rows, {fault}; a run sets them aside (quarantine)."
    for change, count in census.changes.most_common():
        yield f"{count:,} × {change}."
    if census.repeated:
        yield f"{census.repeated:,} rows repeat an earlier one; a run reads them once."
    if census.contradicted > NOTICEABLE:
        yield (
            f"{percent(census.contradicted, 1)} of the rows have a text that another row labels otherwise; a run takes "
            "what most of them say (data.contradictions). Look at how the labels were given."
        )
    lost, most = blank + census.faults.total() / max(census.rows, 1), _default("max_quarantined")
    if lost > most:
        yield (
            f"About {percent(lost, 1)} of the rows would be set aside: a run stops at more than {percent(most)}. "
            "Mend the rows, or raise data.max_quarantined."
        )


def _default(setting: str) -> float:
    return float(DataSpec.model_fields[setting].default)

"""Any number of labels for a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from perennial.kinds.floors import Floor, above_chance
from perennial.kinds.multi_label import recognition
from perennial.kinds.multi_label.answering import MultiLabelAnswering
from perennial.kinds.multi_label.judging import MultiLabelJudging
from perennial.kinds.multi_label.learning import MultiLabelLearning
from perennial.kinds.multi_label.reading import MultiLabelReading
from perennial.kinds.multi_label.reviewing import MultiLabelReviewing
from perennial.kinds.multi_label.wording import WORDING

if TYPE_CHECKING:
    from perennial.kinds.floors import CountedRows
    from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns


class MultiLabelKind(
    MultiLabelReading, MultiLabelLearning, MultiLabelAnswering, MultiLabelJudging, MultiLabelReviewing
):
    """Each of `data.labels` holds for a text or does not; there may be none."""

    name = "multi-label"
    asks = "labels"
    wording = WORDING
    recognised_after = 3

    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        return recognition.find_multi_label(sample, given, forced=forced)

    def oddity(self, sample: FileSample) -> str | None:
        return recognition.oddity(sample)

    def floor(self, counted: CountedRows) -> Floor:
        chance = _same_labels(counted)
        basis = f"always answering the commonest labels reaches {chance:.2f}"
        return Floor(metric="micro_f1", value=above_chance(chance), basis=basis)

    def cautions(self, counted: CountedRows) -> Iterator[str]:
        if counted.unlabelled:
            yield (
                f"{counted.unlabelled:,} rows have no label: the model learns that none fits them. If nobody has "
                "labelled them yet, leave them out."
            )


def _same_labels(counted: CountedRows) -> float:
    """The best micro F1 of answering the same labels to every row."""
    held = sorted(counted.rows_per_label.values(), reverse=True)
    rows = max(counted.usable, 1)
    return max(2 * sum(held[:n]) / (n * rows + sum(held)) for n in range(1, len(held) + 1))


KIND = MultiLabelKind()

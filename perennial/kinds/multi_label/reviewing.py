"""How targets with any number of labels are looked at and corrected."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase, known_label
from perennial.kinds.multi_label.label_cells import SEPARATORS, labels_of_cell
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.metrics.label_errors import Doubt


class MultiLabelReviewing(KindBase):
    """How targets with any number of labels are looked at and corrected."""

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_several_labels(targets, predictions, labels)

    def target_in_words(self, target: Any) -> str:
        apart = len(target) > 0 and not any(mark in label for label in target for mark in SEPARATORS)
        return SEPARATORS[0].join(target) if apart else json.dumps(list(target), ensure_ascii=False)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        from perennial.rows import cells

        given = labels_of_cell(cells.nested(words))
        if given is None:
            raise ValueError(f"{words[:60]!r} is no list of labels, such as a|b, or [] for none")
        return [known_label(label, labels) for label in given]

"""How targets with one label each are looked at and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase, known_label
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.metrics.label_errors import Doubt


class SingleLabelReviewing(KindBase):
    """How targets with one label each are looked at and corrected."""

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_one_label(targets, predictions, labels)

    def target_in_words(self, target: Any) -> str:
        return str(target)

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        return known_label(words, labels)

"""How targets with a number are looked at and corrected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perennial.kinds.base import KindBase
from perennial.metrics.prediction import Prediction

if TYPE_CHECKING:
    from perennial.metrics.label_errors import Doubt


class NumberReviewing(KindBase):
    """How targets with a number are looked at and corrected."""

    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        from perennial.metrics import label_errors

        return label_errors.of_numbers(targets, predictions)

    def target_in_words(self, target: Any) -> str:
        return f"{target:.12g}"

    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        from perennial.rows import cells

        value = cells.number(words)
        if value is None:
            raise ValueError(f"{words[:60]!r} is no number")
        return value

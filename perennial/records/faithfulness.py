"""Whether the words that explanations name move the answers: what was measured."""

from perennial.core.record import Record
from perennial.records.interval import Interval


class DeletionPoint(Record):
    """How far the explained score drops once a share of the words is left out."""

    share: float
    """Of the words."""
    explained: float
    """In the explanation's order, those first that add most."""
    random: float
    """In random order."""


class Faithfulness(Record):
    """Whether leaving out the words that explanations name first moves the answers more than chance does."""

    method: str
    """By which the answers were explained."""
    n: int
    """Test rows of different texts; those without two words, or without a span, can't be explained."""
    asked: int
    """Rows of the sample, those included."""
    value: float | None = None
    """How much further scores drop than in random order, on average over the curve: 0 is chance. None: no row could be
    explained."""
    interval: Interval | None = None
    """None: of fewer than two rows."""
    curve: tuple[DeletionPoint, ...] = ()

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.value is None:
            return (
                f"Explanations were not measured: none of {self.asked:,} test rows has words and an answer to explain."
            )
        between = f" ({self.interval.low:.3f} to {self.interval.high:.3f})" if self.interval else ""
        return (
            f"Explanations ({self.method}) are faithful by {self.value:.3f}{between}, n = {self.n:,}: that much "
            "further the score drops when words are left out in their order than in random order."
        )

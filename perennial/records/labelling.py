"""The record of what a person said of a live text: a line of `monitor.labelling.file`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

from perennial.core.record import Record

ChosenBy = Literal["unsure", "novel", "random"]


class LabelledText(Record):
    """What one person said of one live text. Of two lines of one person on one text the later one counts."""

    id: str
    """Of the live text."""
    text: str
    label: str | None = None
    """Of text-classification. None: another kind, or skipped."""
    answer: Any = None
    """Of other kinds: labels, spans or a number, as the pipeline's own rows have them."""
    annotator: str
    labelled_at: datetime
    chosen_by: ChosenBy
    """Why this text was asked for."""
    weight: float | None = None
    """For estimates of all live texts: how many of them this one stands for; 1 / the chance to be chosen. None: it was
    not chosen by chance."""
    skipped: bool = False
    undone: bool = False
    """Whether this line takes back what the same person said of the text before."""
    time: datetime | None = None
    """When the text was published."""
    kept: Mapping[str, str] = {}
    """Other columns of the live text, so that it makes a whole row."""

    @property
    def says_something(self) -> bool:
        """Whether it is an answer, and neither skipped nor taken back."""
        return not (self.skipped or self.undone)


def standing(lines: Iterable[LabelledText]) -> list[LabelledText]:
    """What counts of `lines`, in their order: of each person's lines on a text the last one, unless it takes all back.

    What was skipped is among them.
    """
    in_order = list(lines)
    last = {(line.id, line.annotator): number for number, line in enumerate(in_order)}
    return [line for number, line in enumerate(in_order) if last[line.id, line.annotator] == number and not line.undone]

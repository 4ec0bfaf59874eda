"""Settings of how copies and retellings of a text are told."""

from pydantic import Field

from perennial.settings.base import Settings


class CopiesSpec(Settings):
    """A story that many tell counts once in `stories`; each telling counts in `texts`."""

    near: float = Field(default=0.75, gt=0, le=1)
    """From this overlap of their word pieces (Jaccard, 0 to 1) two texts are near copies; also if one holds the other,
    as a headline with more behind it does, and never if each has a figure or a name that the other has not."""
    retellings: bool = True
    """Whether texts in other words that tell the same story are joined, too: by names, figures and rare words."""
    days: float = Field(default=3, gt=0, le=60)
    """How long after a story was told last, in days, another telling of it can join it."""
    most_remembered: int = Field(default=200_000, ge=1000)
    """Texts that are remembered to compare with, at most; the oldest are forgotten first, so that memory is bounded."""

"""The record of one run of `perennial monitor`: what came in, and what came of it."""

from typing import Literal

from pydantic import AwareDatetime, Field

from perennial.core.record import Record


class MonitorRun(Record):
    """What a run read, answered and stored, and what it found out."""

    pipeline: str
    started: AwareDatetime
    status: Literal["done", "incomplete"]
    """incomplete: the source was not read to its end, or a part of the look failed; what was read is stored."""
    model: str
    """The version that answered."""
    texts: int
    """That the source gave."""
    stored: int
    again: int
    """That were stored before, or came twice."""
    left_out: dict[str, int]
    """How many texts of the source were left out, by the sentence that says why."""
    redacted: dict[str, int]
    """Pieces of personal data that were taken out, by their kind."""
    labels: dict[str, int]
    """Of the texts that were stored."""
    tellings: dict[str, int]
    erased: int
    """Texts that were kept as long as they are to be."""
    kept: int
    """Texts that are stored now, in all."""
    copied: int | None = None
    """Texts that were added to the table of a database; None: there is none, or it could not be used."""
    troubles: tuple[str, ...] = ()
    """Why it is incomplete, each in a paragraph."""
    alarms_new: tuple[str, ...] = ()
    """Their ids."""
    alarms_changed: tuple[str, ...] = ()
    """Those that go on, grew worse, or are over."""
    violations: tuple[str, ...] = ()
    """What is wrong with the model in windows of texts that are new, each in a sentence."""
    waiting: int | None = None
    """Texts that wait to be labelled; None: that could not be told."""
    retraining: str | None = None
    """What came of it that the model's health called for a retraining; None: it did not."""
    seconds: dict[str, float] = Field(default={})
    """Of each step."""

"""What people said of texts, as any tool's export tells it, and what of an export was left out or changed."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

UNLABELLED = "text that nobody labelled"
OTHERS_LABELLED = "text that one person left without a label and another labelled: the label counts"
SKIPPED = "answer that its person skipped or discarded"
REJECTED = "answer that was rejected: it says what a text is not, which is no label"
IGNORED = "answer that was ignored or flagged"
DRAFT = "draft that nobody submitted"
WITHOUT_TEXT = "row without a text"
RELATION = "relation between spans, which no kind of task learns"
UNANSWERED = "text that was sent without an answer to what is learned"
UNDECIDED = "text whose annotators disagree so that no answer has it: set aside, for review"
UNKNOWN_ANSWER = "answer of a form that no kind of task learns"


@dataclass(frozen=True)
class MarkedSpan:
    """A stretch of a text with a label, in the tool's own units."""

    start: int
    end: int
    """Behind the last unit."""
    label: str
    text: str | None = None
    """What the tool says stands there; None: it does not say."""
    of: str | None = None
    """The field that holds the text; None: the only one."""


@dataclass(frozen=True)
class Labels:
    """Labels of a text as a whole, in the order they were given."""

    names: tuple[str, ...]
    several: bool = False
    """Whether the tool lets people give more than one, as far as this answer shows."""


@dataclass(frozen=True)
class Spans:
    """Marked stretches of a text; none: a person found none."""

    marks: tuple[MarkedSpan, ...]


@dataclass(frozen=True)
class Number:
    """A rating or a number."""

    value: float


@dataclass(frozen=True)
class Tokens:
    """A text's words with a tag for each."""

    tokens: tuple[str, ...]
    tags: tuple[str, ...]


Answer = Labels | Spans | Number | Tokens


@dataclass(frozen=True)
class Opinion:
    """What one person said of one text."""

    place: int
    """Line, row or task number in the file, from 1."""
    fields: Mapping[str, object]
    """The columns that the tool was given: the text and what stands beside it."""
    answers: Mapping[str, Answer]
    """By the name of the question; a question without an answer is not there."""
    id: str | None = None
    """The tool's own id of the text; None: it has none."""
    annotator: str | None = None
    """Who said it; None: the export does not say."""
    time: str | None = None
    """When, ISO 8601; None: the export does not say."""
    spoilt: frozenset[str] = frozenset()
    """Questions whose answers could not be taken."""
    submitted: bool = False
    """Whether it is known that a person saw the text and sent their answer: then what has no answer was left empty."""


@dataclass
class Tally:
    """What was left out of an export or changed in it, by the reason, with the first place of each."""

    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    places: dict[str, str] = field(default_factory=dict)

    def leave_out(self, reason: str, where: str, count: int = 1) -> None:
        """`count` more were left out for `reason`, the first at `place`."""
        self.left_out[reason] += count
        self.places.setdefault(reason, where)

    def change(self, what: str, where: str, count: int = 1) -> None:
        """`count` more were changed in the way `what` says, the first at `place`."""
        self.changed[what] += count
        self.places.setdefault(what, where)

    def sentences(self) -> list[str]:
        """Each count in words, the greatest first: of what was left out, then of what was changed."""
        return [
            f"{count:,} × {reason} (first: {self.places[reason]})"
            for counts in (self.left_out, self.changed)
            for reason, count in counts.most_common()
        ]


@dataclass(frozen=True)
class Export:
    """A file that a tool wrote, opened."""

    path: Path
    name: str
    """As errors name it."""
    stream: BinaryIO
    """Unpacked, and at its beginning; it may be read again after `seek(0)`."""

    def at(self, unit: str, number: int) -> str:
        """Where something is, in words."""
        return f"{self.name}, {unit} {number:,}"

"""One answer of several people's: by majority, only where all agree, or the newest."""

import statistics
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

from perennial.ingest.sources.annotation.opinions import Answer, Labels, MarkedSpan, Number, Spans, Tokens

Value = TypeVar("Value", bound=Hashable)
MAJORITY, UNANIMOUS, NEWEST = "majority", "unanimous", "newest"


def consensus(answers: Sequence[Answer], rule: str) -> Answer | None:
    """The answer to one question of one text by `rule`, of answers oldest first; None: there is none.

    majority: the label most people gave; of several labels or spans those that more than half of the people gave; of
    numbers the median. A tie has no majority. unanimous: what all gave. newest: what was given last.
    """
    if rule == NEWEST or len(answers) == 1:
        return answers[-1]
    if agree(answers):
        return answers[-1]
    return None if rule == UNANIMOUS else _majority(answers)


def agree(answers: Sequence[Answer]) -> bool:
    """Whether all say the same: the order of labels and spans says nothing."""
    return len({meaning(answer) for answer in answers}) <= 1


def meaning(answer: Answer) -> Hashable:
    """What an answer says, to be compared with another to the same question."""
    if isinstance(answer, Labels):
        return frozenset(answer.names)
    if isinstance(answer, Spans):
        return frozenset((mark.start, mark.end, mark.label) for mark in answer.marks)
    return answer.value if isinstance(answer, Number) else answer


def _majority(answers: Sequence[Answer]) -> Answer | None:
    labels = [answer for answer in answers if isinstance(answer, Labels)]
    spans = [answer for answer in answers if isinstance(answer, Spans)]
    numbers = [answer.value for answer in answers if isinstance(answer, Number)]
    tokens = [answer for answer in answers if isinstance(answer, Tokens)]
    if len(labels) == len(answers):
        if all(len(answer.names) == 1 and not answer.several for answer in labels):
            name = _commonest(answer.names[0] for answer in labels)
            return None if name is None else Labels((name,))
        names = _by_more_than_half([answer.names for answer in labels])
        return None if names is None else Labels(names, several=True)
    if len(spans) == len(answers):
        places = _by_more_than_half([[(mark.start, mark.end, mark.label) for mark in one.marks] for one in spans])
        return None if places is None else Spans(tuple(MarkedSpan(*triple) for triple in places))
    if len(numbers) == len(answers):
        return Number(statistics.median(numbers))
    return _commonest(tokens) if len(tokens) == len(answers) else None


def _commonest(values: Iterable[Value]) -> Value | None:
    """The value that is there most often; None: several are."""
    first, *rest = Counter(values).most_common(2)
    return None if rest and rest[0][1] == first[1] else first[0]


def _by_more_than_half(given: Sequence[Sequence[Value]]) -> tuple[Value, ...] | None:
    """Those values that more than half of the people gave, in the order they came; None: just half gave one."""
    counts = Counter(value for values in given for value in dict.fromkeys(values))
    if any(count * 2 == len(given) for count in counts.values()):
        return None
    return tuple(value for value, count in counts.items() if count * 2 > len(given))

"""Labels that people wrote in other ways and mean as one, so that nobody disagrees about capitals and blanks."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from perennial.ingest.sources.annotation.opinions import Answer, Labels, Spans, Tokens


def spelled_alike(answers: Sequence[Answer], same: Callable[[str], str]) -> list[Answer]:
    """`answers` in which labels with the same of `same` are written in one way: as most of these answers have it."""
    counts = Counter(label for answer in answers for label in _labels(answer))
    chosen: dict[str, str] = {}
    for label, _ in counts.most_common():
        chosen.setdefault(same(label), label)
    if len(chosen) == len(counts):
        return list(answers)
    return [_respelled(answer, {label: chosen[same(label)] for label in counts}) for answer in answers]


def by_form(answers: Sequence[Answer], same: Callable[[str], str]) -> list[Answer]:
    """`answers` with what `same` gives of each label in its place."""
    return [_respelled(answer, {label: same(label) for label in _labels(answer)}) for answer in answers]


def _labels(answer: Answer) -> Iterator[str]:
    if isinstance(answer, Labels):
        yield from answer.names
    elif isinstance(answer, Spans):
        yield from (mark.label for mark in answer.marks)
    elif isinstance(answer, Tokens):
        yield from answer.tags


def _respelled(answer: Answer, spelling: Mapping[str, str]) -> Answer:
    if isinstance(answer, Labels):
        return replace(answer, names=tuple(dict.fromkeys(spelling[name] for name in answer.names)))
    if isinstance(answer, Spans):
        return Spans(tuple(replace(mark, label=spelling[mark.label]) for mark in answer.marks))
    if isinstance(answer, Tokens):
        return replace(answer, tags=tuple(spelling[tag] for tag in answer.tags))
    return answer

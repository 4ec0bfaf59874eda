"""Cases of behavioural tests: what their texts come to with every slot filled, and changed."""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from perennial import kinds
from perennial.evaluation.asking import Texts
from perennial.evaluation.behaviours import perturbations
from perennial.evaluation.behaviours.perturbations import Change
from perennial.inference.spans import Span
from perennial.rows import text_edits
from perennial.rows.text_edits import Edit
from perennial.settings.behaviours import AnyTest, DirectionSpec, InvarianceSpec, MinimumSpec
from perennial.settings.pipeline import PipelineSpec

SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True)
class BehaviourCase:
    """One question to the model."""

    id: str
    """The test's name and a number, the same in every run."""
    texts: Texts
    marks: tuple[Span, ...] = ()
    """Spans marked in the text, of a kind that finds spans."""
    before: Texts | None = None
    """The texts before they were changed; None: they were not."""
    edits: tuple[Edit, ...] = ()
    """What was changed in the first text."""


def cases_of(spec: PipelineSpec) -> dict[str, list[BehaviourCase]]:
    """The cases of each of the pipeline's tests, by the test's name. The same spec gives the same cases."""
    return {test.name: cases(test, spec) for test in spec.behaviours.tests}


def cases(test: AnyTest, spec: PipelineSpec) -> list[BehaviourCase]:
    """The cases of `test`: its texts, or each of its changes of each of them that changes something."""
    kind = kinds.kind_named(spec.kind)
    unmarked = [kind.unmarked(texts) for texts in _filled(test, spec)]
    if isinstance(test, MinimumSpec):
        return [BehaviourCase(_id(test, number), texts, marks) for number, (texts, marks) in enumerate(unmarked)]
    all_cases = [
        (after, texts, made)
        for number, (texts, _) in enumerate(unmarked)
        for after, made in _changed(texts, _changes(test), f"{spec.behaviours.seed} {test.name} {number}")
    ]
    return [
        BehaviourCase(_id(test, number), after, before=before, edits=made)
        for number, (after, before, made) in enumerate(all_cases)
    ]


def slots_in(texts: Sequence[str]) -> list[str]:
    """The names of the slots in `texts`, each once, in their order."""
    return list(dict.fromkeys(name for text in texts for name in SLOT.findall(text)))


def _filled(test: AnyTest, spec: PipelineSpec) -> list[Texts]:
    """Every combination of slots in every text of `test`; of more than `max_cases`, as many drawn, in their order."""
    slots = {**spec.behaviours.slots, **test.slots}
    sizes = [math.prod(len(slots[name]) for name in slots_in(texts)) for texts in test.texts]
    firsts = list(itertools.accumulate(sizes, initial=0))
    numbers = _drawn(firsts[-1], test.max_cases, f"{spec.behaviours.seed} {test.name}")
    text_numbers = [bisect.bisect_right(firsts, number) - 1 for number in numbers]
    return [
        _combination(test.texts[text_number], slots, number - firsts[text_number])
        for number, text_number in zip(numbers, text_numbers, strict=True)
    ]


def _drawn(total: int, limit: int, seed: str) -> Sequence[int]:
    """The numbers from 0 to before `total`, or `limit` of them."""
    if total <= limit:
        return range(total)
    draw = Random(seed)  # noqa: S311 - not for secrets
    drawn: set[int] = set()
    # Slots can multiply to more than `random.sample` can count.
    while len(drawn) < limit:
        drawn.add(draw.randrange(total))
    return sorted(drawn)


def _combination(texts: Sequence[str], slots: Mapping[str, Sequence[str]], number: int) -> Texts:
    """The `number`-th way to fill the slots of `texts`; the last slot changes first."""
    chosen = {}
    for name in reversed(slots_in(texts)):
        number, item = divmod(number, len(slots[name]))
        chosen[name] = slots[name][item]
    return tuple(SLOT.sub(lambda match: chosen[match[1]], text) for text in texts)


def _id(test: AnyTest, index: int) -> str:
    return f"{test.name} {index + 1}"


def _changes(test: InvarianceSpec | DirectionSpec) -> list[Change]:
    return [
        *(perturbations.NAMED[name] for name in test.change),
        *(perturbations.appending(words) for words in test.append),
        *(perturbations.prepending(words) for words in test.prepend),
        *([perturbations.replacing(test.replace)] if test.replace else []),
    ]


def _changed(texts: Texts, changes: Sequence[Change], seed: str) -> Iterator[tuple[Texts, tuple[Edit, ...]]]:
    for number, change in enumerate(changes):
        made = change(texts, Random(f"{seed} {number}"))  # noqa: S311 - not for secrets
        after = tuple(text_edits.apply(text, its) for text, its in zip(texts, made, strict=True))
        if after != texts:
            yield after, tuple(made[0])

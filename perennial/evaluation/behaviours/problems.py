"""What in a pipeline's behavioural tests does not fit its kind, its labels or itself; found before anything runs."""

import difflib
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from perennial import kinds
from perennial.evaluation.behaviours import cases
from perennial.kinds.protocols import Kind, Problem
from perennial.metrics import share_floors
from perennial.metrics.clusters import wilson
from perennial.settings.behaviours import AnyTest, DirectionSpec, InvarianceSpec, MinimumSpec
from perennial.settings.pipeline import PipelineSpec


def behaviour_problems(spec: PipelineSpec) -> list[Problem]:
    """Every problem, each with the place of the setting."""
    kind = kinds.kind_named(spec.kind)
    return [
        (("behaviours", "tests", number, *setting), text)
        for number, test in enumerate(spec.behaviours.tests)
        for setting, text in _problems(test, kind, spec)
    ]


def behaviour_doubts(spec: PipelineSpec) -> list[Problem]:
    """Of each test with too few texts to decide its floor: even if all of them pass, the rate may be below it."""
    z = NormalDist().inv_cdf((1 + spec.evaluation.confidence) / 2)
    return [
        (("behaviours", "tests", number, "texts"), text)
        for number, test in enumerate(spec.behaviours.tests)
        if (text := _too_few(test, spec, z))
    ]


def _too_few(test: AnyTest, spec: PipelineSpec, z: float) -> str:
    made = cases.cases(test, spec)
    texts, floor = len({case.before or case.texts for case in made}), test.min_pass_rate
    needed = share_floors.rows_that_can_pass(floor, z)
    if texts >= needed:
        return ""
    low, _ = wilson(texts, texts, None, z)
    return (
        f"the test {test.name!r} has {texts:,} different text{'s' * (texts != 1)}, too few to decide on its floor of "
        f"{floor:g}: even if all of them pass, the rate may be {low:.2f}. It takes {needed:,}: add texts or items of "
        "slots, or lower min_pass_rate"
    )


def _problems(test: AnyTest, kind: Kind, spec: PipelineSpec) -> Iterator[Problem]:
    broken = list(_text_problems(test, kind, spec))
    yield from broken
    match test:
        case MinimumSpec():
            yield from _expectation_problems(test, kind, spec.data.labels)
        case InvarianceSpec():
            if kind.degree_of == "number" and test.tolerance is None:
                yield ("tolerance",), f"{kind.name} answers a number; say how far it may move: tolerance"
        case DirectionSpec():
            yield from _direction_problems(test, kind, spec.data.labels)
    if not broken:
        yield from _case_problems(test, spec)


def _text_problems(test: AnyTest, kind: Kind, spec: PipelineSpec) -> Iterator[Problem]:
    wanted = len(kind.text_columns)
    slots = {**spec.behaviours.slots, **test.slots}
    for number, texts in enumerate(test.texts):
        if len(texts) != wanted:
            meant = "one text" if wanted == 1 else "two texts: [[first, second], …]"
            yield ("texts", number), f"{kind.name} reads {meant}; here are {len(texts)}"
        for name in cases.slots_in(texts):
            if name not in slots:
                yield ("texts", number), f"there is no slot {name!r}; {_near(name, sorted(slots))}"


def _expectation_problems(test: MinimumSpec, kind: Kind, labels: Sequence[str]) -> Iterator[Problem]:
    for form in test.expect.forms:
        if form not in kind.expected_forms:
            yield ("expect", form), f"{form!r} says nothing about {kind.name}; {_forms(kind)}"
    if kind.expected_forms and not test.expect.forms:
        yield ("expect",), f"what is right is missing; {_forms(kind)}"
    named = [("label", test.expect.label), *(("has", one) for one in test.expect.has)]
    for form, label in (*named, *(("lacks", one) for one in test.expect.lacks)):
        if label is not None and form in kind.expected_forms and label not in labels:
            yield ("expect", form), f"{label!r} is none of data.labels; {_near(label, labels)}"


def _direction_problems(test: DirectionSpec, kind: Kind, labels: Sequence[str]) -> Iterator[Problem]:
    if kind.degree_of is None:
        yield ("type",), f"{kind.name} has no score that could rise or fall; use minimum or invariance"
    elif kind.degree_of == "number" and test.score is not None:
        yield ("score",), f"{kind.name} has no labels, its number is looked at; leave score out"
    elif kind.degree_of == "label" and test.score not in labels:
        offered = (
            "score is missing: the label to look at" if test.score is None else f"{test.score!r} is none of data.labels"
        )
        yield ("score",), f"{offered}; {_near(test.score or '', labels)}"


def _case_problems(test: AnyTest, spec: PipelineSpec) -> Iterator[Problem]:
    made = cases.cases(test, spec)
    if not made:
        yield ("texts",), "nothing in these texts is changed, so nothing is tested; see what each change looks for"
    strange = sorted({label for case in made for _, _, label in case.marks if label not in spec.data.labels})
    if strange:
        yield ("texts",), f"{strange[0]!r}, marked there, is none of data.labels; {_near(strange[0], spec.data.labels)}"


def _forms(kind: Kind) -> str:
    if kind.expected_forms:
        return f"expect needs {' or '.join(kind.expected_forms)}"
    return "mark the spans in the texts, as in [Acme](ORG), and leave expect out"


def _near(word: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names) or 'none'}"

"""What a first pass over exports tells: their questions, the units of their offsets, how many speak of a text."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from perennial.ingest.sources.annotation.offsets import UnitVotes
from perennial.ingest.sources.annotation.opinions import Answer, Labels, MarkedSpan, Number, Opinion, Spans, Tokens
from perennial.rows import cells


@dataclass
class Question:
    """What answers to a question look like."""

    forms: Counter[type] = field(default_factory=Counter)
    several: bool = False
    """Whether some text has more than one label."""

    @property
    def form(self) -> type:
        """The form most answers have."""
        return self.forms.most_common(1)[0][0]

    def none(self) -> Answer | None:
        """What a person says who was asked and gave no answer; None: nothing."""
        if self.form is Spans:
            return Spans(())
        return Labels((), several=True) if self.form is Labels and self.several else None


@dataclass
class Survey:
    """What was learned of all exports together."""

    questions: dict[str, Question] = field(default_factory=dict)
    fields: dict[str, None] = field(default_factory=dict)
    votes: dict[str, UnitVotes] = field(default_factory=dict)
    """By question."""
    people: Counter[bytes] = field(default_factory=Counter)
    """By text, how many opinions say something of it."""
    annotators: set[str] = field(default_factory=set)
    has_ids: bool = False


def surveyed(opinions: Iterable[Opinion], keys: Sequence[str]) -> Survey:
    """Look at all `opinions` once; `keys`: see `key_of`."""
    survey = Survey()
    for opinion in opinions:
        survey.fields.update(dict.fromkeys(opinion.fields))
        if says_something(opinion):
            survey.people[key_of(opinion, keys)] += 1
        survey.has_ids = survey.has_ids or opinion.id is not None
        if opinion.annotator is not None:
            survey.annotators.add(opinion.annotator)
        for name, answer in opinion.answers.items():
            question = survey.questions.setdefault(name, Question())
            question.forms[type(answer)] += 1
            if isinstance(answer, Labels):
                question.several = question.several or answer.several
            if isinstance(answer, Spans):
                _vote(survey, name, opinion, answer.marks)
    return survey


def _vote(survey: Survey, name: str, opinion: Opinion, marks: Sequence[MarkedSpan]) -> None:
    text = text_of(opinion, marks[0].of if marks else None)
    if text is not None:
        survey.votes.setdefault(name, UnitVotes()).add(text, marks)


def says_something(opinion: Opinion) -> bool:
    """Whether it has an answer, or is known to be a person's that has none."""
    return opinion.submitted or bool(opinion.answers)


def text_of(opinion: Opinion, field_named: str | None) -> str | None:
    """The text that spans are of: the field they name, `text`, or else the longest."""
    for name in (field_named, "text"):
        if name is not None and isinstance(value := opinion.fields.get(name), str):
            return value
    texts = [value for value in opinion.fields.values() if isinstance(value, str)]
    return max(texts, key=len, default=None)


def key_of(opinion: Opinion, keys: Sequence[str]) -> bytes:
    """What all opinions of one text have in common: its text, by the columns `keys`; none of them there: all fields."""
    values: list[object] = [opinion.fields[name] for name in keys if name in opinion.fields]
    tokens = [answer.tokens for answer in opinion.answers.values() if isinstance(answer, Tokens)]
    said = values or [tokens or sorted(opinion.fields.items())]
    return hashlib.blake2b(repr(said).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def renamed(opinion: Opinion, names: Mapping[str, str | None], lacking: Sequence[str]) -> Opinion:
    """The opinion with its fields and answers called as `names` says, and without those that it calls None; the columns
    `lacking` are empty where it has them not, and that of its id has it."""
    if not names:
        return opinion
    id_column = names.get("id")
    fields = {name: opinion.fields.get(name) for name in lacking} | {
        own: value for name, value in opinion.fields.items() if (own := names.get(name, name)) is not None
    }
    answers = {own: answer for name, answer in opinion.answers.items() if (own := names.get(name, name)) is not None}
    return replace(opinion, fields=fields | ({id_column: opinion.id} if id_column else {}), answers=answers)


def with_targets(opinion: Opinion, targets: Sequence[str]) -> Opinion:
    """The opinion with those of its fields as answers that are `targets`: a table does not tell the two apart."""
    moved = {name: _as_answer(opinion.fields[name]) for name in targets if opinion.fields.get(name) is not None}
    answers = {name: answer for name, answer in moved.items() if answer is not None}
    if not any(name in opinion.fields for name in targets):
        return opinion
    fields: Mapping[str, object] = {name: value for name, value in opinion.fields.items() if name not in targets}
    return Opinion(
        place=opinion.place,
        fields=fields,
        answers={**answers, **opinion.answers},
        id=opinion.id,
        annotator=opinion.annotator,
        time=opinion.time,
        submitted=opinion.submitted,
    )


def _as_answer(value: object) -> Answer | None:
    if isinstance(value, str):
        return Labels((value,)) if value.strip() else None
    number = cells.number(value)
    return None if number is None else Number(number)

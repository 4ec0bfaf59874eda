"""Rows from what annotation tools export: opinions checked, several people's made one, as batches like any source's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from perennial.core.errors import SourceError
from perennial.ingest.sources.annotation import consensus, offsets, opinions, spelling
from perennial.ingest.sources.annotation.offsets import MisfitError
from perennial.ingest.sources.annotation.opinions import (
    Answer,
    Export,
    Labels,
    Number,
    Opinion,
    Spans,
    Tally,
    Tokens,
)
from perennial.ingest.sources.annotation.questions import (
    Survey,
    key_of,
    renamed,
    says_something,
    surveyed,
    text_of,
    with_targets,
)
from perennial.ingest.sources.base import BATCH_ROWS, require_columns
from perennial.rows import label_spelling
from perennial.rows.batch import Batch

Reader = Callable[[Export, Tally], Iterator[Opinion]]
Open = Callable[[], AbstractContextManager[Export]]
"""Opens a file at its beginning."""
ID, TOKENS = "id", "tokens"
UNIT = "item"
SAME_ID = "text with the id of another text, as of two projects; a number was put behind it"


@dataclass(frozen=True)
class Manner:
    """How exports are to be read."""

    rule: str = consensus.MAJORITY
    """One of consensus.MAJORITY, UNANIMOUS and NEWEST."""
    offsets: str = offsets.AUTO
    """One of text_views.NAMES; auto: as the spans' own texts and edges tell."""
    default_offsets: str = "characters"
    """What the tool counts where nothing tells."""
    empty_is_none: bool = False
    """Whether a text that nobody labelled has no label, rather than none yet."""
    lists: bool = False
    """Whether a text's labels are a list also where no text has two."""
    texts: tuple[str, ...] = ("text",)
    """The columns by which two rows are of the same text."""
    id: str | None = None
    """The column with the id by which rows are corrected; None: there is none."""
    settled: Mapping[str, Answer] = field(default_factory=dict)
    """What a person decided, by that id, of texts for which the rule has no answer."""
    targets: tuple[str, ...] = ()
    """Columns that hold answers, where the export does not tell them from the texts' own columns."""
    names: Mapping[str, str | None] = field(default_factory=dict)
    """What the pipeline calls the columns of an export with Perennial's own names; None: there is no such column."""
    lacking: tuple[str, ...] = ()
    """Columns of the pipeline that are empty where such an export does not have them."""
    same: Callable[[str], str] = label_spelling.folded
    """What two spellings of one label have in common: people who differ in no more agree."""


@dataclass
class JudgedText:
    """What several people said of one text, for their agreement and for review."""

    file: str
    place: int
    id: str | None
    fields: Mapping[str, object]
    text: str | None
    """What spans are of."""
    answers: Mapping[str, Sequence[Answer]]
    """By question, oldest first; of people who gave one."""
    named: bool
    """Whether it is known who said what; if not, the text may merely be there more than once."""
    decided: Mapping[str, Answer | None]
    """By question, the answer that the rule gave; None: none."""


@dataclass
class ExportOutcome:
    """What became of the exports, filled while their rows are read."""

    tally: Tally = field(default_factory=Tally)
    judged: list[JudgedText] = field(default_factory=list)
    """Texts of which more than one person said something."""
    annotators: set[str] = field(default_factory=set)
    questions: list[str] = field(default_factory=list)
    """Columns that hold answers."""


Row = tuple[str, int, dict[str, object]]
"""The file, the place in it, and the cells."""
Held = list[tuple[str, Opinion]]
"""The opinions of a text, with the files they are from."""


def rows_of_exports(
    exports: Sequence[Open], reader: Reader, manner: Manner, wanted: Sequence[str] | None, outcome: ExportOutcome
) -> Iterator[Batch]:
    """The rows of all `exports` of one form, one a text, with only the columns `wanted` (None: all).

    The files are read twice: first to learn which questions there are, in which units offsets are and of which texts
    several people speak; only the opinions of those are held. `outcome` is filled on the way. Raises SourceError for
    what can't be read.
    """
    first = ExportOutcome()
    survey = surveyed((one for _, one in _opinions(exports, reader, manner, first.tally)), manner.texts)
    outcome.annotators |= survey.annotators
    outcome.questions[:] = survey.questions
    columns = _columns(survey)
    wanted = list(columns) if wanted is None else wanted
    rows = _distinct_ids(_rows(exports, reader, manner, survey, outcome), outcome.tally)
    file, numbers, cells = "", list[int](), list[Mapping[str, object]]()
    checked = False
    for row_file, number, row in rows:
        if numbers and (row_file != file or len(numbers) >= BATCH_ROWS):
            yield _batch(file, numbers, cells, wanted)
            numbers, cells = [], []
        if not checked:
            require_columns(row_file, list(columns), wanted)
            checked = True
        file = row_file
        numbers.append(number)
        cells.append(row)
    if numbers:
        yield _batch(file, numbers, cells, wanted)


def _batch(file: str, numbers: list[int], rows: list[Mapping[str, object]], wanted: Sequence[str]) -> Batch:
    return Batch(file, UNIT, numbers, {name: [row.get(name) for row in rows] for name in wanted})


def _columns(survey: Survey) -> dict[str, None]:
    columns = {**survey.fields, **dict.fromkeys(survey.questions), **({ID: None} if survey.has_ids else {})}
    if any(question.form is Tokens for question in survey.questions.values()):
        columns[TOKENS] = None
    return columns


def _opinions(exports: Iterable[Open], reader: Reader, manner: Manner, tally: Tally) -> Iterator[tuple[str, Opinion]]:
    for export_opened in exports:
        with export_opened() as export:
            for opinion in _sound(reader, export, tally):
                named = renamed(opinion, manner.names, manner.lacking)
                yield export.name, with_targets(named, manner.targets)


def _sound(reader: Reader, export: Export, tally: Tally) -> Iterator[Opinion]:
    """What `reader` reads. Raises SourceError where a file lacks what its tool writes, or has something else there."""
    number = 0
    try:
        for opinion in reader(export, tally):
            number = opinion.place
            yield opinion
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise SourceError(
            f"{export.name} is not as its tool writes it, behind {UNIT} {number:,}: something is missing there, or of "
            f"another form than expected ({type(error).__name__}).",
            remedy="Export it again; or, if it is a plain table, set data.source.format to csv, tsv or jsonl.",
        ) from error


def _rows(
    exports: Sequence[Open], reader: Reader, manner: Manner, survey: Survey, outcome: ExportOutcome
) -> Iterator[Row]:
    held: dict[bytes, Held] = {}
    empty: set[bytes] = set()
    for file, opinion in _opinions(exports, reader, manner, outcome.tally):
        key = key_of(opinion, manner.texts)
        checked = _checked(file, opinion, manner, survey, outcome.tally)
        people = survey.people[key]
        if not says_something(opinion):
            yield from _unlabelled(file, opinion, manner, survey, outcome.tally, repeated=key in empty or people > 0)
            empty.add(key)
            continue
        if people == 1:
            yield from _row([(file, checked)], manner, survey, outcome)
            continue
        held.setdefault(key, []).append((file, checked))
        if len(held[key]) == people:
            yield from _row(held.pop(key), manner, survey, outcome)


def _distinct_ids(rows: Iterator[Row], tally: Tally) -> Iterator[Row]:
    """Of two texts with one id, as of two projects, the later one's gets a number: else it would replace the other."""
    uses: Counter[object] = Counter()
    for file, number, row in rows:
        row_id = row.get(ID)
        if row_id is not None:
            uses[row_id] += 1
            if uses[row_id] > 1:
                tally.change(SAME_ID, f"{file}, {UNIT} {number:,}")
                row[ID] = f"{row_id} ({uses[row_id]})"
        yield file, number, row


def _unlabelled(
    file: str, opinion: Opinion, manner: Manner, survey: Survey, tally: Tally, *, repeated: bool
) -> Iterator[Row]:
    where = f"{file}, {UNIT} {opinion.place:,}"
    if repeated:
        tally.leave_out(opinions.OTHERS_LABELLED, where)
    elif manner.empty_is_none:
        yield file, opinion.place, _cells(opinion, survey, manner, submitted=True)
    else:
        tally.leave_out(opinions.UNLABELLED, where)


def _checked(file: str, opinion: Opinion, manner: Manner, survey: Survey, tally: Tally) -> Opinion:
    """The opinion with its spans in code points; answers whose spans are not of the text are left out, and counted."""
    answers: dict[str, Answer] = {}
    for name, answer in opinion.answers.items():
        if not isinstance(answer, Spans) or not answer.marks:
            answers[name] = answer
        elif (checked := _checked_spans(file, opinion, name, answer, manner, survey, tally)) is not None:
            answers[name] = checked
    return replace(opinion, answers=answers, spoilt=frozenset(opinion.answers) - frozenset(answers))


def _checked_spans(
    file: str, opinion: Opinion, question: str, answer: Spans, manner: Manner, survey: Survey, tally: Tally
) -> Spans | None:
    where, text = f"{file}, {UNIT} {opinion.place:,}", text_of(opinion, answer.marks[0].of)
    if text is None:
        tally.leave_out(opinions.WITHOUT_TEXT, where)
        return None
    try:
        views = _views(question, manner, survey)
        return offsets.in_characters(text, answer, views, where, tally)
    except MisfitError as error:
        tally.leave_out(str(error), where)
        return None


def _views(question: str, manner: Manner, survey: Survey) -> tuple[str, ...]:
    if manner.offsets != offsets.AUTO:
        return (manner.offsets,)
    return survey.votes[question].order(manner.default_offsets)


def _row(held: Held, manner: Manner, survey: Survey, outcome: ExportOutcome) -> Iterator[Row]:
    """The one row of all that was said of a text; none where nothing of it could be taken."""
    people = _newest_of_each(held)
    file, first = people[0]
    where = f"{file}, {UNIT} {first.place:,}"
    if len(people) == 1:
        row = _cells(first, survey, manner, submitted=first.submitted)
        if _says_nothing(row, survey, manner):
            if not first.spoilt:
                outcome.tally.leave_out(opinions.UNANSWERED, where)
            return
        yield file, first.place, row
        return
    answers = {name: _answers(name, [one for _, one in people], survey) for name in survey.questions}
    said = {name: spelling.spelled_alike(given, manner.same) for name, given in answers.items() if given}
    settled = manner.settled.get(str(first.fields.get(manner.id, first.id))) if manner.id else None
    decided = {name: consensus.consensus(given, manner.rule) for name, given in said.items()}
    for name in _targets(survey, manner):
        decided[name] = decided.get(name) or settled
    named = all(one.annotator is not None for _, one in people)
    outcome.judged.append(
        JudgedText(file, first.place, first.id, first.fields, text_of(first, None), said, named, decided)
    )
    merged = {name: answer for name, answer in decided.items() if answer is not None}
    row = _cells(replace(first, answers=merged), survey, manner, submitted=False)
    if _says_nothing(row, survey, manner):
        spoilt = not any(said.get(name) for name in _targets(survey, manner))
        outcome.tally.leave_out(opinions.UNANSWERED if spoilt else opinions.UNDECIDED, where)
        return
    yield file, first.place, row


def _targets(survey: Survey, manner: Manner) -> list[str]:
    """The questions that are learned; where that is not known, all."""
    return [name for name in manner.targets if name in survey.questions] or list(survey.questions)


def _says_nothing(row: Mapping[str, object], survey: Survey, manner: Manner) -> bool:
    targets = _targets(survey, manner)
    return bool(targets) and all(row[name] is None for name in targets)


def _newest_of_each(held: Held) -> Held:
    """One opinion of each person, the one given last, all in the order they were given."""
    ordered = sorted(held, key=lambda one: one[1].time or "")
    by_person = {one.annotator or f"{index} of nobody": (file, one) for index, (file, one) in enumerate(ordered)}
    return sorted(by_person.values(), key=lambda one: one[1].time or "")


def _answers(name: str, people: Sequence[Opinion], survey: Survey) -> list[Answer]:
    given = [_answer(name, one, survey, submitted=one.submitted) for one in people]
    return [answer for answer in given if answer is not None]


def _cells(opinion: Opinion, survey: Survey, manner: Manner, *, submitted: bool) -> dict[str, object]:
    """The row's cells: the text's own columns, an answer to each question that has one, the tool's id."""
    row: dict[str, object] = {**dict.fromkeys(survey.questions), **opinion.fields}
    for name, question in survey.questions.items():
        answer = _answer(name, opinion, survey, submitted=submitted)
        row[name] = cell(answer, several=question.several or manner.lists)
        if isinstance(answer, Tokens):
            row[TOKENS] = list(answer.tokens)
    row.setdefault(ID, opinion.id)
    return row


def _answer(name: str, opinion: Opinion, survey: Survey, *, submitted: bool) -> Answer | None:
    """The answer to a question; where there is none, what a person says by sending none, if one did."""
    if name in opinion.answers or name in opinion.spoilt or not submitted:
        return opinion.answers.get(name)
    return survey.questions[name].none()


def cell(answer: Answer | None, *, several: bool) -> object:
    """An answer as a row's cell: a label or, if there may be `several`, a list of them; spans; a number; tags."""
    if isinstance(answer, Labels):
        return list(answer.names) if several else next(iter(answer.names), None)
    if isinstance(answer, Spans):
        marks = sorted(answer.marks, key=lambda mark: (mark.start, mark.end))
        return [{"start": mark.start, "end": mark.end, "label": mark.label} for mark in marks]
    if isinstance(answer, Number):
        return int(answer.value) if answer.value.is_integer() else answer.value
    return list(answer.tags) if isinstance(answer, Tokens) else None

"""Files of annotation tools as a source: recognised by what is in them, those of one tool read together.

Together, because several people's files are of the same texts: each text makes one row, whoever labelled it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import SourceError, listing
from perennial.inference.words import words_in
from perennial.ingest.sources.annotation import consensus
from perennial.ingest.sources.annotation.formats import brat, potato
from perennial.ingest.sources.annotation.opinions import Answer, Export, Labels, Number, Spans, Tokens
from perennial.ingest.sources.annotation.reading import ExportOutcome, JudgedText, Manner, cell, rows_of_exports
from perennial.ingest.sources.annotation.recognition import BLANK, recognised_form
from perennial.ingest.sources.annotation.spelling import by_form
from perennial.ingest.sources.annotation.tools import BRAT, FORMS, PERENNIAL, POTATO, UNTOLD, Form
from perennial.ingest.sources.opening import clear_errors, opened
from perennial.kinds.protocols import ReadsRows
from perennial.metrics import agreement
from perennial.records.data import AnnotatorAgreement, SourceReading
from perennial.rows import label_spelling
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec, FileSource
from perennial.settings.pipeline import PipelineSpec


@dataclass(frozen=True)
class AnnotatedFiles:
    """Files of one form, by name as errors tell it."""

    form: Form
    folder: Path
    """The names are relative to it."""
    paths: Mapping[str, Path]
    blank: frozenset[str] = frozenset()
    """Files in which nothing is."""

    def read(
        self, manner: Manner, columns: Sequence[str] | None, outcome: ExportOutcome, *, say: bool = True
    ) -> Iterator[Batch]:
        """Their rows, one a text; what was left out or changed is in `outcome`, and, to `say` it, told at the end."""
        opens = [partial(_export, path, name) for name, path in self.paths.items()]
        yield from rows_of_exports(opens, self.form.reader, manner, columns, outcome)
        for sentence in outcome.tally.sentences() if say else ():
            progress.note(f"{self.form.tool.title}: {sentence}.")

    def rest(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that are read as tables: neither these files, nor what belongs beside them, nor empty."""
        beside = self._beside()
        others = [name for name in names if name not in self.paths and name not in self.blank]
        return [name for name in others if self.folder / name not in beside]

    def all_paths(self) -> dict[str, Path]:
        """These files, and those beside them that are read with them."""
        return {**self.paths, **{str(path): path for path in sorted(self._beside()) if path.is_file()}}

    def _beside(self) -> set[Path]:
        if self.form.tool is BRAT:
            return {path.with_suffix(brat.TEXT) for path in self.paths.values()}
        folders = {path.parent for path in self.paths.values()} if self.form.tool is POTATO else set[Path]()
        return {folder / name for folder in folders for name in (potato.ITEMS, potato.SPANS)}


def annotated_files(folder: Path, names: Sequence[str], source_format: str) -> AnnotatedFiles | None:
    """Those files that an annotation tool wrote; None: none is. `source_format`: auto, or a tool's name.

    A file in which nothing is, as of a member of a project who did nothing yet, goes with the others. Raises
    SourceError where files of several tools or forms lie side by side, or the format that is named is not theirs.
    """
    forms = {name: form_of(folder / name, name) for name in names}
    if source_format in UNTOLD:
        # A format so plain that its files may look like anything.
        forms = {name: form or _as_named(name, source_format) for name, form in forms.items()}
    by_name = {name: form for name, form in forms.items() if form not in (None, BLANK)}
    by_form = {form: name for name, form in by_name.items()}
    if len(by_form) > 1:
        shown = [f"{name} is {FORMS[form].tool.title}'s ({form})" for form, name in by_form.items() if form]
        raise SourceError(
            f"data.source.path leads to files of several annotation tools, or forms of one: {listing(shown)}.",
            remedy="Keep one export of each text: name the files of one form, or a folder for each.",
        )
    if not by_form:
        if source_format != "auto" and names:
            raise _not_that(source_format, names[0], None)
        return None
    form = FORMS[next(form for form in by_form if form)]
    if source_format not in ("auto", form.tool.name):
        raise _not_that(source_format, next(iter(by_name)), form)
    blank = frozenset(name for name, told_form in forms.items() if told_form == BLANK)
    return AnnotatedFiles(form, folder, {name: folder / name for name in by_name}, blank)


def _as_named(name: str, source_format: str) -> str | None:
    is_text_of_brat = source_format == "brat" and not name.lower().endswith(brat.MARKS)
    return None if is_text_of_brat else UNTOLD[source_format]


def _not_that(source_format: str, name: str, form: Form | None) -> SourceError:
    looks = f"looks like {form.tool.title}'s" if form else "does not look like it"
    return SourceError(
        f"data.source.format is {source_format}, and {name} {looks}.",
        remedy="Take data.source.format out, so that it is told by the file, or export again.",
    )


def form_of(path: Path, name: str) -> str | None:
    """What `recognised_form` says of the file; remembered as long as it does not change."""
    with clear_errors(name):
        status = path.stat()
        return _form(path, name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _form(path: Path, name: str, size: int, changed: int) -> str | None:
    with _export(path, name) as export:
        return recognised_form(export)


@contextmanager
def _export(path: Path, name: str) -> Iterator[Export]:
    with opened(path, name) as stream:
        yield Export(path, name, stream)


def manner_of(
    kind: ReadsRows,
    columns: ColumnsSpec,
    source: FileSource,
    form: Form,
    settled: Mapping[str, Answer],
    same: Callable[[str], str] = label_spelling.folded,
) -> Manner:
    """How a pipeline of this kind wants its exports read; `settled`: what people decided, by row id; `same`: what two
    spellings of one label have in common."""
    texts = tuple(name for name in (columns.text, columns.text_pair, columns.tokens) if name)
    return Manner(
        rule=source.annotators,
        offsets=source.offsets,
        default_offsets=form.tool.offsets,
        empty_is_none=source.unlabelled == "none",
        lists=_has_lists(kind),
        texts=texts,
        id=columns.id,
        settled=settled,
        targets=targets_of(kind, columns),
        names=_names(columns) if form.tool is PERENNIAL else {},
        lacking=_beside_the_text(columns) if form.tool is PERENNIAL else (),
        same=same,
    )


def _names(columns: ColumnsSpec) -> dict[str, str | None]:
    """What the pipeline calls the columns that `perennial label` writes."""
    return {
        "text": columns.text,
        "label": columns.label,
        "spans": columns.spans,
        "time": columns.time,
        "id": columns.id,
    }


def _beside_the_text(columns: ColumnsSpec) -> tuple[str, ...]:
    names = (columns.time, columns.id, columns.deleted, *columns.kept)
    return tuple(name for name in names if name is not None)


def same_label(spec: PipelineSpec) -> Callable[[str], str]:
    """What two spellings of one of the pipeline's labels have in common."""
    return label_spelling.common_form(spec.data.labels, fold=spec.data.fold_labels)


def _has_lists(kind: ReadsRows) -> bool:
    """Whether a row of the kind has any number of labels."""
    import pyarrow as pa

    target = kind.column_types()[kind.target_column]
    return bool(pa.types.is_list(target) and pa.types.is_string(target.value_type))


def targets_of(kind: ReadsRows, columns: ColumnsSpec) -> tuple[str, ...]:
    """The source's columns that hold what is learned."""
    texts = (columns.text, columns.text_pair, columns.tokens)
    return tuple(name for name in kind.sources(columns) if name not in texts)


def stamp_of(files: AnnotatedFiles, also: Sequence[Path]) -> str:
    """Of all files together: another one, or a change of one, is a change. `also`: others that decide what is read."""
    stamps = []
    for name, path in (files.all_paths() | {str(path): path for path in also}).items():
        with clear_errors(name):
            status = path.stat()
        stamps.append((name, f"{status.st_size} {status.st_mtime_ns}"))
    return stamps[0][1] if len(stamps) == 1 else digest.of_values(files=stamps)


def contents_of(files: AnnotatedFiles, also: Sequence[Path]) -> str:
    """A digest of all files' contents, and of those that decide `also` what is read."""
    digests = []
    for name, path in (files.all_paths() | {str(path): path for path in also}).items():
        with clear_errors(name):
            digests.append(digest.of_file(path))
    return digests[0] if len(digests) == 1 else digest.of_values(files=digests)


def reading_of(files: AnnotatedFiles, spec: PipelineSpec, outcome: ExportOutcome) -> SourceReading:
    """What became of the files, for reports."""
    tally = outcome.tally
    return SourceReading(
        tool=files.form.tool.title,
        left_out=dict(tally.left_out.most_common()),
        changed=dict(tally.changed.most_common()),
        first_places=dict(tally.places),
        agreement=agreement_of(outcome, targets_of(kinds.kind_named(spec.kind), spec.data.columns), same_label(spec)),
    )


def differing_texts(spec: PipelineSpec, outcome: ExportOutcome) -> list[dict[str, Any]]:
    """The texts of which people said different things, those without a decision first, as JSON can hold them.

    Each with row_id (None: the pipeline names no id), file, place, texts (by role), given (what people said, by
    count) and decided (None: nothing is, and the text is no row).
    """
    kind, columns = kinds.kind_named(spec.kind), spec.data.columns
    targets, lists = targets_of(kind, columns), _has_lists(kind)
    roles = {"text": columns.text, "text_pair": columns.text_pair}
    rows = []
    for one in outcome.judged:
        question = next((name for name in targets if len(one.answers.get(name, ())) > 1), None)
        if question is None or consensus.agree(one.answers[question]):
            continue
        answers = one.answers[question]
        texts = {role: str(one.fields[name]) for role, name in roles.items() if one.fields.get(name) is not None}
        tokens = next((" ".join(answer.tokens) for answer in answers if isinstance(answer, Tokens)), "")
        decided = one.decided.get(question)
        rows.append(
            {
                "row_id": None if columns.id is None else one.fields.get(columns.id, one.id),
                "file": one.file,
                "place": one.place,
                "texts": texts or {"text": tokens},
                "given": [cell(answer, several=lists) for answer in answers],
                "decided": cell(decided, several=lists),
            }
        )
    return sorted(rows, key=lambda row: row["decided"] is not None)


def agreement_of(
    outcome: ExportOutcome, targets: Sequence[str], same: Callable[[str], str]
) -> AnnotatorAgreement | None:
    """How far people agree on the first of `targets` that they were asked; None: nobody said what another had said.
    `same`: what two spellings of one label have in common."""
    question = next((name for name in targets if any(name in judged.answers for judged in outcome.judged)), None)
    asked = [(one, one.answers[question]) for one in outcome.judged if question in one.answers] if question else []
    said = [(one, by_form(answers, same)) for one, answers in asked if one.named and len(answers) > 1]
    if not said:
        return None
    as_sets = any(isinstance(one, Labels) and (one.several or len(one.names) != 1) for _, row in said for one in row)
    figure = agreement.alpha([_units(one, answers, as_sets=as_sets) for one, answers in said])
    value, low, high = figure or (None, None, None)
    return AnnotatorAgreement(
        texts=len(said),
        annotators=len(outcome.annotators),
        differing=sum(not consensus.agree(answers) for _, answers in said),
        undecided=sum(one.decided.get(question) is None for one, _ in said) if question else 0,
        alpha=value,
        low=low,
        high=high,
        judged=_what(said[0][1][0], as_sets=as_sets),
    )


def _units(one: JudgedText, answers: Sequence[Answer], *, as_sets: bool) -> list[list[Hashable]]:
    """What people said of each thing that is compared: of the text, or of each of its words."""
    first = answers[0]
    if isinstance(first, Spans):
        text = one.text or ""
        words = [(start, end) for start, end in words_in([text])[0].tolist()]
        by_person = [
            agreement.word_values(words, [vars(mark) for mark in answer.marks])
            for answer in answers
            if isinstance(answer, Spans)
        ]
        return [list(word) for word in zip(*by_person, strict=True)]
    if isinstance(first, Tokens):
        tags = [answer.tags for answer in answers if isinstance(answer, Tokens)]
        return [list(word) for word in zip(*tags, strict=False)]
    return [[_value(answer, as_sets=as_sets) for answer in answers]]


def _value(answer: Answer, *, as_sets: bool) -> Hashable:
    if isinstance(answer, Labels) and not as_sets:
        return answer.names[0]
    return float(answer.value) if isinstance(answer, Number) else consensus.meaning(answer)


def _what(answer: Answer, *, as_sets: bool) -> str:
    if isinstance(answer, Spans | Tokens):
        return "words with the span they lie in"
    if isinstance(answer, Number):
        return "numbers"
    return "sets of labels" if as_sets else "labels"

"""Files of annotation tools as a source: recognised by what is in them, those of one tool read together.

Together, because several people's files are of the same texts: each text makes one row, whoever labelled it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import SourceError, listing
from perennial.ingest.sources.annotation.opinions import Export
from perennial.ingest.sources.annotation.reading import Manner, Outcome, rows_of_exports
from perennial.ingest.sources.annotation.recognition import BLANK, recognised_form
from perennial.ingest.sources.annotation.tools import FORMS, TOOLS, UNTOLD, Form
from perennial.ingest.sources.opening import clear_errors, opened
from perennial.rows.batch import Batch
from perennial.settings.data import FileSource
from perennial.settings.pipeline import PipelineSpec


@dataclass(frozen=True)
class AnnotatedFiles:
    """Files of one form, by name as errors tell it."""

    form: Form
    paths: Mapping[str, Path]

    def read(self, manner: Manner, columns: Sequence[str] | None, outcome: Outcome) -> Iterator[Batch]:
        """Their rows, one a text; what was left out or changed is in `outcome`, and told when all are read."""
        opens = [partial(_export, path, name) for name, path in self.paths.items()]
        yield from rows_of_exports(opens, self.form.reader, manner, columns, outcome)
        for sentence in outcome.tally.sentences():
            progress.note(f"{self.form.tool.title}: {sentence}.")


def annotated_files(folder: Path, names: Sequence[str], source_format: str) -> AnnotatedFiles | None:
    """Those files that an annotation tool wrote; None: none is, or data.source.format says that they are tables.

    A file in which nothing is, as of a member of a project who did nothing yet, goes with the others. Raises
    SourceError where files of several tools or forms lie side by side, or the format that is named is not theirs.
    """
    if source_format not in ("auto", *TOOLS):
        return None
    forms = {name: form_of(folder / name, name) for name in names}
    if source_format in UNTOLD:
        # A format so plain that its files may look like anything.
        forms = {name: form or UNTOLD[source_format] for name, form in forms.items()}
    told = {name: form for name, form in forms.items() if form not in (None, BLANK)}
    by_form = {form: name for name, form in told.items()}
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
        raise _not_that(source_format, next(iter(told)), form)
    return AnnotatedFiles(form, {name: folder / name for name in told})


def _not_that(source_format: str, name: str, form: Form | None) -> SourceError:
    seen = f"looks like {form.tool.title}'s" if form else "does not look like it"
    return SourceError(
        f"data.source.format is {source_format}, and {name} {seen}.",
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


def manner_of(spec: PipelineSpec, source: FileSource, form: Form) -> Manner:
    """How the pipeline wants its exports read."""
    import pyarrow as pa

    kind, columns = kinds.kind_named(spec.kind), spec.data.columns
    texts = tuple(name for name in (columns.text, columns.text_pair, columns.tokens) if name)
    target = kind.column_types()[kind.target_column]
    return Manner(
        rule=source.annotators,
        offsets=source.offsets,
        default_offsets=form.tool.offsets,
        empty_is_none=source.unlabelled == "none",
        lists=pa.types.is_list(target) and pa.types.is_string(target.value_type),
        texts=texts,
        targets=tuple(name for name in kind.sources(columns) if name not in texts),
    )


def stamp_of(files: AnnotatedFiles) -> str:
    """Of all files together: another one, or a change of one, is a change."""
    stamps = []
    for name, path in files.paths.items():
        with clear_errors(name):
            status = path.stat()
        stamps.append(f"{name} {status.st_size} {status.st_mtime_ns}")
    return stamps[0].removeprefix(f"{next(iter(files.paths))} ") if len(stamps) == 1 else digest.of_values(of=stamps)


def contents_of(files: AnnotatedFiles) -> str:
    """A digest of all files' contents."""
    digests = []
    for name, path in files.paths.items():
        with clear_errors(name):
            digests.append(digest.of_file(path))
    return digests[0] if len(digests) == 1 else digest.of_values(of=digests)

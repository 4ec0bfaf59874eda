"""Rows that a version answered wrongly, by those who complained: later candidates must answer them rightly.

They are kept beside the MLflow run of the version that was left, so that every machine which judges finds them; the
ledger has their digest. Their texts are in that file and nowhere else: no log, report or message shows them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import PackageError, RegistryError, SourceError, SpecError
from perennial.core.record import Record
from perennial.inference import decoders, process
from perennial.ingest.sources import base, dotted, file, sentences
from perennial.promotion.session import AliasSession
from perennial.registry import packages, tracking, versions
from perennial.registry.judged.replacements import Replacements, replacements
from perennial.registry.ledger import Action, Entry
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec, FileSource
from perennial.settings.pipeline import PipelineSpec

FOLDER = "complaints"
"""Among the artifacts of a run."""
MOST = 10_000
"""Rows; a package is asked all of them while the lease is held."""
SECONDS = 300.0

Case = Mapping[str, Any]
"""A row: the kind's columns, the target among them."""


class Complaint(Record):
    """Some rows, as the ledger has them."""

    version: str
    """That answered them wrongly."""
    kind: str
    run_id: str
    rows: int
    digest: str
    """sha256 of the file, which is named by it."""


def complaints(entries: Sequence[Entry]) -> list[Complaint]:
    """Those that candidates have to answer: all since a person said last that runs may promote again."""
    kept: list[Complaint] = []
    for entry in entries:
        if entry.action is Action.RESUME:
            kept = []
        elif entry.action is Action.COMPLAIN and entry.detail:
            kept.append(Complaint.model_validate_json(entry.detail))
    done = replacements(entries)
    left = (_without_forgotten(complaint, done) for complaint in kept)
    return [complaint for complaint in left if complaint]


def _without_forgotten(complaint: Complaint, done: Replacements) -> Complaint | None:
    """The complaint by the rows that are left of it; None: none is."""
    digest = complaint.digest
    while digest in done.replaced:
        digest = done.replaced[digest]
    return (
        complaint.model_copy(update={"digest": digest, "rows": done.rows.get(digest, complaint.rows)})
        if digest
        else None
    )


def read_cases(path: Path, spec: PipelineSpec) -> list[Case]:
    """The rows of a CSV, TSV, JSONL or Parquet file: columns as in the pipeline, the label the right one.

    Raises SpecError or SourceError when the file can't be used.
    """
    kind = kinds.kind_named(spec.kind)
    if not kind.right_or_wrong:
        raise SpecError(
            f"--rows is for answers that are right or wrong, and those of {spec.kind} are a matter of degree.",
            remedy="Leave --rows out: candidates then wait for a person until `perennial resume`.",
        )
    cases = list(_cases(path, spec))
    if not 0 < len(cases) <= MOST:
        raise SourceError(
            f"{path} holds {len(cases):,} rows, and between 1 and {MOST:,} are expected.",
            remedy="Give the rows that were complained of, each with its text and the right label.",
        )
    return cases


def note_complaint(session: AliasSession, version: str, spec: PipelineSpec, cases: Sequence[Case], reason: str) -> int:
    """Keep `cases` for later candidates to answer rightly; gives how many of them `version` answers wrongly.

    0: they say nothing about what is wrong with it, and are not kept.
    """
    right = _right_now(session, version, spec.kind, cases)
    if right == len(cases):
        return 0
    content = "".join(json.dumps(case, ensure_ascii=False, sort_keys=True) + "\n" for case in cases).encode()
    digest = hashlib.sha256(content).hexdigest()
    run_id = session.candidate(version).registered.run_id
    with TemporaryDirectory(prefix="perennial-") as scratch:
        lines = Path(scratch) / f"{digest}.jsonl"
        lines.write_bytes(content)
        session.client.log_artifact(run_id, str(lines), FOLDER)
    complaint = Complaint(version=version, kind=spec.kind, run_id=run_id, rows=len(cases), digest=digest)
    session.note(Action.COMPLAIN, version, reason, detail=complaint.model_dump_json())
    return len(cases) - right


def answered_rightly(session: AliasSession, version: str, complaint: Complaint) -> int:
    """How many rows of `complaint` the package of `version` answers rightly.

    Raises RegistryError when the rows can't be had or are not those that were given, or the package does not answer.
    """
    cases = _fetched(session, complaint)
    return _right(session, version, complaint.kind, cases)


def _cases(path: Path, spec: PipelineSpec) -> Iterator[Case]:
    kind = kinds.kind_named(spec.kind)
    for batch in _batches(path, spec):
        columns = _columns(spec, list(batch.columns))
        base.require_columns(batch.file, list(batch.columns), kind.sources(columns))
        content = kind.canonical(batch, columns)
        for row, values in enumerate(zip(*(column.to_pylist() for column in content.values()), strict=True)):
            case = dict(zip(content, values, strict=True))
            if any(value is None for value in case.values()):
                raise SourceError(
                    f"{batch.where(row)} lacks its text or its label.", remedy="Fill it in, or leave the row out."
                )
            yield case


def _batches(path: Path, spec: PipelineSpec) -> Iterator[Batch]:
    """The rows of the file, as the pipeline's own source is written where the file is like it."""
    columns, dialect = spec.data.columns, None
    names = kinds.kind_named(spec.kind).sources(columns)
    if path.is_file() and (form := file.form_of(path, FileSource(type="file", path=(str(path),)))) in ("csv", "tsv"):
        dialect = file.dialect_like(path, form, spec.data, names)
    batches = (dotted.with_columns(batch, names) for batch in file.read(path, dialect=dialect))
    return sentences.put_together(batches, sentences.parting_of(columns)) if spec.data.has_token_rows else batches


def _columns(spec: PipelineSpec, there: Sequence[str]) -> ColumnsSpec:
    """The pipeline's names, or the plain ones where the file has those."""
    kind = kinds.kind_named(spec.kind)
    own = all(name in there for name in kind.sources(spec.data.columns))
    return spec.data.columns if own or not set(kind.sources(ColumnsSpec())) <= set(there) else ColumnsSpec()


def _right_now(session: AliasSession, version: str, kind: str, cases: Sequence[Case]) -> int:
    try:
        return _right(session, version, kind, cases)
    except RegistryError as error:
        # A version that is left because it can't even answer is wrong about everything.
        progress.note(f"What version {version} answers to the rows is not known. {error.problem}")
        return 0


def _right(session: AliasSession, version: str, kind: str, cases: Sequence[Case]) -> int:
    asked, model_version = kinds.kind_named(kind), session.client.get_model_version(session.model, version)
    package = session.home.store.root / packages.fetch(session.client, session.home, model_version).path
    columns = {name: [case[name] for case in cases] for name in asked.text_columns}
    progress.advance(0, None, detail=f"asking version {version} the rows that were complained of")
    try:
        with process.running_program("answer", package) as program:
            reply = program.ask(list(decoders.decoder_named(kind).inputs(columns)), seconds=SECONDS)
    except PackageError as error:
        raise RegistryError(f"Version {version} gives no answers: {error.problem}") from error
    targets = [case[asked.target_column] for case in cases]
    return sum(bool(asked.right(target, answer)) for target, answer in zip(targets, reply["answers"], strict=True))


def _fetched(session: AliasSession, complaint: Complaint) -> list[Case]:
    candidate = session.candidate(complaint.version)
    registered = candidate.registered.model_copy(update={"run_id": complaint.run_id})
    candidate = candidate.model_copy(update={"registered": registered})
    with TemporaryDirectory(prefix="perennial-") as scratch:
        name = f"{FOLDER}/{complaint.digest}.jsonl"
        content = versions.artifact(session.home, candidate, name, Path(scratch)).read_bytes()
    if hashlib.sha256(content).hexdigest() != complaint.digest:
        raise RegistryError(
            f"The rows that were complained of are not those that were given: {name} in MLflow was changed. "
            f"{tracking.UNTOUCHED}"
        )
    return [json.loads(line) for line in content.splitlines()]

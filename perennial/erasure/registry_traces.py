"""What MLflow holds of forgotten rows: the artifacts of the runs that knew them, in every model their pipeline has.

A file that the ledger has a digest of is replaced in this order: the ledger first, which then knows both digests; then
the file. A process killed between the two leaves what the next one takes up, and nothing that looks tampered with.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.erasure import artifacts
from perennial.ingest.forgotten import ForgottenRows, Sieve
from perennial.promotion import retention_store, retention_versions
from perennial.promotion.alias_move import alias_session
from perennial.promotion.safeguards import complaint_rows
from perennial.promotion.session import AliasSession
from perennial.registry import run_log, signatures, versions
from perennial.registry.judged.replacements import Replacements, replacements
from perennial.registry.ledger import Action
from perennial.registry.versions import EVIDENCE, StoredEvidence
from perennial.signing import keys

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

LEFT_ALONE = frozenset({run_log.WEIGHTS, "model"})


@dataclass(frozen=True)
class OwnVersion:
    """A version that was made from the pipeline's rows."""

    model: str
    version: str
    run_id: str
    part_hashes: tuple[str, ...]
    """sha256 of the parts that it was made from."""
    is_removed: bool


@dataclass(frozen=True)
class Registered:
    """What the registry has of the pipeline, and of others."""

    own: Sequence[OwnVersion]
    others: Mapping[str, str]
    """The store's entries (`step/key`) that other pipelines' versions were made from, with whose they are."""
    runs: Mapping[str, str]
    """Every run of the pipeline, with its model."""


@dataclass(frozen=True)
class LedgerNote:
    """What the ledger is to say of a request."""

    request: str
    """Which one, as `pipeline/number`."""
    reason: str
    digests: tuple[str, ...]
    """Keyed digests of the ids and texts that were given."""


@dataclass(frozen=True)
class ArtifactTrace:
    """An artifact that holds forgotten rows or names them."""

    model: str
    run_id: str
    path: str
    rows: int
    before: bytes
    after: bytes
    """Without them; empty: nothing is left."""

    @property
    def what(self) -> str:
        """In words."""
        held = complaint_rows.FOLDER in self.path
        return "rows that were complained of, in MLflow" if held else "ids in MLflow's evidence, answers and reports"


def registered(client: MlflowClient, home: Home, pipeline: str) -> Registered:
    """Look through every version that Perennial registered, and the pipeline's experiment."""
    own: list[OwnVersion] = []
    others: dict[str, str] = {}
    for model, every in retention_versions.every_version(client).items():
        statuses = versions.ledger_statuses(home, model)
        for number, version in enumerate(every):
            progress.advance(number, len(every), unit="versions", detail=f"what version {version.version} was made of")
            stored: StoredEvidence | None = None
            with suppress(RegistryError):
                stored = versions.evidence_of(client, home, versions.candidate_of(version, statuses))
            if model == pipeline or (stored and stored.evidence.snapshot.pipeline == pipeline):
                own.append(_own(version, stored))
            elif stored:
                named = retention_store.named_in(stored.evidence.model_dump())
                others |= dict.fromkeys(named, stored.evidence.snapshot.pipeline)
    runs = {run.info.run_id: pipeline for run in _runs(client, pipeline)}
    return Registered(own, others, runs | {one.run_id: one.model for one in own})


def traces(client: MlflowClient, home: Home, rows: ForgottenRows, runs: Mapping[str, str]) -> Iterator[ArtifactTrace]:
    """The artifacts that hold forgotten rows or name them."""
    for number, (run_id, model) in enumerate(runs.items()):
        progress.advance(number, len(runs), unit="runs", detail="looking through MLflow's runs")
        run = client.get_run(run_id).info
        sieve = Sieve(rows, beside=True, made=datetime.fromtimestamp(run.start_time / 1000, UTC))
        # MLflow's client remembers where a run's artifacts are by its id alone, whatever the registry.
        repository = retention_versions.repository(home, run.artifact_uri)
        for path in _files(repository, None):
            if trace := _trace(repository, model, run_id, path, sieve):
                yield trace
    progress.advance(len(runs), len(runs), unit="runs")


def replace_all(home: Home, model: str, some: Iterator[ArtifactTrace], note: LedgerNote) -> Counter[str]:
    """Replace the artifacts of one model's runs by what is left of them, and say in the ledger that rows were
    forgotten; how often they named or held one, by what they are.

    Under the model's lease. Raises RegistryError when MLflow or the ledger can't be used, BusyError when somebody else
    moves the model's aliases.
    """
    rows: Counter[str] = Counter()
    with alias_session(home, model) as session:
        if not replacements(session.ledger.entries(model)).has(note.request):
            detail = Replacements(request=note.request, digests=note.digests)
            session.note(Action.FORGET, None, note.reason, detail=detail.model_dump_json())
        for trace in some:
            _replace(session, trace, note.reason)
            rows[trace.what] += trace.rows
    return rows


def _own(version: ModelVersion, stored: StoredEvidence | None) -> OwnVersion:
    hashes = tuple(part.sha256 for part in stored.evidence.snapshot.parts) if stored else ()
    return OwnVersion(
        version.name, str(version.version), version.run_id, hashes, retention_versions.is_removed(version)
    )


def _runs(client: MlflowClient, pipeline: str) -> Iterator[Run]:
    from mlflow.entities import ViewType

    experiment = client.get_experiment_by_name(pipeline)
    token = None
    while experiment is not None:
        page = client.search_runs(
            [experiment.experiment_id], run_view_type=ViewType.ALL, max_results=200, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _files(repository: Any, folder: str | None) -> Iterator[str]:
    for file in repository.list_artifacts(folder):
        if file.is_dir:
            if file.path not in LEFT_ALONE:
                yield from _files(repository, file.path)
        elif file.path.endswith((".json", ".jsonl", ".parquet", ".html")):
            yield file.path


def _trace(repository: Any, model: str, run_id: str, path: str, sieve: Sieve) -> ArtifactTrace | None:
    with TemporaryDirectory(prefix="perennial-") as scratch:
        content = Path(repository.download_artifacts(path, scratch)).read_bytes()
    after, hits = artifacts.masked(path, content, sieve)
    return ArtifactTrace(model, run_id, path, hits, content, after) if hits else None


def _replace(session: AliasSession, trace: ArtifactTrace, reason: str) -> None:
    folder, _, name = trace.path.rpartition("/")
    if folder.endswith(complaint_rows.FOLDER):
        # Its name is its digest.
        if trace.after:
            _upload(session, trace, folder, f"{_digest(trace.after)}.jsonl")
        _note(session, trace, reason, len(trace.after.splitlines()))
        _repository(session, trace.run_id).delete_artifacts(trace.path)
        return
    if name == EVIDENCE:
        _note(session, trace, reason)
    _upload(session, trace, folder, name)
    if name == EVIDENCE:
        _sign_again(session, trace)


def _sign_again(session: AliasSession, trace: ArtifactTrace) -> None:
    signer = keys.signer_from_environment()
    before, after = _digest(trace.before), _digest(trace.after)
    for version in signatures.evidence_replaced(session.client, trace.run_id, before, after, signer):
        progress.note(
            f"The evidence of {version} is another file now, and its signature was of the old one: servers that ask "
            "for a signature refuse it from now on. `perennial sign MODEL VERSION` signs it anew, where the key is."
        )


def _note(session: AliasSession, trace: ArtifactTrace, reason: str, rows: int | None = None) -> None:
    before, after = _digest(trace.before), _digest(trace.after) if trace.after else ""
    if replacements(session.ledger.entries(session.model)).replaced.get(before) == after:
        return  # an earlier attempt came so far
    detail = Replacements(replaced={before: after}, rows={after: rows} if rows is not None and after else {})
    session.note(Action.FORGET, None, reason, detail=detail.model_dump_json())


def _upload(session: AliasSession, trace: ArtifactTrace, folder: str, name: str) -> None:
    with TemporaryDirectory(prefix="perennial-") as scratch:
        file = Path(scratch) / name
        file.write_bytes(trace.after)
        _repository(session, trace.run_id).log_artifact(str(file), folder or None)


def _repository(session: AliasSession, run_id: str) -> Any:
    return retention_versions.repository(session.home, session.client.get_run(run_id).info.artifact_uri)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

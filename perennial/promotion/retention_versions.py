"""Old versions in MLflow: which may go, and how their packages are removed. Number, figures and decision stay."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion.alias_move import alias_session
from perennial.promotion.session import AliasSession
from perennial.registry import agreement, run_log, tags, tracking
from perennial.registry.judged.version_status import VersionStatus
from perennial.registry.ledger import Action, Entry

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

PAGE = 200
GOES = (run_log.REPORT, run_log.WEIGHTS)
"""Of the run's artifacts, the folders that go. What a decision is explained by and can be made again from stays: the
evidence, the answers, the page about the run."""
UNFINISHED_SECONDS = 24 * 3600
"""A run that registered a version may take this long to come to its end."""


Statuses = Mapping[str, Mapping[str, VersionStatus]]
"""What the ledger has of each model's versions, by number."""


@dataclass(frozen=True)
class Policy:
    """What is kept beside what is in use: the `keep` newest versions of a model, and all younger than `keep_days`."""

    keep: int = 5
    keep_days: float = 30


class OldVersion(Record):
    """A version whose package may go."""

    model: str
    version: str
    why: str
    bytes: int


def every_version(client: "MlflowClient") -> "dict[str, list[ModelVersion]]":
    """All versions that Perennial registered, by model, the newest first."""
    versions_by_model: dict[str, list[ModelVersion]] = {}
    for version in _pages(client.search_model_versions):
        if tags.PACKAGE_DIGEST in version.tags:
            versions_by_model.setdefault(version.name, []).append(version)
    return {model: sorted(some, key=_number, reverse=True) for model, some in sorted(versions_by_model.items())}


def is_removed(version: "ModelVersion") -> bool:
    """Whether its package was removed, or is on its way out."""
    return tags.REMOVED in version.tags


def going(
    client: "MlflowClient",
    versions_by_model: "dict[str, list[ModelVersion]]",
    models: tuple[str, ...],
    policy: Policy,
    statuses: Statuses,
) -> "list[tuple[ModelVersion, str]]":
    """The versions of `models` whose packages may go, with the reason."""
    chosen = [pair for model in models for pair in _old(client, versions_by_model[model], policy, statuses[model])]
    names = {(version.name, version.version) for version, _ in chosen}
    used = {
        location
        for some in versions_by_model.values()
        for version in some
        if not is_removed(version) and (version.name, version.version) not in names
        for location in _locations(version)
    }
    # A copy of a version, such as one promoted to another environment, has the same files.
    return [(version, why) for version, why in chosen if not used & _locations(version)]


def described(client: "MlflowClient", home: Home, version: "ModelVersion", why: str) -> OldVersion:
    """A version that may go, with the size of what goes."""
    size = sum(_size(repository, path) for repository, path in _contents(client, home, version))
    return OldVersion(model=version.name, version=str(version.version), why=why, bytes=size)


def remove(home: Home, old: list[OldVersion]) -> None:
    """Remove the packages of `old` from MLflow, and say so on each version and in the ledger.

    Under the lease of each model. Raises RegistryError when MLflow can't be used, or a version has come into use
    meanwhile, DisagreementError when ledger and registry disagree by now; those before it are gone then. What was cut
    short is taken up by the next `perennial gc`.
    """
    done = 0
    for model in dict.fromkeys(one.model for one in old):
        with alias_session(home, model) as session:
            # Asked again: an alias that was taken away since keeps nothing.
            if agreement.is_kept(session.client, session.ledger, home, model):
                session.require_agreement()
            entries = session.ledger.entries(model)
            for one in (one for one in old if one.model == model):
                progress.advance(done, len(old), unit="versions", detail=f"version {one.version} of {model}")
                _remove(session, one, entries)
                done += 1
    progress.advance(done, len(old), unit="versions")


def _remove(session: AliasSession, old: OldVersion, entries: list[Entry]) -> None:
    version = session.client.get_model_version(session.model, old.version)
    if reason := _in_use(session.client, version, session.statuses()):
        raise RegistryError(
            f"Version {old.version} of {session.model} has come into use meanwhile ({reason}). It was left as it is.",
            remedy="Run the same command again.",
        )
    # First this: from here on nothing takes the version for whole, whenever this process dies.
    _mark(session, old.version, tags.REMOVING)
    if not any(entry.action is Action.REMOVE and entry.to_version == old.version for entry in entries):
        session.note(Action.REMOVE, old.version, f"Its package was removed: {old.why}.")
    for repository, path in _contents(session.client, session.home, version):
        repository.delete_artifacts(path)
    _mark(session, old.version, datetime.now(UTC).isoformat(timespec="seconds"))


def _mark(session: AliasSession, version: str, value: str) -> None:
    session.client.set_model_version_tag(session.model, version, tags.REMOVED, value)


def _old(
    client: "MlflowClient", versions: "list[ModelVersion]", policy: Policy, statuses: Mapping[str, VersionStatus]
) -> "Iterator[tuple[ModelVersion, str]]":
    there = [version for version in versions if not is_removed(version)]
    for version in versions:
        if version.tags.get(tags.REMOVED) == tags.REMOVING:
            yield version, "its removal was cut short"
    for newer, version in enumerate(there):
        days = (time.time() * 1000 - version.creation_timestamp) / 86_400_000
        if newer >= policy.keep and days >= policy.keep_days and not _in_use(client, version, statuses):
            status = _status(version, statuses) or "of unknown status"
            yield version, f"{status}, {days:,.0f} days old, and {newer:,} newer ones are kept or were"


def _status(version: "ModelVersion", statuses: Mapping[str, VersionStatus]) -> str | None:
    """By the ledger; by the tag, where it knows nothing of the model."""
    status = statuses.get(str(version.version))
    return status.status if status else None if statuses else version.tags.get(tags.STATUS)


def _in_use(client: "MlflowClient", version: "ModelVersion", statuses: Mapping[str, VersionStatus]) -> str | None:
    """Why a version must stay, whatever its age; None: nothing needs it."""
    placed = client.get_registered_model(version.name).aliases
    names = [name for name, number in placed.items() if str(number) == str(version.version)]
    if names:
        return f"alias {names[0]}"
    status = _status(version, statuses)
    if status == tags.PARKED:
        return status
    young = time.time() - version.creation_timestamp / 1000 < UNFINISHED_SECONDS
    return "its run may not have ended" if status == tags.REGISTERED and young else None


def _locations(version: "ModelVersion") -> set[str]:
    return {str(version.run_id), str(version.source)}


def _contents(client: "MlflowClient", home: Home, version: "ModelVersion") -> Iterator[tuple[Any, str]]:
    """What is to be removed of a version: where it is kept, and its path there."""
    model = repository(home, client.get_model_version_download_uri(version.name, version.version))
    for file in model.list_artifacts():
        yield model, file.path
    run = repository(home, client.get_run(version.run_id).info.artifact_uri)
    for file in run.list_artifacts():
        if file.path in GOES:
            yield run, file.path
        if file.path == run_log.JUDGINGS:
            again = (
                inner.path for judging in run.list_artifacts(file.path) for inner in run.list_artifacts(judging.path)
            )
            yield from ((run, path) for path in again if path.rpartition("/")[2] in GOES)


def repository(home: Home, location: str) -> Any:
    """MLflow's artifacts at `location`, where files can be removed."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(location, tracking_uri=tracking.uri(home), registry_uri=tracking.registry_uri(home))


def _size(repository: Any, path: str) -> int:
    inside = repository.list_artifacts(path)
    if inside:
        return sum(int(file.file_size or 0) if not file.is_dir else _size(repository, file.path) for file in inside)
    # A file lists nothing inside it; its own size is in the list it is on.
    beside = repository.list_artifacts(path.rpartition("/")[0] or None)
    return sum(int(file.file_size or 0) for file in beside if file.path == path)


def _pages(search: Any) -> Iterator[Any]:
    token = None
    while True:
        page = search(max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _number(version: "ModelVersion") -> int:
    return int(version.version)

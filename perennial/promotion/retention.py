"""What `perennial gc` removes: packages of old versions, and what the store keeps for nobody any more.

First everything is looked at, and only if all of it could be read is anything removed: a kept version whose evidence
can't be had may need any entry. What goes in MLflow goes first, marked before it goes; an entry of the store is renamed
and then removed. So a process killed at any moment leaves what the next one takes up.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import RegistryError, SpecError, listing
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.core.record import Record
from perennial.core.store import clear_disk_errors, discard
from perennial.ingest import live_texts
from perennial.promotion import retention_store, retention_versions
from perennial.promotion.retention_store import UnneededEntry
from perennial.promotion.retention_versions import OldVersion, Policy, Statuses
from perennial.registry import agreement, ledger_location, tracking, versions
from perennial.registry.ledger import Ledger
from perennial.registry.versions import StoredEvidence
from perennial.runs.lock import nothing_running

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

UNTOUCHED = "Nothing was removed."


class Cleared(Record):
    """What was removed, or may be."""

    dry_run: bool
    versions: tuple[OldVersion, ...]
    places: tuple[UnneededEntry, ...]
    kept_versions: int
    live_texts: int = 0
    """Rows of live sources that were emptied, being older than triggers.keep_days."""

    @property
    def bytes(self) -> int:
        """Of all of it."""
        return sum(one.bytes for one in self.versions) + sum(one.bytes for one in self.places)


def clear_out(home: Home, models: Sequence[str], policy: Policy, *, dry_run: bool) -> Cleared:
    """Remove old versions' packages and what nothing in the store needs; `dry_run`: only say what would go.

    `models`: only versions of these, and what only they were made from; none: all of them, and what killed runs left.
    Raises BusyError when a run is at work on `home`, RegistryError or StoreError when something that is kept can't be
    read, DisagreementError when ledger and registry disagree; then nothing was removed.
    """
    with nullcontext() if dry_run else nothing_running(home):
        survey = _survey(home, models, policy, dry_run=dry_run)
        emptied = sum(live_texts.empty_old(home, name, dry_run=dry_run) for name in models or ("*",))
        if emptied and not dry_run:
            # What held them is nobody's now.
            survey = _survey(home, models, policy, dry_run=dry_run)
        survey = survey.model_copy(update={"live_texts": emptied})
        if not dry_run:
            retention_versions.remove(home, list(survey.versions))
            _discard(home, survey.places)
        return survey


def _survey(home: Home, models: Sequence[str], policy: Policy, *, dry_run: bool) -> Cleared:
    with tracking.session(home, standing=UNTOUCHED) as client:
        versions_by_model = retention_versions.every_version(client)
        _check(home, versions_by_model, models)
        # The alias is what keeps a champion's package; one that was taken away by hand keeps nothing.
        for model in models or versions_by_model:
            if lost := ledger_location.lost_ledger(client, home, model):
                raise lost.error(UNTOUCHED)
        ledger = Ledger.open(home)
        for model in models or versions_by_model:
            if agreement.is_kept(client, ledger, home, model):
                agreement.require(client, home, model, UNTOUCHED)
        statuses = {model: versions.ledger_statuses(home, model) for model in versions_by_model}
        chosen = retention_versions.going(
            client, versions_by_model, tuple(models or versions_by_model), policy, statuses
        )
        names = {(version.name, version.version) for version, _ in chosen}
        there = [one for some in versions_by_model.values() for one in some if not retention_versions.is_removed(one)]
        kept = [one for one in there if (one.name, one.version) not in names]
        evidence = _evidence(client, home, kept, statuses)
        unneeded = _unneeded(home, evidence, policy)
        if models:
            named = [one for model in models for one in versions_by_model[model]]
            owned = _owned(home, _evidence_of_any(client, home, named, statuses))
            unneeded = [entry for entry in unneeded if entry.path in owned]
        old = [retention_versions.described(client, home, version, why) for version, why in chosen]
    return Cleared(dry_run=dry_run, versions=tuple(old), places=tuple(unneeded), kept_versions=len(kept))


def _check(home: Home, versions_by_model: "Mapping[str, list[ModelVersion]]", models: Sequence[str]) -> None:
    registry_address = mask_secrets(tracking.registry_uri(home))
    if not versions_by_model and retention_store.has_models(home):
        raise RegistryError(
            f"MLflow at {registry_address} knows no version of any model, but the store of {home.root} holds trained "
            f"ones: it seems to be another MLflow than theirs. {UNTOUCHED}",
            remedy="Set MLFLOW_TRACKING_URI to the one that these models were registered in, or run the pipeline.",
        )
    if unknown := [model for model in models if model not in versions_by_model]:
        raise SpecError(
            f"MLflow at {registry_address} knows no model {unknown[0]!r}; there are: "
            f"{listing(versions_by_model, 10) or 'none yet'}.",
            remedy="Name one of these, or none for all.",
        )


def _evidence(
    client: "MlflowClient", home: Home, kept: "Sequence[ModelVersion]", statuses: Statuses
) -> list[StoredEvidence]:
    evidence = []
    for number, version in enumerate(kept):
        progress.advance(number, len(kept), unit="versions", detail=f"what version {version.version} needs")
        try:
            evidence.append(versions.evidence_of(client, home, versions.candidate_of(version, statuses[version.name])))
        except RegistryError as error:
            raise RegistryError(
                f"What version {version.version} of {version.name} was made from can't be read, so it is not known "
                f"what may go. {UNTOUCHED} {error.problem}",
                remedy="Restore MLflow's artifacts from a backup, or delete that version in MLflow if it is of no use.",
            ) from error
    return evidence


def _evidence_of_any(
    client: "MlflowClient", home: Home, some: "Sequence[ModelVersion]", statuses: Statuses
) -> list[StoredEvidence]:
    evidence = []
    for version in some:
        # Only to tell whose an entry is that nobody needs: what can't be told stays.
        with suppress(RegistryError):
            evidence.append(versions.evidence_of(client, home, versions.candidate_of(version, statuses[version.name])))
    return evidence


def _unneeded(home: Home, kept: Sequence[StoredEvidence], policy: Policy) -> list[UnneededEntry]:
    needed = retention_store.of_heads(home, kept)
    for stored in kept:
        needed |= retention_store.of_version(home, stored)
    return retention_store.unneeded(home, needed, policy.keep_days)


def _owned(home: Home, some: Sequence[StoredEvidence]) -> set[str]:
    entries = {entry for stored in some for entry in retention_store.of_version(home, stored)}
    return {home.store.folder(*entry.split("/")).relative_to(home.root).as_posix() for entry in entries}


def _discard(home: Home, entries: Sequence[UnneededEntry]) -> None:
    for number, entry in enumerate(entries):
        progress.advance(number, len(entries), unit="entries", detail="removing what nothing needs")
        with clear_disk_errors(home.root, "gc"):
            discard(home.root / entry.path)
    progress.advance(len(entries), len(entries), unit="entries")

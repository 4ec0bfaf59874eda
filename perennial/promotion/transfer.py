"""A version that passed its gates in one registry, such as staging's, promoted in another, such as production's.

It is copied whole, with its evidence, so that neither registry needs the other afterwards; MLflow's own
`copy_model_version` would leave the two versions one run and one set of files, which a clean-up of staging removes,
and would copy the status "promoted" before anything was. There it is promoted like any other candidate: judged
against the champion that serves there, fetched back and asked, then moved under the lease and written to the ledger.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perennial.core import progress
from perennial.core.errors import DisagreementError, RegistryError, SpecError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.promotion import alias_move, registration, rejudge, transfer_bundle
from perennial.promotion.alias_move import alias_session
from perennial.promotion.conclusion import Conclusion, end, promoted_or_parked
from perennial.promotion.session import AliasSession
from perennial.promotion.transfer_bundle import TransferBundle
from perennial.records.decision import Decision, Outcome
from perennial.records.package import Champion
from perennial.records.run import Evidence, RegisteredVersion, Status
from perennial.registry import aliases, history, packages, tags, tracking, versions
from perennial.registry.ledger import Action
from perennial.runs import anchor


class Transferred(Conclusion):
    """How it ended in the target; model, version and champion are the target's."""

    origin: str
    """Which version it was, and where."""
    target: str
    """The target's address, without password."""


class SidedError(RegistryError):
    """What went wrong at the source, or at the target."""


class SidedDisagreementError(DisagreementError):
    """Ledger and registry disagree at the source, or at the target."""


def transfer(home: Home, model: str, version: str, *, to: str | None = None, name: str | None = None) -> Transferred:
    """Copy `version` of `model` to the MLflow at `to` (None: the same), as `name` (None: the same), and promote it.

    `to`: an address, or the name of an environment variable that holds one. A copy that is there already, whole or
    half, is taken up. Raises SpecError when there is nowhere to go, RegistryError, naming the side, when either can't
    be used or a digest does not match.
    """
    there, name = home.with_mlflow_at(address(home, to)) if to else home, name or model
    source, target = (tracking.plain_address(tracking.registry_uri(side)) for side in (home, there))
    if (source, model) == (target, name):
        raise SpecError(
            f"Version {version} of {model} is at {target} already.",
            remedy="Name another server with --to, or another model with --as; neither, to finish its run.",
        )
    with _side("source", source), transfer_bundle.packed(home, model, version) as bundle, _side("target", target):
        ended = _delivered(there, _renamed(bundle, name))
    return Transferred(**dict(ended), origin=bundle.brought.origin, target=target)


def address(home: Home, to: str) -> str:
    """The address that `to` is or, so that no password shows up in a list of processes, the variable `to` holds."""
    uri = to if "://" in to else os.environ.get(to, "")
    if "://" not in uri:
        variable = (
            "holds no address" if to in os.environ else "is no address, and no environment variable of that name is set"
        )
        raise SpecError(
            f"--to {to} {variable}.", remedy="Write it like https://mlflow.example, or name such a variable."
        )
    if not (uri.startswith(("http://", "https://")) or tracking.is_database(uri)):
        raise SpecError(
            f"--to {mask_secrets(uri)} is no MLflow server.", remedy="Write it like https://mlflow.example."
        )
    folder = Path(uri.partition("://")[2].lstrip("/")).parent
    if uri.startswith("sqlite") and folder.name == "mlflow" and f"/{folder}" != str(home.mlflow):
        # Its own ledger and lease lie beside it, and would not be used.
        raise SpecError(
            f"--to {uri} is the built-in database of another home, which has a ledger of its own.",
            remedy="Run an MLflow server for what several homes share, and name that.",
        )
    return uri


@contextmanager
def _side(which: str, registry_address: str) -> Iterator[None]:
    """Say on which side something went wrong; the innermost says it."""
    try:
        yield
    except (SidedError, SidedDisagreementError):
        raise
    except DisagreementError as error:
        where = f"With MLFLOW_TRACKING_URI set to {registry_address}: {error.remedy}"
        raise SidedDisagreementError(f"At the {which}, {registry_address}: {error.problem}", remedy=where) from error
    except RegistryError as error:
        raise SidedError(f"At the {which}, {registry_address}: {error.problem}", remedy=error.remedy) from error


def _renamed(bundle: TransferBundle, name: str) -> TransferBundle:
    stored = bundle.stored.model_copy(update={"spec": bundle.stored.spec.model_copy(update={"name": name})})
    return TransferBundle(bundle.run_key, stored, bundle.rival_digest, bundle.brought)


def _delivered(there: Home, bundle: TransferBundle) -> Conclusion:
    model = bundle.stored.spec.name
    with alias_session(there, model) as session:
        session.require_agreement()
        if ended := _ended_before(session, bundle):
            return ended
        rival = _champion(session)
    # As for an approval: no lease is held while models are running, and the champion is asked for again below.
    evidence = _judged(bundle, rival, there)
    with alias_session(there, model) as session:
        # Two that copy at once must not both find that it is not there yet.
        progress.note(f"Copying it to {mask_secrets(tracking.registry_uri(there))} as {model}.")
        registered = registration.register(bundle.stored.spec, bundle.run_key, evidence, there, bundle.brought)
        return _concluded(alias_move.signed(session), registered, evidence.decision, bundle)


def _ended_before(session: AliasSession, bundle: TransferBundle) -> Conclusion | None:
    """How an earlier copy of it ended for good; None: there is none, or it can still be promoted."""
    versions_before = versions.made_of(
        session.client, session.model, bundle.run_key, bundle.stored.evidence.package.digest
    )
    by_ledger = session.statuses()
    statuses = {
        number: by_ledger[number].status if number in by_ledger else None
        for number in (str(version.version) for version in versions_before)
    }
    serving = session.champion()
    if serving in statuses:
        reason = f"It is there already: version {serving} is champion."
        return _conclusion(session, Status.PROMOTED, serving, serving, reason)
    for version, status in statuses.items():
        if status == tags.PARKED:
            reason = f"It is there already and awaits approval: `perennial approve {session.model} {version}`."
            return _conclusion(session, Status.HELD, version, serving, reason)
        if status in (tags.PROMOTED, tags.REJECTED):
            what = "was champion before" if status == tags.PROMOTED else "was rejected"
            raise RegistryError(
                f"It is there already, as version {version} of {session.model}, which {what}.",
                remedy=f"To go back to it: `perennial rollback {session.model} --to {version} --reason …`."
                if status == tags.PROMOTED
                else f"`perennial run {session.model}` trains and judges a new one.",
            )
    return None


def _champion(session: AliasSession) -> Champion | None:
    champion_there = aliases.version_of_champion(session.client, session.home, session.model)
    return packages.fetch(session.client, session.home, champion_there) if champion_there else None


def _judged(bundle: TransferBundle, rival: Champion | None, there: Home) -> Evidence:
    """The evidence, its decision made against the champion there (None: there is none)."""
    stored = bundle.stored
    if rival is None:
        return rejudge.beside_none(stored)
    bar = anchor.find_anchor(stored.spec, rival, there)
    if rival.package_digest == bundle.rival_digest and rejudge.same_bar(stored, rival, bar):
        return rejudge.beside_its_like(stored, rival.version)
    if lacking := rejudge.missing(stored.evidence, there):
        problem = (
            "it or its anchor is another one than the candidate was judged against, and here the candidate can't be "
            f"judged again: {lacking}. Run the same command where it was trained."
        )
        return rejudge.unjudged(stored, rival.version, problem)
    progress.note(
        f"The champion there, version {rival.version}, or its anchor is another than it was judged against: judged "
        "again."
    )
    return rejudge.rejudge(stored, rival, bar, there)


def _concluded(
    session: AliasSession, registered: RegisteredVersion, decision: Decision, bundle: TransferBundle
) -> Conclusion:
    if decision.outcome is not Outcome.PROMOTE or bundle.stored.spec.registry.approval == "required":
        _check_arrived(session, registered.version)
    if decision.outcome is not Outcome.PROMOTE:
        ended = end(session, registered, decision, needs_approval=False)
        return ended.model_copy(update={"reasons": decision.reasons})
    serving = session.champion()
    if serving != registered.champion_version:
        return _changed(session, registered, serving, decision.digest)
    needs_approval = bundle.stored.spec.registry.approval == "required"
    reason = f"Copied from {bundle.brought.origin}."
    return promoted_or_parked(session, registered, reason, decision.digest, needs_approval=needs_approval)


def _check_arrived(session: AliasSession, version: str) -> None:
    """Raises RegistryError when the package that the target holds is not the one that was sent; a move looks itself."""
    with packages.fetched_anew(session.client, session.home, session.client.get_model_version(session.model, version)):
        pass


def _changed(session: AliasSession, registered: RegisteredVersion, serving: str | None, digest: str) -> Conclusion:
    reason = (
        f"The champion changed meanwhile: it is {history.named(serving)} now, and version {registered.version} was "
        f"judged against {history.named(registered.champion_version)}. Run the same command again."
    )
    session.note(Action.HOLD, registered.version, reason, before=serving, digest=digest)
    session.mark(registered.version, tags.HELD)
    return _conclusion(session, Status.HELD, registered.version, serving, reason)


def _conclusion(session: AliasSession, status: Status, version: str, serving: str | None, reason: str) -> Conclusion:
    return Conclusion(status=status, model=session.model, version=version, reasons=(reason,), champion=serving)

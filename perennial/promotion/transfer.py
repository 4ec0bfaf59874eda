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
from perennial.promotion import alias_move, registration, rejudge, transfer_bundle
from perennial.promotion.alias_move import at_desk
from perennial.promotion.conclusion import Conclusion, end, park, promoted_or_held
from perennial.promotion.session import Desk
from perennial.promotion.transfer_bundle import Parcel
from perennial.records.decision import Decision, Outcome
from perennial.records.package import Champion
from perennial.records.run import Evidence, RegisteredVersion, Status
from perennial.registry import aliases, history, packages, tags, tracking, versions
from perennial.registry.ledger import Action


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
    source, target = (tracking.plain(tracking.registry_uri(side)) for side in (home, there))
    if (source, model) == (target, name):
        raise SpecError(
            f"Version {version} of {model} is at {target} already.",
            remedy="Name another server with --to, or another model with --as; neither, to finish its run.",
        )
    with _side("source", source), transfer_bundle.packed(home, model, version) as parcel, _side("target", target):
        ended = _delivered(there, _renamed(parcel, name))
    return Transferred(**dict(ended), origin=parcel.brought.origin, target=target)


def address(home: Home, to: str) -> str:
    """The address that `to` is or, so that no password shows up in a list of processes, the variable `to` holds."""
    found = to if "://" in to else os.environ.get(to, "")
    if "://" not in found:
        seen = (
            "holds no address" if to in os.environ else "is no address, and no environment variable of that name is set"
        )
        raise SpecError(f"--to {to} {seen}.", remedy="Write it like https://mlflow.example, or name such a variable.")
    if not (found.startswith(("http://", "https://")) or tracking.is_database(found)):
        raise SpecError(
            f"--to {tracking.masked(found)} is no MLflow server.", remedy="Write it like https://mlflow.example."
        )
    folder = Path(found.partition("://")[2].lstrip("/")).parent
    if found.startswith("sqlite") and folder.name == "mlflow" and f"/{folder}" != str(home.mlflow):
        # Its own ledger and lease lie beside it, and would not be used.
        raise SpecError(
            f"--to {found} is the built-in database of another home, which has a ledger of its own.",
            remedy="Run an MLflow server for what several homes share, and name that.",
        )
    return found


@contextmanager
def _side(which: str, place: str) -> Iterator[None]:
    """Say on which side something went wrong; the innermost says it."""
    try:
        yield
    except (SidedError, SidedDisagreementError):
        raise
    except DisagreementError as error:
        where = f"With MLFLOW_TRACKING_URI set to {place}: {error.remedy}"
        raise SidedDisagreementError(f"At the {which}, {place}: {error.problem}", remedy=where) from error
    except RegistryError as error:
        raise SidedError(f"At the {which}, {place}: {error.problem}", remedy=error.remedy) from error


def _renamed(parcel: Parcel, name: str) -> Parcel:
    stored = parcel.stored.model_copy(update={"spec": parcel.stored.spec.model_copy(update={"name": name})})
    return Parcel(parcel.run_key, stored, parcel.rival_digest, parcel.brought)


def _delivered(there: Home, parcel: Parcel) -> Conclusion:
    model = parcel.stored.spec.name
    with at_desk(there, model) as desk:
        desk.require_agreement()
        if ended := _ended_before(desk, parcel):
            return ended
        rival = _champion(desk)
    # As for an approval: no lease is held while models are running, and the champion is asked for again below.
    evidence = _judged(parcel, rival, there)
    with at_desk(there, model) as desk:
        # Two that copy at once must not both find that it is not there yet.
        progress.note(f"Copying it to {tracking.masked(tracking.registry_uri(there))} as {model}.")
        registered = registration.register(parcel.stored.spec, parcel.run_key, evidence, there, parcel.brought)
        return _concluded(alias_move.signed(desk), registered, evidence.decision, parcel)


def _ended_before(desk: Desk, parcel: Parcel) -> Conclusion | None:
    """How an earlier copy of it ended for good; None: there is none, or it can still be promoted."""
    found = versions.made_of(desk.client, desk.model, parcel.run_key, parcel.stored.evidence.package.digest)
    status = {str(version.version): version.tags.get(tags.STATUS) for version in found}
    serving = desk.champion()
    if serving in status:
        reason = f"It is there already: version {serving} is champion."
        return _conclusion(desk, Status.PROMOTED, serving, serving, reason)
    for version, known in status.items():
        if known == tags.PARKED:
            reason = f"It is there already and awaits approval: `perennial approve {desk.model} {version}`."
            return _conclusion(desk, Status.HELD, version, serving, reason)
        if known in (tags.PROMOTED, tags.REJECTED):
            what = "was champion before" if known == tags.PROMOTED else "was rejected"
            raise RegistryError(
                f"It is there already, as version {version} of {desk.model}, which {what}.",
                remedy=f"To go back to it: `perennial rollback {desk.model} --to {version} --reason …`."
                if known == tags.PROMOTED
                else f"`perennial run {desk.model}` trains and judges a new one.",
            )
    return None


def _champion(desk: Desk) -> Champion | None:
    found = aliases.version_of_champion(desk.client, desk.home, desk.model)
    return packages.fetch(desk.client, desk.home, found) if found else None


def _judged(parcel: Parcel, rival: Champion | None, there: Home) -> Evidence:
    """The evidence, its decision made against the champion there (None: there is none)."""
    stored = parcel.stored
    if rival is None:
        return rejudge.beside_none(stored)
    if rival.package_digest == parcel.rival_digest:
        return rejudge.beside_its_like(stored, rival.version)
    if lacking := rejudge.missing(stored.evidence, there):
        problem = (
            f"it is another one than the candidate was judged against, and here the candidate can't be judged again: "
            f"{lacking}. Run the same command where it was trained."
        )
        return rejudge.unjudged(stored, rival.version, problem)
    progress.note(f"The champion there, version {rival.version}, is another than it was judged against: judged again.")
    return rejudge.again(stored, rival, there)


def _concluded(desk: Desk, registered: RegisteredVersion, decision: Decision, parcel: Parcel) -> Conclusion:
    if decision.outcome is not Outcome.PROMOTE or parcel.stored.spec.registry.approval == "required":
        _check_arrived(desk, registered.version)
    if decision.outcome is not Outcome.PROMOTE:
        ended = end(desk, registered, decision, needs_approval=False)
        return ended.model_copy(update={"reasons": decision.reasons})
    serving = desk.champion()
    if serving != registered.champion_version:
        return _changed(desk, registered, serving, decision.digest)
    if parcel.stored.spec.registry.approval == "required":
        return park(desk, registered, decision.digest)
    reason = f"Copied from {parcel.brought.origin}."
    return promoted_or_held(desk, registered, Action.PROMOTE, reason, decision.digest)


def _check_arrived(desk: Desk, version: str) -> None:
    """Raises RegistryError when the package that the target holds is not the one that was sent; a move looks itself."""
    with packages.fetched_anew(desk.client, desk.home, desk.client.get_model_version(desk.model, version)):
        pass


def _changed(desk: Desk, registered: RegisteredVersion, serving: str | None, digest: str) -> Conclusion:
    reason = (
        f"The champion changed meanwhile: it is {history.named(serving)} now, and version {registered.version} was "
        f"judged against {history.named(registered.champion_version)}. Run the same command again."
    )
    desk.note(Action.HOLD, registered.version, reason, before=serving, digest=digest)
    desk.mark(registered.version, tags.HELD)
    return _conclusion(desk, Status.HELD, registered.version, serving, reason)


def _conclusion(desk: Desk, status: Status, version: str, serving: str | None, reason: str) -> Conclusion:
    return Conclusion(status=status, model=desk.model, version=version, reasons=(reason,), champion=serving)

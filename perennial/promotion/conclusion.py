"""How a run ends in the registry: its candidate promoted, parked for a person's approval, held or rejected."""

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import smoke_test
from perennial.promotion.alias_move import Move, at_desk, move
from perennial.promotion.session import Desk
from perennial.records.decision import Decision, Outcome
from perennial.records.run import RegisteredVersion, Status
from perennial.registry import aliases, history, tags, versions
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate


class Conclusion(Record):
    """How it ended, and why in a sentence where the decision's own reasons don't say it."""

    status: Status
    model: str
    version: str
    reasons: tuple[str, ...] = ()
    champion: str | None
    """The version that serves now."""


def conclude(
    home: Home, registered: RegisteredVersion, decision: Decision, *, needs_approval: bool, observing: bool = False
) -> Conclusion:
    """End the run that registered a version on `decision`. Whatever it came to is in the ledger and on the version.

    `observing`: no alias moves, whatever the decision. Raises RegistryError when MLflow or the ledger can't be used;
    `finish` can then be asked to do it later.
    """
    with at_desk(home, registered.model) as desk:
        if observing:
            return _observed(desk, registered, decision)
        return end(desk, registered, decision, needs_approval=needs_approval)


def end(desk: Desk, registered: RegisteredVersion, decision: Decision, *, needs_approval: bool) -> Conclusion:
    """`conclude`, at the desk."""
    if decision.outcome is not Outcome.PROMOTE:
        rejected = decision.outcome is Outcome.REJECT
        action, status = (Action.REJECT, Status.REJECTED) if rejected else (Action.HOLD, Status.HELD)
        return _without_moving(desk, registered, decision, action, status)
    if needs_approval:
        return park(desk, registered, decision.digest)
    return promoted_or_held(desk, registered, Action.PROMOTE, "Its gates passed.", decision.digest)


def promote(home: Home, registered: RegisteredVersion, reason: str = "") -> bool:
    """Make `registered` champion; False: the champion is not the one it was judged against any more.

    For those who have judged it themselves. Raises RegistryError when that can't be told.
    """
    with at_desk(home, registered.model) as desk:
        return move(desk, _plan(registered, Action.PROMOTE, reason, None))


def finish(home: Home, model: str, version: str) -> Conclusion:
    """End the run that made `version`, which could not be ended when it was judged: MLflow was down, or it was killed.

    Its stored decision must be PROMOTE, and the champion the one that it was judged against: else it is held, or
    RegistryError says what to do instead; DisagreementError where ledger and registry disagree.
    """
    with at_desk(home, model) as desk:
        desk.require_agreement()
        candidate = versions.candidate(desk.client, model, version)
        if desk.champion() == version:
            reason = f"Version {version} is champion already."
            return Conclusion(status=Status.PROMOTED, model=model, version=version, reasons=(reason,), champion=version)
        _check_finishable(candidate)
        if candidate.needs_approval:
            return park(desk, candidate.registered, candidate.decision_digest)
        return promoted_or_held(
            desk, candidate.registered, Action.PROMOTE, "Its gates passed; finished later.", candidate.decision_digest
        )


def promoted_or_held(
    desk: Desk,
    registered: RegisteredVersion,
    action: Action,
    reason: str,
    decision_digest: str | None,
    *,
    verified: bool = False,
) -> Conclusion:
    """Move the alias, or hold the version: another champion serves than it was judged against, or it can't serve.

    `verified`: its package was fetched from the registry just now, and serves.
    """
    version = registered.version
    if held := _unclear(desk, registered, decision_digest):
        return held
    try:
        moved = move(desk, _plan(registered, action, reason, decision_digest, verified=verified))
    except smoke_test.CannotServeError as error:
        return _held(desk, registered, error.problem, decision_digest)
    if moved:
        return Conclusion(status=Status.PROMOTED, model=desk.model, version=version, champion=version)
    return _stale(desk, registered, decision_digest)


def _plan(
    registered: RegisteredVersion, action: Action, reason: str, decision_digest: str | None, *, verified: bool = False
) -> Move:
    return Move(action, registered.version, registered.champion_version, reason, decision_digest, verified)


def _stale(desk: Desk, registered: RegisteredVersion, decision_digest: str | None) -> Conclusion:
    serving, against = desk.champion(), registered.champion_version
    reason = (
        f"The champion changed meanwhile: it is {history.named(serving)} now, and version {registered.version} was "
        f"judged against {history.named(against)}. `perennial run {desk.model}` judges it again."
    )
    return _held(desk, registered, reason, decision_digest)


def _unclear(desk: Desk, registered: RegisteredVersion, decision_digest: str | None) -> Conclusion | None:
    """It held, for it is not clear who is champion; None: that is clear. The same run can be ended later."""
    reason = str(desk.disagreement) if desk.disagreement else _may_have_served(desk, registered.version)
    if reason is None:
        return None
    held = _held(desk, registered, reason, decision_digest)
    desk.mark(registered.version, tags.REGISTERED)
    return held


def _may_have_served(desk: Desk, version: str) -> str | None:
    """A first champion whose promotion was cut short may have served, and its alias been taken away since."""
    entries = desk.ledger.entries(desk.model)
    if history.moves(entries):
        return None
    others = [event.to_version for event in history.cut_short(entries) if event.to_version != version]
    if not others:
        return None
    return (
        f"The promotion of version {others[-1]} of {desk.model} was cut short, and it is not known whether it served: "
        f"`perennial promote {desk.model} {others[-1]}` lets it serve, and `perennial run {desk.model}` then compares "
        f"version {version} with it."
    )


def _held(desk: Desk, registered: RegisteredVersion, reason: str, decision_digest: str | None) -> Conclusion:
    version, serving = registered.version, desk.champion()
    progress.note(reason)
    desk.note(Action.HOLD, version, reason, before=serving, digest=decision_digest)
    desk.mark(version, tags.HELD)
    return Conclusion(status=Status.HELD, model=desk.model, version=version, reasons=(reason,), champion=serving)


def park(desk: Desk, registered: RegisteredVersion, decision_digest: str | None) -> Conclusion:
    """Let the version await a person's approval; held, if another champion serves than it was judged against."""
    version, serving = registered.version, desk.champion()
    if held := _unclear(desk, registered, decision_digest):
        return held
    if serving != registered.champion_version:
        return _stale(desk, registered, decision_digest)
    reason = (
        f"Version {version} passed its gates and awaits approval: `perennial approve {desk.model} {version}`, or "
        f"`perennial reject {desk.model} {version} --reason …`."
    )
    before = desk.at(aliases.CHALLENGER)
    if before not in (None, version):
        progress.note(f"It takes the place of version {before}, which awaited approval and can still be named.")
    desk.note(Action.PARK, version, "Its gates passed.", before=serving, digest=decision_digest)
    desk.point(aliases.CHALLENGER, version)
    desk.mark(version, tags.PARKED)
    return Conclusion(status=Status.HELD, model=desk.model, version=version, reasons=(reason,), champion=serving)


def _observed(desk: Desk, registered: RegisteredVersion, decision: Decision) -> Conclusion:
    version, serving = registered.version, desk.champion()
    reason = f"The gates came to {decision.outcome.value}; registry.mode is observe, so nothing moves."
    if decision.outcome is Outcome.PROMOTE:
        reason += f" `perennial promote {desk.model} {version}` lets it serve."
    desk.note(Action.HOLD, version, reason, before=decision.champion_version, digest=decision.digest)
    desk.mark(version, tags.OBSERVED)
    return Conclusion(status=Status.OBSERVED, model=desk.model, version=version, reasons=(reason,), champion=serving)


def _without_moving(
    desk: Desk, registered: RegisteredVersion, decision: Decision, action: Action, status: Status
) -> Conclusion:
    serving = desk.champion()
    reason = " ".join(decision.reasons)
    desk.note(action, registered.version, reason, before=decision.champion_version, digest=decision.digest)
    desk.mark(registered.version, status.value)
    return Conclusion(status=status, model=desk.model, version=registered.version, champion=serving)


def _check_finishable(candidate: Candidate) -> None:
    model, version = candidate.registered.model, candidate.registered.version
    if candidate.status == tags.PARKED:
        raise RegistryError(
            f"Version {version} of {model} awaits a person's approval.",
            remedy=f"Give it with `perennial approve {model} {version}`.",
        )
    if candidate.status == tags.PROMOTED:
        raise RegistryError(
            f"Version {version} of {model} was champion before and is not any more.",
            remedy=f"To go back to it: `perennial rollback {model} --to {version} --reason …`.",
        )
    if candidate.status == tags.REJECTED or candidate.decision != Outcome.PROMOTE.value:
        seen = candidate.decision or "no decision"
        why = "it was rejected" if candidate.status == tags.REJECTED else f"its run came to {seen}"
        raise RegistryError(
            f"Version {version} of {model} can't be promoted: {why}. A version has to pass its gates first.",
            remedy=f"`perennial run {model}` trains and judges a new one.",
        )

"""How a run ends in the registry: its candidate promoted, parked for a person's approval, held or rejected."""

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import rejudge, smoke_test
from perennial.promotion.alias_move import AliasMove, alias_session, move
from perennial.promotion.safeguards import approval_age, evidence_check, rollback_hold
from perennial.promotion.session import AliasSession
from perennial.records.decision import Decision, Outcome
from perennial.records.run import RegisteredVersion, Status
from perennial.registry import aliases, history, tags
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
    with alias_session(home, registered.model) as session:
        if observing:
            return _observed(session, registered, decision)
        return end(session, registered, decision, needs_approval=needs_approval)


def end(
    session: AliasSession, registered: RegisteredVersion, decision: Decision, *, needs_approval: bool
) -> Conclusion:
    """`conclude`, in the session."""
    if decision.outcome is not Outcome.PROMOTE:
        rejected = decision.outcome is Outcome.REJECT
        action, status = (Action.REJECT, Status.REJECTED) if rejected else (Action.HOLD, Status.HELD)
        return _without_moving(session, registered, decision, action, status)
    return promoted_or_parked(session, registered, "Its gates passed.", decision.digest, needs_approval=needs_approval)


def finish(home: Home, model: str, version: str) -> Conclusion:
    """End the run that made `version`, which could not be ended when it was judged: MLflow was down, or it was killed.

    Its stored decision must be PROMOTE, and the champion the one that it was judged against: else it is held, or
    RegistryError says what to do instead; DisagreementError where ledger and registry disagree. One that was judged too
    long ago, or before test rows came, is judged again first.
    """
    with alias_session(home, model) as session:
        session.require_agreement()
        candidate = session.candidate(version)
        if session.champion() == version:
            reason = f"Version {version} is champion already."
            return Conclusion(status=Status.PROMOTED, model=model, version=version, reasons=(reason,), champion=version)
        _check_finishable(candidate)
        stored = evidence_check.believed(session.client, home, candidate)
        # By its pipeline, not by a tag: that may have been edited.
        needs_approval = stored.spec.registry.approval == "required"
        # One that another champion makes stale is held, which looks at no rows.
        is_stale = session.champion() != candidate.registered.champion_version
        why = None if is_stale else approval_age.why_again(session, candidate, stored)
        if why is None:
            return promoted_or_parked(
                session,
                candidate.registered,
                "Its gates passed; finished later.",
                candidate.decision_digest,
                needs_approval=needs_approval,
            )
        material = rejudge.gather(session, candidate, stored, why)
    registered, decision = rejudge.judge_again(home, material)
    with alias_session(home, model) as session:
        rejudge.check_unsaid(session, material)
        ended = end(session, registered, decision, needs_approval=needs_approval)
        return ended.model_copy(update={"reasons": (why, *decision.reasons, *ended.reasons)})


def promoted_or_parked(
    session: AliasSession,
    registered: RegisteredVersion,
    reason: str,
    decision_digest: str | None,
    *,
    needs_approval: bool,
) -> Conclusion:
    """Promote the version, which passed its gates; or park it, because a person has to say so: by its pipeline, or
    after a rollback. Held if it can't be told, or it can't serve.
    """
    hold = rollback_hold.hold_on(session, registered.version) if session.disagreement is None else None
    words = (hold.words,) if hold else ()
    if needs_approval or (hold and hold.holds):
        ended = park(session, registered, decision_digest, *words)
    else:
        why = " ".join((reason, *words))
        ended = promoted_or_held(session, registered, Action.PROMOTE, why, decision_digest)
    return ended.model_copy(update={"reasons": (*words, *ended.reasons)})


def promoted_or_held(
    session: AliasSession,
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
    if held := _unclear(session, registered, decision_digest):
        return held
    try:
        moved = move(session, _plan(registered, action, reason, decision_digest, verified=verified))
    except smoke_test.CannotServeError as error:
        return _held(session, registered, error.problem, decision_digest)
    if moved:
        return Conclusion(status=Status.PROMOTED, model=session.model, version=version, champion=version)
    return _stale(session, registered, decision_digest)


def _plan(
    registered: RegisteredVersion, action: Action, reason: str, decision_digest: str | None, *, verified: bool = False
) -> AliasMove:
    return AliasMove(action, registered.version, registered.champion_version, reason, decision_digest, verified)


def _stale(session: AliasSession, registered: RegisteredVersion, decision_digest: str | None) -> Conclusion:
    serving, against = session.champion(), registered.champion_version
    reason = (
        f"The champion changed meanwhile: it is {history.named(serving)} now, and version {registered.version} was "
        f"judged against {history.named(against)}. `perennial run {session.model}` judges it again."
    )
    return _held(session, registered, reason, decision_digest)


def _unclear(session: AliasSession, registered: RegisteredVersion, decision_digest: str | None) -> Conclusion | None:
    """It held, for it is not clear who is champion; None: that is clear. The same run can be ended later."""
    reason = str(session.disagreement) if session.disagreement else _may_have_served(session, registered.version)
    if reason is None:
        return None
    return _held(session, registered, reason, decision_digest, status=tags.REGISTERED)


def _may_have_served(session: AliasSession, version: str) -> str | None:
    """A first champion whose promotion was cut short may have served, and its alias been taken away since."""
    entries = session.ledger.entries(session.model)
    if history.moves(entries):
        return None
    others = [event.to_version for event in history.cut_short(entries) if event.to_version != version]
    if not others:
        return None
    return (
        f"The promotion of version {others[-1]} of {session.model} was cut short, and it is not known whether it "
        f"served: `perennial promote {session.model} {others[-1]}` lets it serve, and `perennial run {session.model}` "
        f"then compares version {version} with it."
    )


def _held(
    session: AliasSession,
    registered: RegisteredVersion,
    reason: str,
    decision_digest: str | None,
    *,
    status: str = tags.HELD,
) -> Conclusion:
    version, serving = registered.version, session.champion()
    progress.note(reason)
    session.note(Action.HOLD, version, reason, before=serving, digest=decision_digest, status=status)
    session.mark(version, status)
    return Conclusion(status=Status.HELD, model=session.model, version=version, reasons=(reason,), champion=serving)


def park(session: AliasSession, registered: RegisteredVersion, decision_digest: str | None, *why: str) -> Conclusion:
    """Let the version await a person's approval; held, if another champion serves than it was judged against.

    `why`: sentences on why a person is asked, where it is not the pipeline that says so.
    """
    version, serving = registered.version, session.champion()
    if held := _unclear(session, registered, decision_digest):
        return held
    if serving != registered.champion_version:
        return _stale(session, registered, decision_digest)
    reason = (
        f"Version {version} passed its gates and awaits approval: `perennial approve {session.model} {version}`, or "
        f"`perennial reject {session.model} {version} --reason …`."
    )
    before = session.at(aliases.CHALLENGER)
    if before not in (None, version):
        progress.note(f"It takes the place of version {before}, which awaited approval and can't be approved any more.")
    session.note(Action.PARK, version, " ".join(("Its gates passed.", *why)), before=serving, digest=decision_digest)
    session.point(aliases.CHALLENGER, version)
    _end_superseded(session)
    session.mark(version, tags.PARKED)
    return Conclusion(status=Status.HELD, model=session.model, version=version, reasons=(reason,), champion=serving)


def _end_superseded(session: AliasSession) -> None:
    """Note on the challengers before that they await nothing any more."""
    for version in session.client.search_model_versions(f"name = '{session.model}'"):
        status = session.statuses().get(str(version.version))
        if status and status.status == tags.SUPERSEDED != version.tags.get(tags.STATUS):
            session.mark(str(version.version), tags.SUPERSEDED)


def superseded(candidate: Candidate) -> RegistryError:
    """A challenger whose place was taken can't be approved."""
    registered, by = candidate.registered, candidate.superseded_by
    return RegistryError(
        f"Version {registered.version} of {registered.model} does not await approval any more: version {by} passed its "
        "gates later and took its place.",
        remedy=f"`perennial approve {registered.model} {by}` lets that one serve.",
    )


def _observed(session: AliasSession, registered: RegisteredVersion, decision: Decision) -> Conclusion:
    version, serving = registered.version, session.champion()
    reason = f"The gates came to {decision.outcome.value}; registry.mode is observe, so nothing moves."
    if decision.outcome is Outcome.PROMOTE:
        reason += f" `perennial promote {session.model} {version}` lets it serve."
    before = decision.champion_version
    session.note(Action.HOLD, version, reason, before=before, digest=decision.digest, status=tags.OBSERVED)
    session.mark(version, tags.OBSERVED)
    return Conclusion(status=Status.OBSERVED, model=session.model, version=version, reasons=(reason,), champion=serving)


def _without_moving(
    session: AliasSession, registered: RegisteredVersion, decision: Decision, action: Action, status: Status
) -> Conclusion:
    serving = session.champion()
    reason = " ".join(decision.reasons)
    session.note(action, registered.version, reason, before=decision.champion_version, digest=decision.digest)
    session.mark(registered.version, status.value)
    return Conclusion(status=status, model=session.model, version=registered.version, champion=serving)


def _check_finishable(candidate: Candidate) -> None:
    model, version = candidate.registered.model, candidate.registered.version
    if candidate.status == tags.PARKED:
        raise RegistryError(
            f"Version {version} of {model} awaits a person's approval.",
            remedy=f"Give it with `perennial approve {model} {version}`.",
        )
    if candidate.status == tags.SUPERSEDED:
        raise superseded(candidate)
    if candidate.status == tags.PROMOTED:
        raise RegistryError(
            f"Version {version} of {model} was champion before and is not any more.",
            remedy=f"To go back to it: `perennial rollback {model} --to {version} --reason …`.",
        )
    if candidate.status == tags.REJECTED or candidate.decision != Outcome.PROMOTE.value:
        decided = candidate.decision or "no decision"
        why = "it was rejected" if candidate.status == tags.REJECTED else f"its run came to {decided}"
        raise RegistryError(
            f"Version {version} of {model} can't be promoted: {why}. A version has to pass its gates first.",
            remedy=f"`perennial run {model}` trains and judges a new one.",
        )

"""What a person says about a parked candidate: it may serve, or not."""

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import rejudge
from perennial.promotion.alias_move import alias_session
from perennial.promotion.conclusion import Conclusion, end, promoted_or_held, superseded
from perennial.promotion.safeguards import approval_age, evidence_check
from perennial.promotion.session import AliasSession
from perennial.records.decision import Outcome
from perennial.records.run import Status
from perennial.registry import aliases, tags
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate


def approve(home: Home, model: str, version: str | None = None, reason: str = "") -> Conclusion:
    """Let a parked candidate (None: the challenger) serve.

    If the champion is another one than it was judged against, test rows came since, or it was judged longer ago than
    `registry.approval_days`, it is judged again, on the newest rows, and serves only if the decision is PROMOTE again.
    Raises RegistryError when nothing is parked, or when the rows are not in this store; DisagreementError where ledger
    and registry disagree.
    """
    reason = reason or "Approved."
    with alias_session(home, model) as session:
        session.require_agreement()
        parked = _parked(session, version)
        stored = evidence_check.believed(session.client, home, parked)
        why = approval_age.why_again(session, parked, stored)
        if why is None:
            return promoted_or_held(session, parked.registered, Action.APPROVE, reason, parked.decision_digest)
        material = rejudge.gather(session, parked, stored, why)
    # The lease is not held while models are running: whether the champion is still this one is asked again below.
    registered, decision = rejudge.judge_again(home, material)
    with alias_session(home, model) as session:
        rejudge.check_unsaid(session, material)
        if decision.outcome is Outcome.PROMOTE:
            reason = f"{reason} Judged again: {why}"
            ended = promoted_or_held(session, registered, Action.APPROVE, reason, decision.digest)
            return ended.model_copy(update={"reasons": (f"{why} So it was judged again.", *ended.reasons)})
        ended = end(session, registered, decision, needs_approval=False)
        session.release(aliases.CHALLENGER, registered.version)
        return ended.model_copy(update={"reasons": (f"{why} So it was judged again.", *decision.reasons)})


def reject(home: Home, model: str, version: str | None, reason: str) -> Conclusion:
    """Refuse a candidate (None: the challenger). Raises RegistryError if it is the champion, or there is none."""
    with alias_session(home, model) as session:
        parked = session.candidate(version or _challenger(session))
        name, serving = parked.registered.version, session.champion()
        if name == serving:
            raise RegistryError(
                f"Version {name} of {model} is the champion.",
                remedy=f"`perennial rollback {model} --reason …` takes it out of service.",
            )
        session.note(Action.REJECT, name, reason, before=serving, digest=parked.decision_digest)
        session.mark(name, tags.REJECTED)
        session.release(aliases.CHALLENGER, name)
        return Conclusion(status=Status.REJECTED, model=model, version=name, champion=serving)


def _parked(session: AliasSession, version: str | None) -> Candidate:
    parked = session.candidate(version or _challenger(session))
    if parked.status == tags.SUPERSEDED:
        raise superseded(parked)
    if parked.status != tags.PARKED or parked.decision != Outcome.PROMOTE.value:
        raise RegistryError(
            f"Version {parked.registered.version} of {session.model} does not await approval: it is "
            f"{parked.status or 'of unknown status'}, its decision {parked.decision or 'not known'}.",
            remedy="Only a version that passed its gates under `registry.approval: required` can be approved.",
        )
    return parked


def _challenger(session: AliasSession) -> str:
    version = session.at(aliases.CHALLENGER)
    if version is None:
        raise RegistryError(
            f"No version of {session.model} awaits approval: there is no alias `challenger`.",
            remedy=f"See `perennial history {session.model}`.",
        )
    return version

"""What a person says about a parked candidate: it may serve, or not."""

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import registration, rejudge
from perennial.promotion.alias_move import alias_session
from perennial.promotion.conclusion import Conclusion, end, promoted_or_held
from perennial.promotion.session import AliasSession
from perennial.records.decision import Decision, Outcome
from perennial.records.package import Anchor, Champion
from perennial.records.run import RegisteredVersion, Status
from perennial.registry import aliases, history, packages, tags, tracking, versions
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate, StoredEvidence
from perennial.runs import anchor


def approve(home: Home, model: str, version: str | None = None, reason: str = "") -> Conclusion:
    """Let a parked candidate (None: the challenger) serve.

    If the champion is another one than it was judged against, it is judged again, against that one, on the data of its
    run, and serves only if the decision is PROMOTE again. Raises RegistryError when nothing is parked, or when its data
    is not in this store; DisagreementError where ledger and registry disagree.
    """
    reason = reason or "Approved."
    with alias_session(home, model) as session:
        session.require_agreement()
        parked = _parked(session, version)
        if session.champion() == parked.registered.champion_version:
            return promoted_or_held(session, parked.registered, Action.APPROVE, reason, parked.decision_digest)
        stored, rival = _material(session, parked)
    bar = anchor.find_anchor(stored.spec, rival, home)
    # The lease is not held while models are running: whether the champion is still this one is asked again below.
    registered, decision = _judged_again(home, parked, stored, rival, bar)
    with alias_session(home, model) as session:
        if decision.outcome is Outcome.PROMOTE:
            return promoted_or_held(session, registered, Action.APPROVE, f"{reason} Judged again.", decision.digest)
        ended = end(session, registered, decision, needs_approval=False)
        session.release(aliases.CHALLENGER, registered.version)
        return ended.model_copy(update={"reasons": decision.reasons})


def reject(home: Home, model: str, version: str | None, reason: str) -> Conclusion:
    """Refuse a candidate (None: the challenger). Raises RegistryError if it is the champion, or there is none."""
    with alias_session(home, model) as session:
        parked = versions.candidate(session.client, model, version or _challenger(session))
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
    parked = versions.candidate(session.client, session.model, version or _challenger(session))
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


def _material(session: AliasSession, parked: Candidate) -> tuple[StoredEvidence, Champion | None]:
    """What judging it again takes: its evidence, with a package that is in this store, and the champion's package."""
    progress.note(
        f"The champion is {history.named(session.champion())} now; version {parked.registered.version} was judged "
        f"against {history.named(parked.registered.champion_version)}, so it is judged again."
    )
    stored = versions.evidence_of(session.client, session.home, parked)
    registered = stored.evidence
    if lacking := rejudge.missing(registered, session.home):
        raise RegistryError(
            f"Version {parked.registered.version} of {session.model} has to be judged again, because the champion "
            f"changed since, but {lacking}. {tracking.UNTOUCHED}",
            remedy=f"Approve it where it was made, or run `perennial run {session.model}`, which judges it again.",
        )
    number = parked.registered.version
    mine = packages.fetch(session.client, session.home, session.client.get_model_version(session.model, number))
    package = registered.package.model_copy(update={"path": mine.path})
    evidence = registered.model_copy(update={"package": package})
    champion = aliases.version_of_champion(session.client, session.home, session.model)
    rival = packages.fetch(session.client, session.home, champion) if champion else None
    return stored.model_copy(update={"evidence": evidence}), rival


def _judged_again(
    home: Home, parked: Candidate, stored: StoredEvidence, rival: Champion | None, bar: Anchor | None
) -> tuple[RegisteredVersion, Decision]:
    evidence = rejudge.rejudge(stored, rival, bar, home)
    return registration.register(stored.spec, parked.run_key, evidence, home), evidence.decision

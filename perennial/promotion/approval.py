"""What a person says about a parked candidate: it may serve, or not."""

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import registration, rejudge
from perennial.promotion.alias_move import at_desk
from perennial.promotion.conclusion import Conclusion, end, promoted_or_held
from perennial.promotion.session import Desk
from perennial.records.decision import Decision, Outcome
from perennial.records.package import Champion
from perennial.records.run import RegisteredVersion, Status
from perennial.registry import aliases, history, packages, tags, tracking, versions
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate, StoredEvidence


def approve(home: Home, model: str, version: str | None = None, reason: str = "") -> Conclusion:
    """Let a parked candidate (None: the challenger) serve.

    If the champion is another one than it was judged against, it is judged again, against that one, on the data of its
    run, and serves only if the decision is PROMOTE again. Raises RegistryError when nothing is parked, or when its data
    is not in this store; DisagreementError where ledger and registry disagree.
    """
    reason = reason or "Approved."
    with at_desk(home, model) as desk:
        desk.require_agreement()
        parked = _parked(desk, version)
        if desk.champion() == parked.registered.champion_version:
            return promoted_or_held(desk, parked.registered, Action.APPROVE, reason, parked.decision_digest)
        stored, rival = _material(desk, parked)
    # The lease is not held while models are running: whether the champion is still this one is asked again below.
    registered, decision = _judged_again(home, parked, stored, rival)
    with at_desk(home, model) as desk:
        if decision.outcome is Outcome.PROMOTE:
            return promoted_or_held(desk, registered, Action.APPROVE, f"{reason} Judged again.", decision.digest)
        ended = end(desk, registered, decision, needs_approval=False)
        desk.release(aliases.CHALLENGER, registered.version)
        return ended.model_copy(update={"reasons": decision.reasons})


def reject(home: Home, model: str, version: str | None, reason: str) -> Conclusion:
    """Refuse a candidate (None: the challenger). Raises RegistryError if it is the champion, or there is none."""
    with at_desk(home, model) as desk:
        known = versions.candidate(desk.client, model, version or _challenger(desk))
        name, serving = known.registered.version, desk.champion()
        if name == serving:
            raise RegistryError(
                f"Version {name} of {model} is the champion.",
                remedy=f"`perennial rollback {model} --reason …` takes it out of service.",
            )
        desk.note(Action.REJECT, name, reason, before=serving, digest=known.decision_digest)
        desk.mark(name, tags.REJECTED)
        desk.release(aliases.CHALLENGER, name)
        return Conclusion(status=Status.REJECTED, model=model, version=name, champion=serving)


def _parked(desk: Desk, version: str | None) -> Candidate:
    known = versions.candidate(desk.client, desk.model, version or _challenger(desk))
    if known.status != tags.PARKED or known.decision != Outcome.PROMOTE.value:
        raise RegistryError(
            f"Version {known.registered.version} of {desk.model} does not await approval: it is "
            f"{known.status or 'of unknown status'}, its decision {known.decision or 'not known'}.",
            remedy="Only a version that passed its gates under `registry.approval: required` can be approved.",
        )
    return known


def _challenger(desk: Desk) -> str:
    version = desk.at(aliases.CHALLENGER)
    if version is None:
        raise RegistryError(
            f"No version of {desk.model} awaits approval: there is no alias `challenger`.",
            remedy=f"See `perennial history {desk.model}`.",
        )
    return version


def _material(desk: Desk, parked: Candidate) -> tuple[StoredEvidence, Champion | None]:
    """What judging it again takes: its evidence, with a package that is in this store, and the champion's package."""
    progress.note(
        f"The champion is {history.named(desk.champion())} now; version {parked.registered.version} was judged "
        f"against {history.named(parked.registered.champion_version)}, so it is judged again."
    )
    stored = versions.evidence_of(desk.client, desk.home, parked)
    found = stored.evidence
    if lacking := rejudge.missing(found, desk.home):
        raise RegistryError(
            f"Version {parked.registered.version} of {desk.model} has to be judged again, because the champion changed "
            f"since, but {lacking}. {tracking.UNTOUCHED}",
            remedy=f"Approve it where it was made, or run `perennial run {desk.model}`, which judges it again.",
        )
    number = parked.registered.version
    mine = packages.fetch(desk.client, desk.home, desk.client.get_model_version(desk.model, number))
    package = found.package.model_copy(update={"path": mine.path})
    evidence = found.model_copy(update={"package": package})
    champion = aliases.version_of_champion(desk.client, desk.home, desk.model)
    rival = packages.fetch(desk.client, desk.home, champion) if champion else None
    return stored.model_copy(update={"evidence": evidence}), rival


def _judged_again(
    home: Home, parked: Candidate, stored: StoredEvidence, rival: Champion | None
) -> tuple[RegisteredVersion, Decision]:
    evidence = rejudge.again(stored, rival, home)
    return registration.register(stored.spec, parked.run_key, evidence, home), evidence.decision

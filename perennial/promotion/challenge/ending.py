"""How a challenge ends: the version is dropped, promoted or parked, through the same session, guard and ledger as all.

The end is written first, with what was counted, and then its consequence; who finds an end without one, as after a kill
between the two, writes it.
"""

from typing import Any

from perennial.core.errors import PerennialError, RegistryError
from perennial.core.home import Home
from perennial.promotion import conclusion
from perennial.promotion.alias_move import alias_session
from perennial.promotion.conclusion import Conclusion
from perennial.promotion.safeguards import approval_age, evidence_check
from perennial.promotion.session import AliasSession
from perennial.records.run import Status
from perennial.registry import aliases, tags
from perennial.registry.judged.challenges import ChallengeEnd, PendingEnd, current_challenge, pending_end
from perennial.registry.ledger import Action
from perennial.rollout.verdict import TrialEnd, TrialStanding


def end_challenge(home: Home, model: str, salt: str, standing: TrialStanding) -> Conclusion | None:
    """End the challenge that is known by `salt` as `standing` says; None: it had ended already.

    Raises RegistryError when MLflow or the ledger can't be used; the same can then be asked again.
    """
    with alias_session(home, model) as session:
        challenge = current_challenge(session.ledger.entries(model))
        if standing.end and challenge and challenge.salt == salt:
            evidence = standing.model_dump(mode="json", exclude={"words", "end"})
            kept = {name: getattr(challenge, name) for name in ("salt", "terms", "only_observes")}
            end = ChallengeEnd(**kept, end=standing.end.value, words=standing.words, evidence=evidence)
            _note_end(session, challenge.version, end)
        return _finished(session)


def finish_end(home: Home, model: str) -> Conclusion | None:
    """Do what a challenge's end asks for, where who wrote it was cut short; None: there is nothing to do."""
    with alias_session(home, model) as session:
        return _finished(session)


def stop_challenge(home: Home, model: str, reason: str, evidence: dict[str, Any]) -> str:
    """A person ends the challenge; its version, which is then what it was before. Raises RegistryError if there is
    none.
    """
    with alias_session(home, model) as session:
        challenge = current_challenge(session.ledger.entries(model))
        if challenge is None:
            raise RegistryError(
                f"No version of {model} is being tried.", remedy=f"See `perennial history {model}`; nothing was done."
            )
        kept = {name: getattr(challenge, name) for name in ("salt", "terms", "only_observes")}
        _note_end(session, challenge.version, ChallengeEnd(**kept, end="stopped", words=reason, evidence=evidence))
        status = session.statuses().get(challenge.version)
        if status is None or status.status != tags.PARKED:
            session.release(aliases.CHALLENGER, challenge.version)
        return challenge.version


def _note_end(session: AliasSession, version: str, end: ChallengeEnd) -> None:
    words = f"{end.end.capitalize()}. {end.words}"
    session.note(
        Action.CHALLENGE_END, version, words, before=session.champion(), detail=end.model_dump_json(exclude_none=True)
    )


def _finished(session: AliasSession) -> Conclusion | None:
    end = pending_end(session.ledger.entries(session.model))
    if end is None:
        return None
    if end.end == TrialEnd.DROPPED.value:
        return _dropped(session, end)
    return _only_seen(session, end) if end.only_observes else _passed_or_asked(session, end)


def _dropped(session: AliasSession, end: PendingEnd) -> Conclusion:
    reason = f"On live traffic: {end.words}"
    return _without_moving(session, end.version, Action.REJECT, Status.REJECTED, reason)


def _only_seen(session: AliasSession, end: PendingEnd) -> Conclusion:
    reason = f"On live traffic: {end.words} Its gates had not let it through, so it does not serve by that."
    return _without_moving(session, end.version, Action.HOLD, Status.HELD, reason)


def _without_moving(session: AliasSession, version: str, action: Action, status: Status, reason: str) -> Conclusion:
    serving = session.champion()
    session.note(action, version, reason, before=serving)
    session.mark(version, status.value)
    session.release(aliases.CHALLENGER, version)
    return Conclusion(status=status, model=session.model, version=version, reasons=(reason,), champion=serving)


def _passed_or_asked(session: AliasSession, end: PendingEnd) -> Conclusion:
    candidate = session.candidate(end.version)
    words = f"On live traffic: {end.words}"
    if end.end != TrialEnd.PASSED.value or end.terms.on_success == "ask":
        return conclusion.park(session, candidate.registered, candidate.decision_digest, words)
    try:
        stored = evidence_check.believed(session.client, session.home, candidate)
        why = approval_age.why_again(session, candidate, stored)
    except (PerennialError, ImportError) as error:
        # The server's image lacks what reads rows; a person asks on a machine that has it.
        doubt = f"Whether test rows came since it was judged is not known: {error}"
        return conclusion.park(session, candidate.registered, candidate.decision_digest, words, doubt)
    if why and session.champion() == candidate.registered.champion_version:
        # `perennial approve` judges it again first; a server has not the rows for that.
        return conclusion.park(session, candidate.registered, candidate.decision_digest, words, why)
    return conclusion.promoted_or_parked(
        session,
        candidate.registered,
        f"Its gates passed. {words}",
        candidate.decision_digest,
        needs_approval=stored.spec.registry.approval == "required",
    )

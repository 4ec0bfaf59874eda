"""How a run ends where its candidates are tried on live traffic first, in place of being promoted."""

from perennial.core import progress
from perennial.core.home import Home
from perennial.promotion import conclusion
from perennial.promotion.alias_move import alias_session
from perennial.promotion.challenge import beginning
from perennial.promotion.conclusion import Conclusion
from perennial.promotion.session import AliasSession
from perennial.records.decision import Decision, Outcome
from perennial.records.run import RegisteredVersion, Status
from perennial.registry import tags
from perennial.registry.judged.challenges import current_challenge
from perennial.registry.ledger import Action
from perennial.settings.rollout import RolloutSpec


def conclude_run(
    home: Home,
    registered: RegisteredVersion,
    decision: Decision,
    terms: RolloutSpec,
    *,
    needs_approval: bool,
    observing: bool,
) -> Conclusion:
    """End a run as `conclusion.conclude` does, or begin the trial of its candidate, as `terms` say. Raises likewise."""
    promotes = decision.outcome is Outcome.PROMOTE and terms.runs != "none"
    if promotes and not observing:
        with alias_session(home, registered.model) as session:
            if tried := _tried(session, registered, decision, terms):
                return tried
    ended = conclusion.conclude(home, registered, decision, needs_approval=needs_approval, observing=observing)
    if decision.outcome is Outcome.HOLD and terms.runs == "hold" and not observing:
        with alias_session(home, registered.model) as session:
            return _only_seen(session, registered, ended, terms)
    return ended


def _tried(
    session: AliasSession, registered: RegisteredVersion, decision: Decision, terms: RolloutSpec
) -> Conclusion | None:
    """The run's end, if its candidate is to be tried; None: it has no champion beside it, or not the right one."""
    serving = session.champion()
    if session.disagreement or serving is None or serving != registered.champion_version:
        return None
    number, model = registered.version, session.model
    under_way = current_challenge(session.ledger.entries(model))
    if under_way and under_way.version != number:
        reason = (
            f"Version {number} passed its gates, and version {under_way.version} is being tried beside the champion "
            f"since {under_way.since:%Y-%m-%d %H:%M:%SZ}. When that is over, `perennial challenger {model} {number}` "
            "tries this one."
        )
        progress.note(reason)
        session.note(Action.HOLD, number, reason, before=serving, digest=decision.digest)
        session.mark(number, tags.HELD)
        return _held(model, number, reason, serving)
    if under_way is None:
        beginning.note_challenge(session, session.candidate(number), terms, "Its gates passed.")
    reason = f"Version {number} passed its gates. {beginning.in_words(terms)} `perennial challenger {model}` says how."
    return _held(model, number, reason, serving)


def _only_seen(
    session: AliasSession, registered: RegisteredVersion, ended: Conclusion, terms: RolloutSpec
) -> Conclusion:
    serving, number = session.champion(), registered.version
    is_free = current_challenge(session.ledger.entries(session.model)) is None
    if session.disagreement or serving is None or serving != registered.champion_version or not is_free:
        return ended
    in_shadow = terms.model_copy(update={"mode": "shadow"})
    beginning.note_challenge(session, session.candidate(number), in_shadow, "Its gates held it; only to see.")
    reason = f"It is only looked at on live traffic. {beginning.in_words(in_shadow)}"
    return ended.model_copy(update={"reasons": (*ended.reasons, reason)})


def _held(model: str, version: str, reason: str, serving: str) -> Conclusion:
    return Conclusion(status=Status.HELD, model=model, version=version, reasons=(reason,), champion=serving)

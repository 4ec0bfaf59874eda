"""How a challenge begins: by a person's command, or in place of a promotion."""

import secrets

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion.alias_move import alias_session
from perennial.promotion.safeguards import evidence_check
from perennial.promotion.session import AliasSession
from perennial.records.decision import Outcome
from perennial.registry import aliases, history, tags
from perennial.registry.judged.challenges import Challenge, ChallengeTerms, current_challenge
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate
from perennial.settings.rollout import RolloutSpec

SALT_BYTES = 8


def begin_challenge(home: Home, model: str, version: str | None, terms: RolloutSpec, reason: str = "") -> Challenge:
    """Let `version` (None: the one that has the alias `challenger`) be tried beside the champion, on `terms`.

    Its gates must have let it through, beside the champion of now; one that they held may be tried in the shadow, to
    see. Raises RegistryError where it can't be tried, DisagreementError where ledger and registry disagree.
    """
    with alias_session(home, model) as session:
        session.require_agreement()
        candidate = session.candidate(version or _challenger(session))
        check_free(session)
        _check(session, candidate, terms)
        evidence_check.believed(session.client, home, candidate)
        return note_challenge(session, candidate, terms, reason or "By command.")


def note_challenge(session: AliasSession, candidate: Candidate, terms: RolloutSpec, reason: str) -> Challenge:
    """Write down that the challenge begins, and let the alias `challenger` point to the version."""
    number, digest = candidate.registered.version, candidate.decision_digest
    begun = ChallengeTerms(
        salt=secrets.token_hex(SALT_BYTES), terms=terms, only_observes=candidate.decision != Outcome.PROMOTE.value
    )
    words = f"{reason} {in_words(terms)}".strip()
    champion = session.champion()
    session.note(
        Action.CHALLENGE, number, words, before=champion, digest=digest, detail=begun.model_dump_json(exclude_none=True)
    )
    session.point(aliases.CHALLENGER, number)
    under_way = current_challenge(session.ledger.entries(session.model))
    if under_way is None:
        raise RegistryError(
            f"The challenge of version {number} of {session.model} ended as it began: the champion was moved at the "
            "same moment.",
            remedy=f"See `perennial history {session.model}`, and run the same command again.",
        )
    return under_way


def in_words(terms: RolloutSpec) -> str:
    """The terms in a sentence."""
    whose = f"{terms.share:.3g} of users"
    how = f"in the shadow, on what {whose} ask" if terms.mode == "shadow" else f"answering {whose}"
    then = "it is promoted" if terms.on_success == "promote" else "a person is asked"
    return f"Tried {how}, for {terms.max_days:g} days at most; within its margins, {then}."


def check_free(session: AliasSession) -> None:
    """Raises RegistryError where a challenge is under way."""
    under_way = current_challenge(session.ledger.entries(session.model))
    if under_way:
        raise RegistryError(
            f"Version {under_way.version} of {session.model} is being tried beside version "
            f"{under_way.champion_version} since {under_way.since:%Y-%m-%d %H:%M:%SZ}; one is tried at a time.",
            remedy=f"`perennial challenger {session.model} --stop` ends that.",
        )


def _check(session: AliasSession, candidate: Candidate, terms: RolloutSpec) -> None:
    model, number, champion = session.model, candidate.registered.version, session.champion()
    if champion is None:
        raise RegistryError(
            f"{model} has no champion beside which version {number} could be tried.",
            remedy=f"`perennial promote {model} {number}` lets it serve, if it passed its gates.",
        )
    if number == champion:
        raise RegistryError(
            f"Version {number} of {model} is the champion; beside itself there is nothing to try.",
            remedy=f"Name another one: `perennial history {model}` lists them.",
        )
    if candidate.status in (tags.PROMOTED, tags.BY_HAND, tags.REJECTED, tags.SUPERSEDED):
        raise RegistryError(
            f"Version {number} of {model} can't be tried: it is {candidate.status}.",
            remedy=f"To go back to a former champion: `perennial rollback {model} --to N --reason …`; else "
            f"`perennial run {model}` makes a new candidate.",
        )
    _check_decision(session, candidate, terms)


def _check_decision(session: AliasSession, candidate: Candidate, terms: RolloutSpec) -> None:
    model, number = session.model, candidate.registered.version
    may_be_seen = candidate.decision == Outcome.HOLD.value and terms.mode == "shadow"
    if candidate.decision != Outcome.PROMOTE.value and not may_be_seen:
        raise RegistryError(
            f"Version {number} of {model} can't answer users: its decision is {candidate.decision or 'not known'}, and "
            "a version has to pass its gates first.",
            remedy="One that its gates held can be looked at in the shadow: --mode shadow.",
        )
    against = candidate.registered.champion_version
    if session.champion() != against:
        raise RegistryError(
            f"The champion of {model} is {history.named(session.champion())} now, and version {number} was judged "
            f"against {history.named(against)}.",
            remedy=f"`perennial run {model}` judges it again, against the champion of now.",
        )


def _challenger(session: AliasSession) -> str:
    version = session.at(aliases.CHALLENGER)
    if version is None:
        raise RegistryError(
            f"No version of {session.model} has the alias `challenger`, and none is named.",
            remedy=f"Name one: `perennial challenger {session.model} VERSION`. `perennial history {session.model}` "
            "lists what was registered.",
        )
    return version

"""Rollback: a former champion serves again, after it was fetched, loaded and asked. No training, no judging."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perennial.core import progress
from perennial.core.errors import RegistryError, SpecError, listing
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import smoke_test
from perennial.promotion.alias_move import AliasMove, alias_session, move
from perennial.promotion.safeguards import complaint_rows, evidence_check, rollback_hold
from perennial.promotion.safeguards.complaint_rows import Case
from perennial.promotion.session import AliasSession
from perennial.records.decision import Outcome
from perennial.registry import agreement, aliases, history, tags, tracking, versions
from perennial.registry.history import Event
from perennial.registry.judged.version_status import VersionStatus
from perennial.registry.ledger import Action
from perennial.registry.versions import Candidate
from perennial.settings.pipeline import PipelineSpec


@dataclass(frozen=True)
class GivenRows:
    """Rows that a version was complained of for."""

    version: str
    spec: PipelineSpec
    cases: Sequence[Case]


class RolledBack(Record):
    """Which version serves now, and which did before."""

    model: str
    version: str
    before: str | None
    moved: bool
    """False: it was champion already."""
    rows: int = 0
    """Rows that were complained of, for later candidates to answer rightly."""
    wrong: int = 0
    """Those of them that the version which was left answers wrongly; 0: they show nothing, so none is kept."""
    disagreement: str = ""
    """What ledger and registry still disagree about, and the ways out."""


class Resumed(Record):
    """What a person ended."""

    model: str
    left: str | None
    """The version that the rollback left; None: no rollback held anything any more."""
    complaints: int
    """Rows that candidates need not answer rightly any more."""


def rollback(home: Home, model: str, to: str | None, reason: str, rows: Path | None = None) -> RolledBack:
    """Make `to` (None: the alias `previous`) champion again; then nothing is promoted until a person says so.

    `rows`: a file with rows that the version which is left answers wrongly, each with the right label. A candidate that
    answers them rightly is promoted all the same, and later ones have to, too.

    Only a version that was champion before, and whose gates were passed, can be rolled back to. Raises RegistryError
    when there is no such version, its package in the registry is not what was registered, or it gives no answers.
    """
    with alias_session(home, model, begins=True) as session:
        moves, before = history.moves(session.ledger.entries(model)), session.champion()
        target = to or _previous(session, moves)
        complaint = _complaint(session, target, before, rows) if rows else None
        if target == before and session.disagreement is None:
            done = RolledBack(model=model, version=target, before=before, moved=False)
            return _complained(session, done, complaint, reason)
        _check_served(session, target)
        smoke_test.check(session, target, remedy="Name another version with --to.", compare=False)
        if target == before:
            # It was moved there by hand, which is right now.
            session.note(Action.ROLLBACK, target, reason, before=before)
        elif not move(session, AliasMove(Action.ROLLBACK, target, before, reason, verified=True)):
            raise RegistryError(
                f"The champion of {model} changed while version {target} was tried: it is "
                f"{history.named(session.champion())} now, and was {history.named(before)}. It was left so.",
                remedy=f"See `perennial history {model}`, and name the version with --to if it is still needed.",
            )
        rest = session.disagreement if session.disagreement and session.disagreement.is_of_whole else ""
        done = RolledBack(model=model, version=target, before=before, moved=True, disagreement=str(rest))
        return _complained(session, done, complaint, reason)


def resume(home: Home, model: str, reason: str) -> Resumed:
    """Let runs promote by themselves again after a rollback; rows that were complained of count no more.

    Raises RegistryError when there is nothing to end, DisagreementError where ledger and registry disagree.
    """
    with alias_session(home, model) as session:
        session.require_agreement()
        entries = session.ledger.entries(model)
        hold, complaints = rollback_hold.rollback_hold(entries), complaint_rows.complaints(entries)
        if hold is None and not complaints:
            raise RegistryError(
                f"Nothing holds the promotions of {model}: there was no rollback since the last one.",
                remedy=f"`perennial history {model}` says what was done. To let a paused schedule go on: "
                f"`perennial schedule --resume {model}`.",
            )
        session.note(Action.RESUME, None, reason)
        left = hold.from_version if hold else None
        return Resumed(model=model, left=left, complaints=sum(one.rows for one in complaints))


def _complaint(session: AliasSession, target: str, before: str | None, rows: Path) -> GivenRows:
    """The rows of the file, read before anything moves, and the version that they are about."""
    entries = session.ledger.entries(session.model)
    hold, by_ledger = rollback_hold.rollback_hold(entries), agreement.champion_of(history.moves(entries))
    # Whoever moved or took away the alias by hand before may say so by this rollback: it is that champion they left.
    left = next((one for one in (before, by_ledger) if one not in (None, target)), hold.from_version if hold else None)
    if left is None:
        raise SpecError(
            f"--rows is about the version that a rollback leaves, and version {target} of {session.model} is champion "
            "already, with no rollback before.",
            remedy="Leave --rows out.",
        )
    candidate = session.candidate(left)
    spec = versions.evidence_of(session.client, session.home, candidate).spec
    return GivenRows(left, spec, complaint_rows.read_cases(rows, spec))


def _complained(session: AliasSession, done: RolledBack, given: GivenRows | None, reason: str) -> RolledBack:
    if given is None:
        return done
    try:
        with tracking.session(session.home, standing=""):
            wrong = complaint_rows.note_complaint(session, given.version, given.spec, given.cases, reason)
    except RegistryError as error:
        raise RegistryError(
            f"Version {done.version} of {done.model} serves, but the rows of --rows could not be kept: {error.problem}",
            remedy=f"Candidates wait for a person. To keep the rows: `perennial rollback {done.model} --to "
            f"{done.version} --rows FILE --reason …`.",
        ) from error
    return done.model_copy(update={"rows": len(given.cases), "wrong": wrong})


def _previous(session: AliasSession, moves: list[Event]) -> str:
    previous = session.at(aliases.PREVIOUS)
    others = [
        version for version in history.champions(session.ledger.entries(session.model)) if version != session.champion()
    ]
    served = f"Champions so far, the latest first: {listing(others, 10)}." if others else "No other was ever champion."
    if previous is None:
        raise RegistryError(
            f"{session.model} has no alias `previous`, so there is nothing to roll back to. {served}",
            remedy=f"Name a version: `perennial rollback {session.model} --to N --reason …`." if others else "",
        )
    # Twice in a row would lead back to what was bad enough to be left the first time.
    if moves and moves[-1].action is Action.ROLLBACK and moves[-1].from_version == previous:
        raise RegistryError(
            f"The last thing done to {session.model} was a rollback from version {previous} ({moves[-1].reason}). "
            f"Whether to return to it or to go back further must be said. {served}",
            remedy=f"Name a version: `perennial rollback {session.model} --to N --reason …`.",
        )
    return previous


def _check_served(session: AliasSession, target: str) -> None:
    """Raises RegistryError unless `target` was champion, on a decision that is the ledger's and says PROMOTE."""
    candidate, statuses = session.candidate(target), session.statuses()
    status = statuses.get(target, VersionStatus(target))
    if status.judging and candidate.judging is None:
        status = VersionStatus(target)  # a model that was made anew counts from 1 again: that was another version
    promoted = [int(version) for version, one in statuses.items() if one.was_promoted]
    served = listing(sorted(promoted, reverse=True), 10) or "there is none yet"
    # A ledger that knows of no champion at all is a new one: then it is a person's word and the evidence that count.
    is_new = not history.moves(session.ledger.entries(session.model))
    if status.was_promoted:
        _check_evidence(session, candidate)
        return
    if (is_new or status.was_accepted) and _passed(session, candidate):
        return
    how = (
        f"was put on the alias by hand, and its gates did not let it through ({candidate.decision or 'no decision'})"
        if status.was_accepted
        else f"was never champion; it is {candidate.status or 'of unknown status'}"
    )
    raise RegistryError(
        f"Version {target} of {session.model} {how}. A rollback returns to a version that served after it passed its "
        f"gates: {served}.",
        remedy=f"A new version comes in through its gates: `perennial promote {session.model} {target}`.",
    )


def _check_evidence(session: AliasSession, candidate: Candidate) -> None:
    evidence_check.check_package(candidate)
    try:
        evidence = versions.evidence_of(session.client, session.home, candidate).evidence
    except versions.MissingEvidenceError as error:
        # Its package is the one that the ledger has, and it served before: the way back stays open at night.
        progress.note(f"What version {candidate.registered.version} was judged by is not known. {error.problem}")
        return
    if candidate.decision_digest not in (None, evidence.decision.digest):
        evidence_check.believed(session.client, session.home, candidate)


def _passed(session: AliasSession, candidate: Candidate) -> bool:
    if candidate.status == tags.REJECTED:
        return False
    evidence = versions.evidence_of(session.client, session.home, candidate).evidence
    return evidence.decision.outcome is Outcome.PROMOTE

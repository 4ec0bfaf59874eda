"""The one way to a model's aliases: under its lease, after what a dead predecessor left was mended.

The order of a move is: intent to the ledger, lease confirmed, alias moved, read back, the old champion noted as
`previous`, conclusion to the ledger, status on the version. A process can die between any two. The next that comes
here finds the intent without a conclusion, looks where the alias points, and concludes it either way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import smoke_test
from perennial.promotion.safeguards import ledger_check
from perennial.promotion.session import AliasSession
from perennial.registry import (
    agreement,
    aliases,
    credentials,
    database,
    history,
    lease,
    ledger_location,
    tags,
    tracking,
)
from perennial.registry.ledger import Action, Entry, Ledger, State

if TYPE_CHECKING:
    from mlflow import MlflowClient

MOVING = (
    "The alias `champion` may have moved or not: the next command on this model, or `perennial doctor`, settles it."
)
SAID_BY_A_PERSON = frozenset({Action.ROLLBACK, Action.RECONCILE})
"""Moves that are made where ledger and registry disagree, too: they are the way out."""
MOVED = "The alias `champion` has moved; what is left is to write that down, which the next command does."


@dataclass(frozen=True)
class AliasMove:
    """A version that is to be champion."""

    action: Action
    to_version: str
    expected: str | None
    """The champion it was judged against; None: none. Nothing moves if there is another one by now."""
    reason: str
    decision_digest: str | None = None
    verified: bool = False
    """Its package was fetched from the registry just now, and serves."""


@contextmanager
def alias_session(home: Home, model: str, *, wait: float | None = None, begins: bool = False) -> Iterator[AliasSession]:
    """The aliases of `model` for the block, nobody else's meanwhile; what was cut short is mended.

    Where ledger and registry disagree, the session says how. `begins`: a person says what is right, so a ledger that is
    gone is begun anew. Raises RegistryError when MLflow or the ledger can't be used, DisagreementError when
    the ledger is gone, BusyError when somebody else holds the lease for longer than `wait` seconds.
    """
    with tracking.session(home) as client, _ledger(client, home, model, wait, begins) as (ledger, held):
        registry = agreement.registry_state(client, home, model)
        apart = (
            ledger_check.examine_chain(ledger, model)
            or agreement.of_whole(model, agreement.ledger_state(ledger, model), registry)
            or ledger_check.examine_newest_link(ledger, registry, model)
        )
        if apart is None and registry.is_there:
            _sign(client, ledger, held)
        # What is written while they are apart says nothing about which of the two is older.
        ledger = replace(ledger, is_unsigned=apart is not None or not registry.is_there)
        session = AliasSession(home, client, ledger, held, model)
        mend(session)
        disagreement = apart or agreement.examine_champion(client, ledger, home, model)
        session = replace(session, disagreement=disagreement)
        if disagreement is None:
            note_promoted(session)
        yield session


@contextmanager
def _ledger(
    client: "MlflowClient", home: Home, model: str, wait: float | None, begins: bool
) -> Iterator[tuple[Ledger, lease.Lease]]:
    lost = None if begins else ledger_location.lost_ledger(client, home, model)
    if lost:
        raise lost.error(tracking.UNTOUCHED)
    ledger = Ledger.open(home)
    with lease.held(ledger.database, model, wait=wait) as held:
        yield ledger, held


def _sign(client: "MlflowClient", ledger: Ledger, held: lease.Lease) -> None:
    """Leave the ledger's mark before anything is written under this lease."""
    try:
        agreement.sign(client, ledger, held)
    except lease.LeaseLostError:
        # Held up until others had signed: what may have replaced their newer mark is replaced once more.
        with lease.held(ledger.database, held.model) as later:
            agreement.sign(client, ledger, later)
        raise


def signed(session: AliasSession) -> AliasSession:
    """`session`, the ledger's mark left with a model that was not there before."""
    if session.disagreement or not session.ledger.is_unsigned or not session.has_model():
        return session
    ledger = replace(session.ledger, is_unsigned=False)
    _sign(session.client, ledger, session.lease)
    return replace(session, ledger=ledger)


def settle(home: Home, model: str) -> None:
    """Mend what a killed promotion or rollback of `model` left, if there is anything."""
    if database.is_there(home) and Ledger.open(home).open_intents(model):
        with alias_session(home, model):
            pass


def move(session: AliasSession, plan: AliasMove) -> bool:
    """Make the version of `plan` champion; False: the champion is not the expected one any more, and nothing moved.

    Raises RegistryError when that can't be told, or the package in the registry is not what was registered, and
    DisagreementError when ledger and registry disagree, unless it is a person who says what is right.
    """
    if plan.action not in SAID_BY_A_PERSON:
        session.require_agreement()
    if session.champion() == plan.to_version:
        return True
    if not is_expected(session, plan):
        return False
    if not plan.verified:
        verify(session, plan)
    # Reading a large package takes a while: once more, right before it counts.
    if not is_expected(session, plan):
        return False
    intent = intend(session, plan)
    session.lease.confirm()
    with _doubtful(session):
        point(session, plan)
        read_back(session, plan)
        keep_previous(session, intent)
    try:
        conclude(session, intent)
    except lease.LeaseLostError:
        put_back(session, intent)
        raise
    tidy(session, plan.to_version)
    return True


def is_expected(session: AliasSession, plan: AliasMove) -> bool:
    """Whether the champion is the one that the version was judged against."""
    return session.champion() == plan.expected


def verify(session: AliasSession, plan: AliasMove) -> None:
    """Fetch the package from the registry itself, whatever this machine has of it, and see that it serves.

    Raises RegistryError as `smoke_test.check` does.
    """
    smoke_test.check(session, plan.to_version, remedy=f"`perennial run {session.model}` trains and judges a new one.")


def intend(session: AliasSession, plan: AliasMove) -> Entry:
    """Write to the ledger what is about to happen."""
    return session.ledger.append(
        session.lease,
        plan.action,
        State.INTENT,
        from_version=plan.expected,
        to_version=plan.to_version,
        reason=session.reason_for(plan.action, plan.to_version, plan.reason),
        decision_digest=plan.decision_digest,
    )


def point(session: AliasSession, plan: AliasMove) -> None:
    """Move the alias."""
    session.point(aliases.CHAMPION, plan.to_version)


def read_back(session: AliasSession, plan: AliasMove) -> None:
    """Raises RegistryError if the alias is not where it was put."""
    now = session.champion()
    if now != plan.to_version:
        raise RegistryError(
            f"The alias `champion` of {session.model} was set to version {plan.to_version}, but points to "
            f"{history.named(now)}: someone else moved it at the same moment, outside of Perennial.",
            remedy=f"See `perennial history {session.model}`, and run the same command again.",
        )


def keep_previous(session: AliasSession, intent: Entry) -> None:
    """Let `previous` point to the champion before."""
    if intent.from_version is None or intent.action is Action.RECONCILE:
        return
    # One that was moved there by hand never was what a rollback should lead to: then it is the promoted one before.
    statuses = session.statuses()
    served = history.champions(session.ledger.entries(session.model))
    before = [intent.from_version, *(version for version in served if version != intent.to_version)]
    promoted = [version for version in before if version in statuses and statuses[version].was_promoted]
    if promoted:
        session.point(aliases.PREVIOUS, promoted[0])
    elif was_at := session.at(aliases.PREVIOUS):
        session.release(aliases.PREVIOUS, was_at)


def conclude(session: AliasSession, intent: Entry, reason: str = "") -> None:
    """Write to the ledger that it has happened."""
    session.ledger.conclude(session.lease, intent, State.DONE, reason=reason, standing=MOVED)


def put_back(session: AliasSession, intent: Entry) -> None:
    """Undo a move that came too late: this process slept through its lease, and others went on without it."""
    with _doubtful(session), lease.held(session.ledger.database, session.model):
        last = session.ledger.last_move(session.model)
        right = last.to_version if last else None
        if session.champion() != intent.to_version or right == intent.to_version:
            return
        if right is None:
            session.release(aliases.CHAMPION, str(intent.to_version))
        else:
            session.point(aliases.CHAMPION, right)
        if last and last.from_version:
            session.point(aliases.PREVIOUS, last.from_version)


def tidy(session: AliasSession, version: str) -> None:
    """Note on the version what it is now; it is nobody's challenger any more."""
    with tracking.session(session.home, standing=MOVED):
        session.mark_as_in_ledger(version)
        session.release(aliases.CHALLENGER, version)


def mend(session: AliasSession) -> None:
    """Conclude what was cut short, by where the alias points now."""
    now = session.champion()
    for intent in session.ledger.open_intents(session.model):
        _conclude_for(session, intent, now)


def note_promoted(session: AliasSession) -> None:
    """Note on the champion what it is by the ledger, which a process that was killed may have left undone."""
    champion = aliases.version_of_champion(session.client, session.home, session.model)
    status = session.statuses().get(str(champion.version)) if champion else None
    if champion and status and champion.tags.get(tags.STATUS) != status.status:
        tidy(session, str(champion.version))


def _conclude_for(session: AliasSession, intent: Entry, now: str | None) -> None:
    what = f"{intent.action.value} of version {intent.to_version}, which {intent.who} began and did not finish"
    if now == intent.to_version:
        keep_previous(session, intent)
        conclude(session, intent, f"{intent.reason} (Cut short after the alias had moved; completed later.)".strip())
        progress.note(f"Completed the {what}: it is champion.")
        return
    alias_now = "had not moved" if now == intent.from_version else f"points to {history.named(now)}"
    reason = f"{intent.reason} (Cut short; the alias {alias_now}.)".strip()
    session.ledger.conclude(session.lease, intent, State.ABANDONED, reason=reason)
    progress.note(f"Wrote off the {what}: the alias {alias_now}.")


@contextmanager
def _doubtful(session: AliasSession) -> Iterator[None]:
    """A block after whose failure nobody can say whether the alias has moved."""
    try:
        with tracking.session(session.home, standing=MOVING):
            yield
    except BaseException as error:
        # A server that does not answer in time may still do what it was asked to. No one else begins before the lease
        # has lapsed; a database, in contrast, is done with it when the call is, and so is a server that refused it.
        refused = credentials.refusal(error.__cause__) is not None
        if not refused and not tracking.is_database(tracking.registry_uri(session.home)):
            session.lease.left_to_lapse = True
        if isinstance(error, KeyboardInterrupt):
            raise RegistryError(f"Interrupted while the alias was being moved. {MOVING}") from error
        raise

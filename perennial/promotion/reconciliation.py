"""Reconciling: ledger and registry disagree about a champion, and a person says which of the two is right."""

from enum import StrEnum

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.promotion import alias_move, smoke_test
from perennial.promotion.alias_move import AliasMove, alias_session, move
from perennial.promotion.safeguards import ledger_check
from perennial.promotion.session import AliasSession
from perennial.registry import agreement, history, ledger_location, tracking
from perennial.registry.agreement import Disagreement
from perennial.registry.ledger import Action, Ledger
from perennial.registry.lost import lost_registry


class Keep(StrEnum):
    """Which of the two is right."""

    LEDGER = "ledger"
    REGISTRY = "registry"


class Reconciled(Record):
    """Who is champion now, by both."""

    model: str
    version: str | None
    """None: they agree that there is no champion."""
    before: str | None
    """Where the alias was."""
    disagreement: str
    """How they disagreed; empty: they did not, and nothing was done."""


def disagreement(home: Home, model: str) -> Disagreement | None:
    """How ledger and registry disagree about `model`, after what was cut short is mended; None: they don't.

    Raises RegistryError if one of them can't be read.
    """
    lost_registry.check(home)
    with tracking.session(home, makes=True) as client:
        if lost := ledger_location.lost_ledger(client, home, model):
            return lost
    ledger = Ledger.open(home)
    alias_move.settle(home, model)
    with tracking.session(home) as client:
        return ledger_check.examine_all(client, home, ledger, model)


def reconcile(home: Home, model: str, keep: Keep, reason: str) -> Reconciled:
    """Make ledger and registry agree about the champion of `model`, by the one to `keep`; `reason` is written down.

    A version that is to be champion is fetched, checked and asked first. Raises RegistryError when it can't serve, or
    when what is to be kept has none.
    """
    if keep is Keep.REGISTRY:
        # This is how a person says that a registry which is gone is to be begun anew.
        tracking.check_mlflow(home)
    with alias_session(home, model, begins=True) as session:
        before = session.champion()
        if session.disagreement is None:
            return Reconciled(model=model, version=before, before=before, disagreement="")
        if session.disagreement.is_of_chain:
            raise session.disagreement.error(tracking.UNTOUCHED)
        champion = _restored(session, before, reason) if keep is Keep.LEDGER else _accepted(session, before, reason)
        _sign(session)
        return Reconciled(model=model, version=champion, before=before, disagreement=session.disagreement.problem)


def _restored(session: AliasSession, before: str | None, reason: str) -> str:
    """Let the ledger's champion serve again."""
    version = agreement.champion_of(history.moves(session.ledger.entries(session.model)))
    if version is None:
        raise RegistryError(
            f"The ledger has no champion of {session.model} to keep.",
            remedy=f"`perennial reconcile {session.model} --keep registry --reason …` goes by MLflow.",
        )
    if version not in agreement.registry_state(session.client, session.home, session.model).versions:
        raise RegistryError(
            f"The ledger has version {version} of {session.model} as champion, but MLflow has no such version any "
            "more: it can't serve again.",
            remedy=session.disagreement.remedy if session.disagreement else "",
        )
    _check_serves(session, version)
    if before == version:
        session.note(Action.RECONCILE, version, reason, before=before)
    elif not move(session, AliasMove(Action.RECONCILE, version, before, reason, verified=True)):
        raise RegistryError(
            f"The alias `champion` of {session.model} was moved while version {version} was tried: it points to "
            f"{history.named(session.champion())} now. It was left so.",
            remedy="Find out who moves it, then run the same command again.",
        )
    return version


def _accepted(session: AliasSession, before: str | None, reason: str) -> str | None:
    """Take what the registry has for right."""
    ledger_champion = agreement.champion_of(history.moves(session.ledger.entries(session.model)))
    if before is not None:
        _check_serves(session, before)
    session.note(Action.RECONCILE, before, reason, before=ledger_champion)
    if before is not None and before != ledger_champion:
        session.mark_as_in_ledger(before)
    return before


def _check_serves(session: AliasSession, version: str) -> None:
    remedy = f"`perennial rollback {session.model} --to N --reason …` names a version that was champion before."
    smoke_test.check(session, version, remedy=remedy, compare=False)


def _sign(session: AliasSession) -> None:
    """From now on this ledger keeps the model, whoever did before."""
    if session.has_model():
        agreement.sign(session.client, session.ledger, session.lease)
    else:
        session.ledger.forget_mark(session.lease)

"""What `perennial promote`, `approve`, `reject`, `rollback`, `reconcile` and `history` do and answer."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from perennial.core import progress
from perennial.core.errors import RegistryError, SpecError, listing
from perennial.core.home import Home
from perennial.promotion import approval, conclusion, reconciliation, rollback, transfer
from perennial.promotion.conclusion import Conclusion
from perennial.promotion.reconciliation import Keep, Reconciled
from perennial.promotion.rollback import RolledBack
from perennial.promotion.transfer import Transferred
from perennial.records.run import Status
from perennial.registry import agreement, aliases, history, tracking
from perennial.registry.agreement import Disagreement
from perennial.registry.history import Event, Reign
from perennial.registry.ledger import Entry, Ledger, State

SHOWN = 50
STATES = {State.INTENT: "unfinished", State.ABANDONED: "abandoned"}


def promote(model: str, version: str, to: str | None, name: str | None) -> Conclusion:
    """Finish the run that made `version`, or promote it in another MLflow, or under another name."""
    home = Home.from_environment()
    with progress.step("promote"):
        if to is None and name is None:
            return conclusion.finish(home, model, version)
        return transfer.transfer(home, model, version, to=to, name=name)


def approve(model: str, version: str | None, reason: str) -> Conclusion:
    """Let the challenger, or `version`, serve."""
    with progress.step("approve"):
        return approval.approve(Home.from_environment(), model, version, reason)


def reject(model: str, version: str | None, reason: str) -> Conclusion:
    """Refuse the challenger, or `version`."""
    _check_reason(reason)
    with progress.step("reject"):
        return approval.reject(Home.from_environment(), model, version, reason)


def roll_back(model: str, to: str | None, reason: str) -> RolledBack:
    """Let a former champion serve again."""
    _check_reason(reason)
    with progress.step("rollback"):
        return rollback.rollback(Home.from_environment(), model, to, reason)


def conclusion_as_json(ended: Conclusion) -> dict[str, Any]:
    """How it ended, as one JSON-ready object."""
    return ended.model_dump(mode="json")


def conclusion_in_words(ended: Conclusion) -> str:
    """How it ended, in sentences."""
    head = f"{ended.model}: {ended.status.value}, version {ended.version}."
    serving = "" if ended.status is Status.PROMOTED else f"Champion is {history.named(ended.champion)}."
    copied = f"At {ended.target}; it was {ended.origin}." if isinstance(ended, Transferred) else ""
    return " ".join(part for part in (head, *ended.reasons, serving, copied) if part)


def rolled_back_as_json(done: RolledBack) -> dict[str, Any]:
    """Which version serves now, as one JSON-ready object."""
    status = "rolled back" if done.moved else "unchanged"
    answer = {"status": status, "model": done.model, "version": done.version, "before": done.before}
    return answer | ({"disagreement": done.disagreement} if done.disagreement else {})


def rolled_back_in_words(done: RolledBack) -> str:
    """Which version serves now, in a sentence."""
    if not done.moved:
        return f"{done.model}: version {done.version} is champion already; nothing was done."
    words = f"{done.model}: rolled back, version {done.version} serves now; before it was {history.named(done.before)}."
    return f"{words} {done.disagreement}".strip()


def reconcile(model: str, keep: str | None, reason: str) -> Reconciled | Disagreement | None:
    """Make ledger and registry agree; without `keep` only look: how they disagree, None: they agree."""
    home = Home.from_environment()
    if keep is None:
        return reconciliation.disagreement(home, model)
    if keep not in list(Keep):
        raise SpecError(f"--keep {keep} is neither.", remedy=f"Write --keep {' or --keep '.join(Keep)}.")
    _check_reason(reason)
    with progress.step("reconcile"):
        return reconciliation.reconcile(home, model, Keep(keep), reason)


def reconciled_as_json(model: str, done: Reconciled | Disagreement | None) -> dict[str, Any]:
    """How they disagree, or who is champion by both now, as one JSON-ready object."""
    if isinstance(done, Reconciled):
        return {"status": "reconciled" if done.disagreement else "unchanged", **done.model_dump(mode="json")}
    if done is None:
        return {"status": "agreed", "model": model}
    return {"status": "held", "model": model, "problem": done.problem, "remedy": done.remedy}


def reconciled_in_words(model: str, done: Reconciled | Disagreement | None) -> str:
    """The same in sentences."""
    if isinstance(done, Disagreement):
        return str(done)
    if done is None or not done.disagreement:
        return f"{model}: ledger and registry agree; nothing was done."
    serving = f"version {done.version} is champion" if done.version else "there is no champion"
    return f"{model}: {serving}, by ledger and registry; the alias was at {history.named(done.before)}."


def show_history(model: str, *, as_json: bool) -> None:
    """What was done, and whether the registry agrees with it."""
    ledger = Ledger.open(Home.from_environment())
    entries = ledger.entries(model)
    placed, problem = _registry(Home.from_environment(), model)
    if not entries:
        raise _unknown(ledger, model, problem)
    problem = history.unfinished(entries) or problem
    done = history.ledger_events(entries)
    if as_json:
        events = [event.model_dump(mode="json") for event in done]
        _print_json(
            {
                "status": "done", "model": model, "registry": ledger.registry, "aliases": placed,
                "agrees": None if placed is None else problem is None, "problem": str(problem) if problem else None,
                "events": events,
            }
        )  # fmt: skip
    else:
        _show(model, done, placed, str(problem) if problem else None)


def show_champion_at(model: str, at: str, *, as_json: bool) -> None:
    """Which version was champion at a moment."""
    moment = _moment(at)
    reign = history.reign_at(_entries(model), moment)
    if as_json:
        said = reign.model_dump(mode="json")
        _print_json({"status": "done", "model": model, "at": moment.isoformat(), **said})
    else:
        _print_plainly(_reign_in_words(model, moment, reign))


def _entries(model: str) -> list[Entry]:
    ledger = Ledger.open(Home.from_environment())
    if entries := ledger.entries(model):
        return entries
    raise _unknown(ledger, model, _registry(Home.from_environment(), model)[1])


def _unknown(ledger: Ledger, model: str, problem: Disagreement | str | None) -> RegistryError:
    if isinstance(problem, Disagreement):
        return problem.error()
    models = ledger.models()
    return RegistryError(
        f"The ledger at {ledger.database.place} has nothing about {model!r}"
        + (f"; it knows {listing(models, 10)}." if models else ": it is empty."),
        remedy=f"`perennial run {model}` begins its history.",
    )


def _registry(home: Home, model: str) -> tuple[dict[str, str | None] | None, Disagreement | str | None]:
    """Where the aliases point, and how the ledger disagrees; None, and why, if the registry can't be asked: the ledger
    can be read without it.
    """
    try:
        with tracking.session(home, patience=tracking.QUICK) as client:
            names = (aliases.CHAMPION, aliases.PREVIOUS, aliases.CHALLENGER)
            versions = {name: aliases.version_of(client, home, model, name) for name in names}
            placed = {name: str(at.version) if at else None for name, at in versions.items()}
            return placed, agreement.examine(client, home, model)
    except RegistryError as error:
        return None, f"Whether the registry agrees is not known: {error.problem}"


def _show(model: str, events: Sequence[Event], placed: dict[str, str | None] | None, problem: str | None) -> None:
    from rich.table import Table
    from rich.text import Text

    from flows.console import terminal

    table = Table(box=None, pad_edge=False)
    for heading in ("when (UTC)", "what", "from", "to", "by", "why"):
        table.add_column(heading, no_wrap=heading != "why")
    for event in events[-SHOWN:]:
        state = STATES.get(event.state)
        what = event.action.value + (f" ({state})" if state else "")
        when = f"{event.moment:%Y-%m-%d %H:%M:%S}"
        cells = (when, what, event.from_version or "—", event.to_version or "—", event.who, event.reason)
        table.add_row(*map(Text, cells), style="" if event.state is State.DONE else "dim")
    console = terminal()
    if len(events) > SHOWN:
        console.print(f"{len(events) - SHOWN:,} older ones are left out; --json shows all.\n", highlight=False)
    console.print(table)
    if placed is not None:
        set_now = [f"{name} {version}" for name, version in placed.items() if version]
        console.print(f"\nNow: {', '.join(set_now) or 'no alias is set'}.", highlight=False)
    if problem:
        console.print(Text(f"! {problem}", style="yellow"))


def _reign_in_words(model: str, moment: datetime, reign: Reign) -> str:
    when = f"{moment:%Y-%m-%d %H:%M:%SZ}"
    if reign.version is None:
        sentence = f"{model} had no champion at {when}" + ("." if reign.since else ", as far as the ledger knows.")
        return f"{sentence} {reign.doubt}".strip()
    since = f", since {reign.since:%Y-%m-%d %H:%M:%SZ} ({reign.by.value})" if reign.since and reign.by else ""
    return f"At {when} version {reign.version} of {model} was champion{since}. {reign.doubt}".strip()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise SpecError(
            f"--at {text!r} is no time.", remedy="Write it like 2026-01-31T12:00Z, or 2026-01-31 for its first moment."
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > datetime.now(UTC):
        raise SpecError(
            f"--at {text} lies in the future.", remedy="Give a time that has passed; UTC is meant by default."
        )
    return moment


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise SpecError("--reason is empty.", remedy="Say in a few words why; it is kept in the history.")


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def _print_plainly(text: str) -> None:
    from flows.console import say, terminal

    say(terminal(), text)

"""What `perennial promote`, `approve`, `reject`, `rollback`, `resume`, `reconcile` and `history` do and answer."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perennial.core import progress
from perennial.core.errors import RegistryError, SpecError, listing
from perennial.core.home import Home
from perennial.promotion import approval, conclusion, reconciliation, rollback, transfer
from perennial.promotion.conclusion import Conclusion
from perennial.promotion.reconciliation import Keep, Reconciled
from perennial.promotion.rollback import Resumed, RolledBack
from perennial.promotion.safeguards import ledger_check
from perennial.promotion.transfer import Transferred
from perennial.records.run import Status
from perennial.registry import aliases, database, history, ledger_location, tracking
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


def roll_back(model: str, to: str | None, reason: str, rows: Path | None) -> RolledBack:
    """Let a former champion serve again."""
    _check_reason(reason)
    with progress.step("rollback"):
        return rollback.rollback(Home.from_environment(), model, to, reason, rows)


def resume(model: str, reason: str) -> Resumed:
    """After a rollback, let runs promote by themselves again."""
    _check_reason(reason)
    with progress.step("resume"):
        return rollback.resume(Home.from_environment(), model, reason)


def resumed_as_json(done: Resumed) -> dict[str, Any]:
    """What was ended, as one JSON-ready object."""
    return {"status": "resumed", **done.model_dump(mode="json")}


def resumed_in_words(done: Resumed) -> str:
    """What was ended, in a sentence."""
    left = f" The rollback that left version {done.left} holds nothing any more." if done.left else ""
    rows = f" {done.complaints:,} rows that were complained of count no more." if done.complaints else ""
    return f"{done.model}: runs promote by themselves again.{left}{rows}"


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
    kept = {"rows": done.rows, "wrong": done.wrong} if done.rows else {}
    return answer | kept | ({"disagreement": done.disagreement} if done.disagreement else {})


def rolled_back_in_words(done: RolledBack) -> str:
    """Which version serves now, in a sentence."""
    if not done.moved:
        nothing = "" if done.rows else "; nothing was done"
        return f"{done.model}: version {done.version} is champion already{nothing}. {_rows_kept(done)}".strip()
    words = f"{done.model}: rolled back, version {done.version} serves now; before it was {history.named(done.before)}."
    # What was rolled back from nothing, as after a lost alias, leaves no version that could come back.
    held = f"Candidates now wait for a person, until `perennial resume {done.model} --reason …`." if done.before else ""
    return " ".join(part for part in (words, held, _rows_kept(done), done.disagreement) if part)


def _rows_kept(done: RolledBack) -> str:
    if not done.rows:
        return ""
    if not done.wrong:
        return (
            f"The version that was left answers all {done.rows:,} rows rightly, so they don't show what is wrong with "
            "it: they were not kept."
        )
    return (
        f"{done.rows:,} rows are kept, of which the version that was left answers {done.wrong:,} wrongly: a candidate "
        "that answers all of them rightly is promoted all the same."
    )


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
    ledger = _ledger(Home.from_environment(), model)
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


def _ledger(home: Home, model: str) -> Ledger:
    """The ledger; looking into it makes none."""
    if database.is_there(home):
        return Ledger.open(home)
    problem = _registry(home, model)[1]
    if isinstance(problem, Disagreement):
        raise problem.error()
    raise RegistryError(
        f"There is no ledger at {database.sqlite_file(home)}, so there is no history of {model!r}.",
        remedy=f"`perennial run {model}` begins it; if there was one, put it back. Nothing was put in its place.",
    )


def _entries(model: str) -> list[Entry]:
    ledger = _ledger(Home.from_environment(), model)
    if entries := ledger.entries(model):
        return entries
    raise _unknown(ledger, model, _registry(Home.from_environment(), model)[1])


def _unknown(ledger: Ledger, model: str, problem: Disagreement | str | None) -> RegistryError:
    if isinstance(problem, Disagreement):
        return problem.error()
    models = ledger.models()
    return RegistryError(
        f"The ledger at {ledger.database.address} has nothing about {model!r}"
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
            named = {name: aliases.version_of(client, home, model, name) for name in names}
            placed = {name: str(at.version) if at else None for name, at in named.items()}
            if lost := ledger_location.lost_ledger(client, home, model):
                return placed, lost
            if not database.is_there(home):
                return placed, None
            return placed, ledger_check.examine_all(client, home, Ledger.open(home), model)
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

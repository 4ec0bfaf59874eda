"""Whether ledger and registry tell one story about a model: asked before anything of it is promoted or served.

Whether there is a champion is what the ledger says, not what an alias lacks: one click in MLflow's page takes an alias
or a version away, and the next candidate would then be promoted without a comparison. Where the two disagree, nothing
is promoted until a person says which of them is right.

The registry keeps a mark of the ledger with each model (tag `perennial.ledger`): whose it is, and the token of the
last lease under which it was written. Tokens only grow, so an older mark than the ledger's newest entry is a registry
that was restored from a backup, and a newer one than the ledger ever left is such a ledger; with another identity it
is a second ledger, whose leases guard nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from perennial.core.errors import DisagreementError, listing
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.registry import aliases, chain, database, history, tags, tracking
from perennial.registry.history import Event
from perennial.registry.lease import Lease
from perennial.registry.ledger import Action, Ledger, LeftMark

if TYPE_CHECKING:
    from mlflow import MlflowClient

LOOKS = 10
LOOK_SECONDS = 0.1
BEGINS_ANEW = "accepts that there is no champion; the next candidate is then judged by its own figures alone"


class Mark(Record):
    """What a registry keeps of the ledger, with each model."""

    ledger: str
    """Its identity."""
    token: int
    """Of the last lease under which the ledger wrote about the model."""
    model: str
    """The model's name then."""
    who: str
    """user@host."""
    head: str = ""
    """The newest link of the ledger's chain then; "": an older Perennial left the mark."""


@dataclass(frozen=True)
class RegistryState:
    """What the registry has of a model."""

    is_there: bool
    alias: str | None = None
    """The version that `champion` points to."""
    versions: tuple[str, ...] = ()
    promoted: tuple[str, ...] = ()
    """Those whose tag says that they were promoted."""
    mark: Mark | None = None
    """None: no ledger of a Perennial that leaves marks ever wrote about it, or it is not what Perennial writes."""
    is_mark_damaged: bool = False
    renamed_to: str | None = None
    """Another model that bears its mark."""


@dataclass(frozen=True)
class LedgerState:
    """What the ledger has of a model."""

    address: str
    """Address of its database, without a password."""
    identity: str | None
    """None: there is no ledger yet."""
    moves: tuple[Event, ...] = ()
    newest_token: int = 0
    """Under which it wrote last."""
    registry: str = ""
    """The registry in use, as the ledger names it."""
    marks: tuple[LeftMark, ...] = ()
    """That it left of the model, in this registry and others."""
    is_moving: bool = False
    """A move was begun, and is not concluded."""

    @property
    def mark(self) -> LeftMark | None:
        """The one in this registry."""
        return next((mark for mark in self.marks if mark.registry == self.registry), None)


@dataclass(frozen=True)
class Disagreement:
    """How ledger and registry disagree about a model."""

    problem: str
    remedy: str
    """The ways out."""
    is_of_chain: bool = False
    """The ledger itself was changed: there is nothing to reconcile with."""
    is_of_whole: bool = False
    """One of the two is not the other's, or was restored from a backup; not only the champion is in question."""

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"

    def error(self, standing: str = "") -> DisagreementError:
        """It as an error; `standing`: one sentence on how things stand."""
        return DisagreementError(f"{self.problem} {standing}".strip(), remedy=self.remedy)


def examine(client: "MlflowClient", home: Home, model: str) -> Disagreement | None:
    """How the ledger and the registry disagree about `model` now; None: they agree.

    Makes no ledger: where there is none yet, only the registry in the same home can disagree with it. Raises
    RegistryError when one of them can't be read.
    """
    if not database.is_there(home):
        state = registry_state(client, home, model)
        if tracking.registry_uri(home).startswith("sqlite") and database.is_embedded() and tracking.is_built_in(home):
            return compare(model, LedgerState(str(home.root / database.FILE), None), state)
        return _without_ledger(model, state)
    ledger = Ledger.open(home)
    for _ in range(LOOKS):
        before = ledger_state(ledger, model)
        registry = registry_state(client, home, model)
        # While somebody promotes, the two differ for a moment, and so do two looks.
        if not before.is_moving and before == ledger_state(ledger, model):
            return compare(model, before, registry)
        time.sleep(LOOK_SECONDS)
    return None  # a move is still under way, or was cut short, which `history.unfinished` tells


def examine_champion(client: "MlflowClient", ledger: Ledger, home: Home, model: str) -> Disagreement | None:
    """`examine` for those that know already that the two belong together: whether they agree about the champion."""
    return _of_champion(model, ledger_state(ledger, model), registry_state(client, home, model))


def require(client: "MlflowClient", home: Home, model: str, standing: str = "") -> None:
    """Raises DisagreementError where `examine` finds something."""
    if disagreement := examine(client, home, model):
        raise disagreement.error(standing)


def is_kept(client: "MlflowClient", ledger: Ledger, home: Home, model: str) -> bool:
    """Whether a ledger, this one or another, has a history of `model`; others only look like Perennial's."""
    registered = aliases.registered_model(client, home, model)
    return bool(ledger.entries(model)) or (registered is not None and tags.LEDGER in registered.tags)


def registry_state(client: "MlflowClient", home: Home, model: str) -> RegistryState:
    """What the registry has of `model`."""
    registered = aliases.registered_model(client, home, model)
    if registered is None:
        return RegistryState(is_there=False, renamed_to=_renamed_to(client, model))
    champion = aliases.version_of_champion(client, home, model)
    versions = client.search_model_versions(f"name = '{model}'")
    return RegistryState(
        is_there=True,
        alias=str(champion.version) if champion else None,
        versions=tuple(str(version.version) for version in versions),
        promoted=tuple(str(one.version) for one in versions if one.tags.get(tags.STATUS) == tags.PROMOTED),
        mark=_mark(registered.tags.get(tags.LEDGER)),
        is_mark_damaged=_mark(registered.tags.get(tags.LEDGER)) is None and tags.LEDGER in registered.tags,
    )


def ledger_state(ledger: Ledger, model: str) -> LedgerState:
    """What the ledger has of `model`."""
    return LedgerState(
        address=ledger.database.address,
        identity=ledger.identity(),
        moves=tuple(history.moves(ledger.entries(model))),
        newest_token=ledger.newest_token(model),
        registry=ledger.registry,
        marks=tuple(ledger.marks(model)),
        is_moving=bool(ledger.open_intents(model)),
    )


def compare(model: str, ledger: LedgerState, registry: RegistryState) -> Disagreement | None:
    """How the two disagree; None: they don't."""
    return of_whole(model, ledger, registry) or _of_champion(model, ledger, registry)


def of_whole(model: str, ledger: LedgerState, registry: RegistryState) -> Disagreement | None:
    """Whether they belong together, and are of one age, by the mark.

    It is noted in the ledger, then left in the registry, and only then something is written under its token. So of a
    ledger that noted 9 and wrote last under 8, 8 and 9 agree; 7 is an older registry, 10 an older ledger.
    """
    mark, noted = registry.mark, ledger.mark
    if mark is None:
        return _without_mark(model, ledger, registry)
    if mark.ledger != ledger.identity:
        return _other_ledger(model, ledger, registry, mark)
    if noted is None and ledger.marks:
        return Disagreement(
            f"The ledger at {ledger.address} has the history of {model} in this MLflow under another address, "
            f"{listing(mark.registry for mark in ledger.marks)}; here it is {ledger.registry}.",
            f"Call it by that address, as on the other machines; or, if the address is to change, "
            f"{_keep_registry(model, registry)}.",
            is_of_whole=True,
        )
    if mark.model != model:
        return Disagreement(
            f"MLflow's model {model} was called {mark.model} when Perennial wrote about it last: it was renamed "
            "outside of Perennial.",
            f"Rename it back in MLflow; or `perennial reconcile {model} --keep registry --reason …` goes on under this "
            f"name, with {history.named(registry.alias)} as champion.",
            is_of_whole=True,
        )
    if noted is None or mark.token > noted.token:
        return Disagreement(
            f"The ledger at {ledger.address} is older than MLflow's model {model}, about which {mark.who} wrote "
            f"something that it does not know: it was restored from a backup, or put back. {_both(ledger, registry)}",
            f"Put the newer ledger in its place; if it is lost, {_keep_registry(model, registry)}.",
            is_of_whole=True,
        )
    if mark.token < ledger.newest_token:
        return Disagreement(
            f"MLflow's model {model} is older than what the ledger has of it: it was restored from a backup, or put "
            f"back. {_both(ledger, registry)}",
            f"Restore the newer MLflow; if it is lost, {_keep_registry(model, registry)}.",
            is_of_whole=True,
        )
    return None


def _of_champion(model: str, ledger: LedgerState, registry: RegistryState) -> Disagreement | None:
    if not ledger.moves:
        return _unknown_champion(model, ledger, registry)
    last, version = ledger.moves[-1], champion_of(ledger.moves)
    if version == registry.alias:
        return None
    if version is None:
        return _moved(model, last, registry)
    if not registry.is_there:
        return _missing_model(model, last, version, registry)
    if version not in registry.versions:
        return _deleted(model, last, version, registry, ledger)
    if registry.alias is None:
        return Disagreement(
            f"{_since(last, version)}, but its alias `champion` is gone from MLflow: it was taken away outside of "
            "Perennial.",
            f"{_keep_ledger(model, version)}; {_roll_back(model, version, ledger, registry)}"
            f"`perennial reconcile {model} --keep registry --reason …` {BEGINS_ANEW}.",
        )
    return _moved(model, last, registry)


def champion_of(moves: Sequence[Event]) -> str | None:
    """The champion by the ledger's `moves`; None: it has none, or never had.

    That an alias was found missing was once written down without asking anybody: the champion before it counts then.
    """
    if not moves:
        return None
    last = moves[-1]
    return last.from_version if last.action is Action.FOUND and last.to_version is None else last.to_version


def _moved(model: str, last: Event, registry: RegistryState) -> Disagreement:
    version = champion_of([last])
    back = f"{_keep_ledger(model, version)}; " if version else ""
    return Disagreement(
        f"The alias `champion` of {model} points to {history.named(registry.alias)}, but the ledger has "
        f"{history.named(version)} as champion since {history.moment_of(last)}: it was moved outside of Perennial.",
        f"{back}{_keep_registry(model, registry)}.",
    )


def _deleted(model: str, last: Event, version: str, registry: RegistryState, ledger: LedgerState) -> Disagreement:
    alias = f"; the alias `champion` points to version {registry.alias}" if registry.alias else ""
    return Disagreement(
        f"{_since(last, version)}, but MLflow has no version {version} of it any more: it was deleted outside of "
        f"Perennial{alias}.",
        f"Restore it from a backup of MLflow; {_roll_back(model, version, ledger, registry)}"
        f"{_keep_registry(model, registry)}.",
    )


def _missing_model(model: str, last: Event, version: str, registry: RegistryState) -> Disagreement:
    renamed = registry.renamed_to
    what = f"it is called {renamed} there now" if renamed else "it was renamed or deleted, or this is another MLflow"
    undo = f"Rename {renamed} back to {model} in MLflow" if renamed else "Restore it, or correct MLFLOW_TRACKING_URI"
    return Disagreement(
        f"{_since(last, version)}, but MLflow knows no model {model}: {what}.",
        f"{undo}; or `perennial reconcile {model} --keep registry --reason …` {BEGINS_ANEW}.",
    )


def _unknown_champion(model: str, ledger: LedgerState, registry: RegistryState) -> Disagreement | None:
    if registry.alias is None and not registry.promoted:
        return None
    what = (
        f"has {history.named(registry.alias)} of {model} as champion"
        if registry.alias
        else f"has versions of {model} that were promoted ({listing(registry.promoted)})"
    )
    return Disagreement(
        f"MLflow {what}, but the ledger at {ledger.address} knows nothing of it: it is new, or another one than "
        "that of who promoted it.",
        f"Put that ledger in its place, or name it with {database.VARIABLE}; if there is none, "
        f"{_keep_registry(model, registry)}.",
        is_of_whole=True,
    )


def _without_mark(model: str, ledger: LedgerState, registry: RegistryState) -> Disagreement | None:
    if registry.is_mark_damaged:
        return Disagreement(
            f"The tag {tags.LEDGER} of MLflow's model {model} is not what Perennial writes there, so it is not known "
            f"whose ledger keeps it. {_both(ledger, registry)}",
            f"Restore it from a backup of MLflow; or {_keep_registry(model, registry)}.",
            is_of_whole=True,
        )
    if not registry.is_there or ledger.mark is None or not ledger.mark.is_left:
        return None
    return Disagreement(
        f"MLflow's model {model} does not bear the mark that the ledger left with it: it is another model of that "
        f"name, or was restored from a backup. {_both(ledger, registry)}",
        f"Bring the right one back; or {_keep_registry(model, registry)}.",
        is_of_whole=True,
    )


def _other_ledger(model: str, ledger: LedgerState, registry: RegistryState, mark: Mark) -> Disagreement:
    own = "knows nothing of it" if not ledger.moves else "has a history of it, too"
    return Disagreement(
        f"MLflow's model {model} is kept by another ledger than the one at {ledger.address}, which {own}; {mark.who} "
        "wrote to that one last. Two ledgers can't guard one champion.",
        f"Name one ledger on all machines with {database.VARIABLE}, or put the lost one in its place; if it is gone "
        f"for good, {_keep_registry(model, registry)}, and this ledger takes over.",
        is_of_whole=True,
    )


def _without_ledger(model: str, registry: RegistryState) -> Disagreement | None:
    """What can be told where no ledger is at hand, as in a model server's container."""
    if registry.alias is not None or not registry.promoted:
        return None
    return Disagreement(
        f"Versions of {model} were promoted ({listing(registry.promoted)}), but its alias `champion` is gone from "
        "MLflow: it was taken away outside of Perennial, or with the version that it pointed to.",
        f"`perennial history {model}`, where the ledger is, tells what it was and how to bring it back.",
    )


def _since(last: Event, version: str) -> str:
    return f"The ledger has version {version} as champion since {history.moment_of(last)}"


def _both(ledger: LedgerState, registry: RegistryState) -> str:
    return (
        f"The ledger has {history.named(champion_of(ledger.moves))} as champion, the alias points to "
        f"{history.named(registry.alias)}."
    )


def _keep_ledger(model: str, version: str) -> str:
    return f"`perennial reconcile {model} --keep ledger --reason …` lets version {version} serve again"


def _keep_registry(model: str, registry: RegistryState) -> str:
    then = f"accepts version {registry.alias} as champion, if it serves" if registry.alias else BEGINS_ANEW
    return f"`perennial reconcile {model} --keep registry --reason …` {then}"


def _roll_back(model: str, version: str, ledger: LedgerState, registry: RegistryState) -> str:
    served = {move.to_version for move in ledger.moves}
    others = [other for other in registry.versions if other in served and other != version]
    if not others:
        return ""
    return f"`perennial rollback {model} --to N --reason …` lets a former champion serve ({listing(others)}); "


def sign(client: "MlflowClient", ledger: Ledger, lease: Lease) -> None:
    """Leave the ledger's mark with the lease's model in the registry. Raises LeaseLostError when that came too late."""
    ledger.note_mark(lease, is_left=False)
    head = chain.newest_hash(ledger.database)
    mark = Mark(ledger=ledger.identity(), token=lease.token, model=lease.model, who=lease.holder, head=head)
    client.set_registered_model_tag(lease.model, tags.LEDGER, mark.model_dump_json())
    ledger.note_mark(lease, is_left=True)


def _mark(text: str | None) -> Mark | None:
    try:
        return Mark.model_validate_json(text or "")
    except ValidationError:
        return None


def _renamed_to(client: "MlflowClient", model: str) -> str | None:
    """The model that bears the mark of `model`, if there is exactly one."""
    bears = f'tags.`{tags.LEDGER}` LIKE \'%"model":"{model}"%\''
    names = [str(one.name) for one in client.search_registered_models(filter_string=bears, max_results=2)]
    return names[0] if len(names) == 1 else None

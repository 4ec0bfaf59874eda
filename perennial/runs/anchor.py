"""The anchor: the best champion of some time, beside which a candidate is judged so that margins can't add up.

Which one is best is known from the comparisons by which champions were promoted, as the ledger counted them: a new
champion takes the anchor's place if its figure on the same rows was not lower. So the anchor needs no rows of its own,
and nobody can lower the bar by promoting what is a little worse, night after night.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from perennial.core.errors import RegistryError, listing
from perennial.core.home import Home
from perennial.metrics import alpha_spending
from perennial.records.package import Anchor, Champion
from perennial.registry import aliases, history, packages, tags, tracking
from perennial.registry.history import Event
from perennial.registry.judged.looks import PastLook, past_looks
from perennial.registry.ledger import Action, Entry, Ledger
from perennial.registry.versions import candidate_of, evidence_of, ledger_statuses
from perennial.rows import splits
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


DECIMALS = 10
"""Of a difference: the last digits of a sum tell nothing."""


@dataclass(frozen=True)
class PastChampion:
    """A version that was champion, and the comparison that made it so."""

    version: str
    look: PastLook | None = None
    """None: nobody counted it."""


def find_anchor(spec: PipelineSpec, champion: Champion | None, home: Home) -> Anchor | None:
    """The anchor of the model, its package fetched and checked; None: no gate asks for one, or there is no champion.

    An anchor whose package can't be had is given with the problem, which leaves every gate about it undecided. The
    alias `anchor` is put on it, so that `perennial gc` keeps its package. Raises RegistryError when MLflow or the
    ledger can't be used.
    """
    days = next((gate.days for gate in spec.gates if gate.versus == "anchor"), None)
    if days is None or champion is None:
        return None
    ledger = Ledger.open(home)
    entries, looks = ledger.entries(spec.name), past_looks(ledger, spec.name)
    with tracking.session(home) as client:
        versions = {str(one.version): one for one in client.search_model_versions(f"name = '{spec.name}'")}
        were = past_champions(history.moves(entries), _now(ledger) - timedelta(days=days), champion.version)
        otherwise = {one for one in were if one in versions and _splits_otherwise(client, home, versions[one], spec)}
        out = _out_of_service(entries, otherwise, champion.version)
        best = best_champion([_with_look(one, versions, looks) for one in were], frozenset(out), _metric(spec))
        left_out = [f"version {version} {out[version]}" for version in dict.fromkeys(were) if version in out]
        stands_for = f"It is the best of those that can be asked: {listing(left_out, 5)}." if left_out else ""
        return _anchor(client, home, versions.get(best), best, stands_for)


def past_champions(moves: Sequence[Event], since: datetime, serving: str) -> list[str]:
    """The versions that were champion after `since`, in the order in which they became it, `serving` the last.

    The first of them is the one that was champion at `since`.
    """
    before = [number for number, move in enumerate(moves) if move.moment <= since]
    lately = [move.to_version for move in moves[before[-1] if before else 0 :] if move.to_version]
    return lately if lately and lately[-1] == serving else [*lately, serving]


def best_champion(were: Sequence[PastChampion], out: frozenset[str], metric: str) -> str:
    """The best of `were` by `metric`, without those that are `out`, which the last never is.

    Of two that were not compared with each other the differences to those between are added up. A version of which
    nothing is known takes nobody's place.
    """
    worth: dict[str, float] = {}
    best: str | None = None
    for one in were:
        if one.version in worth:
            continue  # champion once more
        own = _worth(one, worth, metric)
        if best is None and own is None:
            worth, own = {}, 0.0
        if own is not None:
            worth[one.version] = own
        if one.version in out:
            continue
        if best is None or (own is not None and alpha_spending.takes_over(round(own - worth[best], DECIMALS))):
            best = one.version
    return best or were[-1].version


def _worth(one: PastChampion, worth: Mapping[str, float], metric: str) -> float | None:
    """What a champion is worth beside those before it, by the comparison that made it so; None: nobody knows."""
    look = one.look
    if look is None or look.metric != metric:
        return None
    for rival, difference in ((look.anchor_version, look.beside_anchor), (look.champion_version, look.beside_champion)):
        if rival is not None and rival in worth and difference is not None:
            return worth[rival] + difference
    return None


def _with_look(version: str, versions: "Mapping[str, ModelVersion]", looks: Sequence[PastLook]) -> PastChampion:
    registered = versions.get(version)
    digest = registered.tags.get(tags.PACKAGE_DIGEST) if registered else None
    of_it = [look for look in looks if look.package == digest and look.champion_version != version]
    return PastChampion(version, of_it[-1] if of_it else None)


def _out_of_service(entries: Sequence[Entry], otherwise: Set[str], serving: str) -> dict[str, str]:
    """Versions that are no bar for anybody, and why, in words; never the one that serves."""
    out = dict.fromkeys(otherwise, "was trained with other data.splits")
    for rollback in history.rollbacks(entries):
        out[str(rollback.from_version)] = "was rolled back from"
    for entry in entries:
        if entry.action is Action.REMOVE and entry.to_version:
            out[entry.to_version] = "was removed by `perennial gc`"
    out.pop(serving, None)
    return out


def _splits_otherwise(client: "MlflowClient", home: Home, registered: "ModelVersion", spec: PipelineSpec) -> bool:
    """Whether a version was trained with other splits. By its evidence, of which the ledger has the digest: whoever may
    write tags could lower the bar by one. By its tag, where that can't be had."""
    now = splits.fingerprint(spec.data)
    if registered.tags.get(tags.SPLITS) in (None, now):
        return False
    try:
        stored = evidence_of(client, home, candidate_of(registered, ledger_statuses(home, registered.name)))
    except RegistryError:
        return True
    return splits.fingerprint(stored.spec.data) != now


def _metric(spec: PipelineSpec) -> str:
    return next(gate.metric for gate in spec.gates if gate.versus == "anchor")


def _anchor(
    client: "MlflowClient", home: Home, registered: "ModelVersion | None", version: str, stands_for: str
) -> Anchor:
    if registered is None:
        problem = (
            "MLflow has no such version any more. Restore it, or shorten days in the gate so that it counts no more."
        )
        return Anchor(version=version, package=None, problem=problem, stands_for=stands_for)
    try:
        package = packages.fetch(client, home, registered)
    except RegistryError as error:
        problem = error.problem.replace(tracking.UNTOUCHED, "").strip()
        return Anchor(version=version, package=None, problem=problem, stands_for=stands_for)
    if aliases.ANCHOR not in client.get_model_version(registered.name, version).aliases:
        client.set_registered_model_alias(registered.name, aliases.ANCHOR, version)
    return Anchor(version=version, package=package, stands_for=stands_for)


def _now(ledger: Ledger) -> datetime:
    with ledger.database.reading() as connection:
        return datetime.fromtimestamp(float(connection.scalar(sa.select(ledger.database.now())) or 0), UTC)

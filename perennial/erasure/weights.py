"""Versions that forgotten rows went into: who learned from them and until when, and what can't be made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from perennial.core.home import Home
from perennial.erasure.receipt import LearnedVersion
from perennial.erasure.registry_traces import OwnVersion
from perennial.ingest.forgotten import ForgetRequest, ForgottenPart, ForgottenRows
from perennial.registry import aliases, tags, versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

UNTIL: Mapping[str, str] = {
    aliases.CHAMPION: "until the next promotion replaces it; then as `previous`, until the promotion after that, and "
    "in MLflow until `perennial gc` removes its package",
    aliases.PREVIOUS: "until the next promotion takes its place, and in MLflow until `perennial gc` removes its "
    "package",
}
OTHERWISE = "until `perennial gc` removes its package (--keep, --keep-days)"
WAITING = "until it is approved and replaced, or refused, and `perennial gc` removes its package"


def affected_parts(rows: ForgottenRows, asked: ForgetRequest) -> dict[str, ForgottenPart]:
    """The parts that held the rows of a request, by sha256; also those that earlier requests replaced."""
    affected, before = dict(asked.parts), 0
    while len(affected) > before:
        before = len(affected)
        for sha256, part in rows.parts().items():
            if part.now in affected and sha256 not in affected:
                affected[sha256] = affected[part.now]
    return affected


def not_reproducible(own: Sequence[OwnVersion], affected: Mapping[str, ForgottenPart]) -> list[str]:
    """The versions that were made from such parts, as `model N`."""
    lost = [one for one in own if any(sha256 in affected for sha256 in one.part_hashes)]
    return [f"{one.model} {one.version}" for one in sorted(lost, key=lambda one: (one.model, int(one.version)))]


def learned(
    client: MlflowClient | None, home: Home, own: Sequence[OwnVersion], affected: Mapping[str, ForgottenPart]
) -> Iterator[LearnedVersion]:
    """The versions whose weights may hold something of the rows, the newest first."""
    if client is None:
        return
    for one in sorted(own, key=lambda one: (one.model, -int(one.version))):
        rows = sum(affected[sha256].train_rows for sha256 in one.part_hashes if sha256 in affected)
        if not rows or one.is_removed:
            continue
        role = _role(client, home, one)
        until = UNTIL.get(role, WAITING if role == tags.PARKED else OTHERWISE)
        yield LearnedVersion(model=one.model, version=one.version, role=role, rows=rows, until=until)


def _role(client: MlflowClient, home: Home, one: OwnVersion) -> str:
    for alias, number in client.get_registered_model(one.model).aliases.items():
        if str(number) == one.version and alias in UNTIL:
            return str(alias)
    status = versions.ledger_statuses(home, one.model).get(one.version)
    return (status.status if status else None) or "of unknown status"

"""Forgetting: first it is written down what is to be forgotten, then each place loses it, and a receipt says so.

Killed at any moment, the same command goes on: what was matched is in the record, as digests, before anything goes.
The order: the record, the snapshots, the store, MLflow, the receipt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import BusyError, RegistryError, SpecError
from perennial.core.home import Home
from perennial.core.store import clear_disk_errors, discard
from perennial.erasure import receipt, registry_traces, request, store_traces, user_files, weights
from perennial.erasure.live import looking
from perennial.erasure.receipt import Receipt, TracePlace
from perennial.erasure.registry_traces import Registered
from perennial.erasure.request import GivenNames, Matches
from perennial.erasure.store_traces import StoreSearch
from perennial.ingest import forgotten, rewriting, snapshot_heads
from perennial.ingest.forgotten import ForgetRequest, ForgottenRows, Sieve
from perennial.promotion import retention_store
from perennial.registry import tracking
from perennial.runs.lock import nothing_running
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient

NOTHING_ERASED = "Nothing was erased."
SNAPSHOT_ROWS = "rows of snapshots"
SNAPSHOT_IDS = "corrections and deletions that snapshots state"


@dataclass(frozen=True)
class Registry:
    """MLflow for as long as its session lasts, and what it has of the pipeline."""

    client: MlflowClient | None
    """None: there is none yet."""
    registered: Registered


def forget(spec: PipelineSpec, home: Home, given: GivenNames, reason: str, *, dry_run: bool = False) -> Receipt:
    """Erase the rows that `given` names wherever this home and its MLflow hold or name them; `dry_run`: only look.

    Raises BusyError when a run is at work on `home` or somebody moves the model's aliases, SpecError when no row that
    is held has these ids or texts, RegistryError when MLflow can't be used. The same call goes on where it ended.
    """
    with nullcontext() if dry_run else nothing_running(home, NOTHING_ERASED), clear_disk_errors(home.root, "forget"):
        with registry_of(home, spec.name) as registry:
            matches = request.matched(spec, home, given, reason, others_of(home, spec.name, registry))
            search = _search(spec, home, matches.rows, registry)
            if dry_run or not (matches.count or matches.request.parts):
                looked = _only_looked(spec, home, matches, registry, search)
                if dry_run:
                    return looked
            stays, matches = _erase_here(spec, home, matches, registry)
        matches = _erase_in_registry(spec, home, matches, registry)
        return _finished(spec, home, matches, registry, stays)


@contextmanager
def registry_of(home: Home, pipeline: str) -> Iterator[Registry]:
    """MLflow for the block, if there is any. Raises RegistryError."""
    if tracking.is_built_in(home) and not (home.mlflow / "mlflow.db").exists():
        yield Registry(None, Registered((), {}, {}))
        return
    with tracking.session(home, standing=NOTHING_ERASED) as client:
        yield Registry(client, registry_traces.registered(client, home, pipeline))


def others_of(home: Home, pipeline: str, registry: Registry) -> dict[str, str]:
    """The store's entries that other pipelines' snapshots and versions need, with whose they are."""
    others = dict(registry.registered.others)
    for path, head in snapshot_heads.heads_in(home).items():
        if path.parent.name != pipeline:
            others |= dict.fromkeys(retention_store.named_in(head.model_dump()), path.parent.name)
    return others


def traces_left(
    spec: PipelineSpec, search: StoreSearch, registry: Registry, asked: ForgetRequest
) -> Iterator[TracePlace]:
    """What the store, the state, live texts, logged answers and MLflow hold beside the snapshots."""
    yield from looking.live_places(spec, search.home, search.rows, erases=False)
    for trace in search.traces():
        where = trace.path.relative_to(search.home.root).as_posix()
        yield TracePlace(what=trace.what, where=where, rows=trace.rows, stays=_held(trace.held_by))
    if registry.client is not None:
        rows = search.rows.model_copy(update={"requests": (asked,)})
        for artifact in registry_traces.traces(registry.client, search.home, rows, registry.registered.runs):
            yield TracePlace(what=artifact.what, where=f"{artifact.run_id}/{artifact.path}", rows=artifact.rows)


def snapshot_places(
    home: Home, matched: Mapping[Path, Mapping[int, Sequence[rewriting.MatchedRow]]], asked: Sieve
) -> Iterator[TracePlace]:
    """What the pipeline's snapshots hold and state."""
    for path, by_part in matched.items():
        where = path.relative_to(home.root).as_posix()
        if rows := sum(map(len, by_part.values())):
            yield TracePlace(what=SNAPSHOT_ROWS, where=where, rows=rows)
        head = snapshot_heads.heads_in(home, path.parent.name)[path]
        if stated := rewriting.ids_stated(head.snapshot, asked, home.store):
            yield TracePlace(what=SNAPSHOT_IDS, where=where, rows=stated)


def receipt_of(
    spec: PipelineSpec,
    rows: ForgottenRows,
    asked: ForgetRequest,
    registry: Registry,
    home: Home,
    places: Sequence[TracePlace],
    *,
    dry_run: bool = False,
) -> Receipt:
    """What is to be told of a request now."""
    affected = weights.affected_parts(rows, asked)
    return Receipt(
        pipeline=spec.name,
        number=asked.number,
        moment=asked.moment,
        who=asked.who,
        reason=asked.reason,
        asked_ids=len(asked.ids),
        asked_texts=len(asked.texts) + len(asked.sides),
        digests=(*asked.ids, *asked.texts, *asked.sides),
        unmatched=asked.unmatched,
        rows=sum(part.rows for part in asked.parts.values()),
        places=tuple(places),
        erased=asked.erased,
        learned=tuple(weights.learned(registry.client, home, registry.registered.own, affected)),
        not_reproducible=tuple(weights.not_reproducible(registry.registered.own, affected)),
        yours=tuple(user_files.sentences(spec, rows.model_copy(update={"requests": (asked,)}))),
        dry_run=dry_run,
        finished=asked.finished,
    )


def _search(spec: PipelineSpec, home: Home, rows: ForgottenRows, registry: Registry) -> StoreSearch:
    heads = snapshot_heads.heads_in(home, spec.name).values()
    own = {part.sha256 for head in heads for part in head.snapshot.parts}
    return StoreSearch(home, spec.name, rows, own, others_of(home, spec.name, registry))


def _survey(home: Home, matches: Matches, spec: PipelineSpec) -> Iterator[TracePlace]:
    current = snapshot_heads.head_path(spec, home)
    for path, by_part in matches.by_head.items():
        yield from snapshot_places(home, {path: by_part}, matches.sieve(path, current))


def _only_looked(spec: PipelineSpec, home: Home, matches: Matches, registry: Registry, search: StoreSearch) -> Receipt:
    """What would be erased. Raises SpecError when nothing is held."""
    places = [*_survey(home, matches, spec), *traces_left(spec, search, registry, matches.request)]
    made = receipt_of(spec, matches.rows, matches.request, registry, home, places, dry_run=True)
    if not places and not made.yours and matches.is_new:
        raise SpecError(
            f"No row of {spec.name} has these ids or texts: neither its snapshots, nor the store in {home.root}, nor "
            f"MLflow, nor its source hold one. {NOTHING_ERASED}",
            remedy="Ids are those of data.columns.id. A text is the whole of a row's text; differences of case, width "
            "and white space don't count.",
        )
    return made


def _erase_here(
    spec: PipelineSpec, home: Home, matches: Matches, registry: Registry
) -> tuple[list[TracePlace], Matches]:
    """Erase what this home holds; what stays, and the record after it."""
    state, erased, current = (
        home.state(spec.name),
        Counter(matches.request.erased),
        snapshot_heads.head_path(spec, home),
    )
    forgotten.write_forgotten(state, matches.rows)
    for number, (path, by_part) in enumerate(matches.by_head.items()):
        progress.advance(number, len(matches.by_head), unit="snapshots", detail="rows of snapshots")
        sieve, head = matches.sieve(path, current), matches.heads[path]
        erased[SNAPSHOT_IDS] += rewriting.ids_stated(head.snapshot, sieve, home.store)
        done = rewriting.rewritten(head.snapshot, by_part, sieve, home.store)
        matches = request.erased_before(matches, done.parts)
        forgotten.write_forgotten(state, matches.rows)
        if done.snapshot != head.snapshot:
            rewriting.write_head(path, head, done.snapshot)
            erased[SNAPSHOT_ROWS] += sum(map(len, by_part.values()))
    store_traces.drop_indexes(home, spec.name)
    for path in store_traces.leftovers(home):
        discard(path)
    search, stays = _search(spec, home, matches.rows, registry), []
    for trace in search.traces():
        if trace.held_by:
            where = trace.path.relative_to(home.root).as_posix()
            stays.append(TracePlace(what=trace.what, where=where, rows=trace.rows, stays=_held(trace.held_by)))
            continue
        store_traces.erase(search, trace)
        erased[trace.what] += trace.rows
    for live in looking.live_places(spec, home, matches.rows, erases=True):
        if live.stays:
            stays.append(live)
        else:
            erased[live.what] += live.rows
    return stays, _noted(state, matches, {"erased": dict(+erased)})


def _erase_in_registry(spec: PipelineSpec, home: Home, matches: Matches, registry: Registry) -> Matches:
    """Erase what MLflow holds, and say in the ledger that rows were forgotten."""
    if registry.client is None:
        return matches
    rows = matches.rows.model_copy(update={"requests": (matches.request,)})
    erased = Counter(matches.request.erased)
    affected = weights.affected_parts(matches.rows, matches.request)
    lost = weights.not_reproducible(registry.registered.own, affected)
    try:
        for model in dict.fromkeys(registry.registered.runs.values()):
            runs = {run_id: name for run_id, name in registry.registered.runs.items() if name == model}
            with tracking.session(home, standing=NOTHING_ERASED) as client:
                traces = registry_traces.traces(client, home, rows, runs)
                note = _note(matches.request, spec.name, [name for name in lost if name.startswith(f"{model} ")])
                erased += registry_traces.replace_all(home, model, traces, note)
    except (RegistryError, BusyError) as error:
        kind = BusyError if isinstance(error, BusyError) else RegistryError
        raise kind(
            f"What {home.root} held of the rows is erased; what MLflow holds is not, or not all: {error.problem}",
            remedy=f"Then the same `perennial forget` command goes on where this one ended. {error.remedy}",
        ) from error
    return _noted(home.state(spec.name), matches, {"erased": dict(erased)})


def _finished(
    spec: PipelineSpec, home: Home, matches: Matches, registry: Registry, stays: Sequence[TracePlace]
) -> Receipt:
    state, done = home.state(spec.name), matches.request.finished or forgotten.now()
    matches = _noted(state, matches, {"finished": None if stays else done})
    with registry_of(home, spec.name) as registry:
        made = receipt_of(spec, matches.rows, matches.request, registry, home, stays)
    receipt.write_receipt(home, made)
    return made


def _noted(state: Path, matches: Matches, changes: Mapping[str, dict[str, int] | datetime | None]) -> Matches:
    asked = matches.request.model_copy(update=dict(changes))
    rows = matches.rows.with_request(asked)
    forgotten.write_forgotten(state, rows)
    return replace(matches, request=asked, rows=rows)


def _note(asked: ForgetRequest, pipeline: str, lost: Sequence[str]) -> registry_traces.LedgerNote:
    """What the ledger says of the request: counts, and the keyed digests of what was given."""
    count = sum(part.rows for part in asked.parts.values())
    asked_for = len(asked.ids) + len(asked.texts) + len(asked.sides)
    reason = f" {asked.reason.rstrip('.')}." if asked.reason else ""
    without = f" Can't be reproduced without them: {', '.join(lost)}." if lost else ""
    return registry_traces.LedgerNote(
        request=f"{pipeline}/{asked.number}",
        reason=f"Rows of {pipeline} forgotten: {count:,}, by {asked_for:,} ids or texts.{reason}{without}",
        digests=(*asked.ids, *asked.texts, *asked.sides),
    )


def _held(by: str) -> str:
    if not by:
        return ""
    return f"pipeline {by} has read the same rows; until `perennial forget {by}` with the same ids or texts"

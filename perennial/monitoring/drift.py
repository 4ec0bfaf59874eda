"""Drift triggers: do the rows that came since the champion was trained look so different that it should learn anew?

Windows of those rows (or of an unlabelled live source) are compared with the newest rows that the champion was trained
and judged on, and with a sample of all of them. A run is due when one figure is over its limit in enough of the latest
windows, the very latest among them, and none was started by drift a short while ago, or by this very shift before.
Whatever can't be looked at starts nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field, ValidationError

from perennial.core import progress
from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.ingest import forgotten, live_texts, snapshot_heads, snapshots
from perennial.monitoring import measuring, same_shift
from perennial.monitoring.measuring import DriftWindow, Stream, UnmeasuredError
from perennial.records.data import Part, Snapshot
from perennial.records.package import Champion
from perennial.registry import aliases, evidence
from perennial.runs import log
from perennial.runs.lock import one_at_a_time
from perennial.settings.drift import TriggersSpec
from perennial.settings.pipeline import PipelineSpec

FILE = "drift.json"


class DriftFinding(Record):
    """What a look at the rows came to."""

    pipeline: str
    champion: str | None
    """The version that the windows are compared with; None: there is none, or it is not known."""
    retrain: bool
    """Whether a run is due."""
    reason: str
    """Why, or why not, in words without any text of a row."""
    windows: tuple[DriftWindow, ...] = ()
    """The latest ones, oldest first."""
    limits: dict[str, float] = Field(default_factory=dict)
    waiting: int = 0
    """Rows that came since the last full window."""
    learned: tuple[str, ...] = ()
    """What is far from all rows that the champion learned and not from the newest of them; it starts nothing."""
    is_measured: bool = True
    """False: it could not be looked at, and `reason` says why."""


class _State(Record):
    """What is kept from one look to the next."""

    package: str = ""
    """Digest of the champion's package that the rest is about."""
    live_from: int = 0
    """Rows of the live source that were there when that champion was first looked at after another one."""
    windows: dict[str, DriftWindow] = Field(default_factory=dict)
    """By a digest of all they were made from."""


def examine_drift(spec: PipelineSpec, home: Home) -> DriftFinding:
    """Whether drift is a reason to train `spec` anew; reads what is new in its source, and measures new windows only.

    Never raises a PerennialError: a source that is down, a missing champion, too few rows are reasons not to, in words.
    """
    if spec.triggers is None:
        return _nothing(spec, f"{spec.name} has no `triggers` in its pipeline.yaml, so drift is not looked at.")
    try:
        with one_at_a_time(spec.name, home), progress.step("drift"):
            return _examined(spec, spec.triggers, home)
    except PerennialError as error:
        return _nothing(spec, f"Drift was not measured: {error}")


def _examined(spec: PipelineSpec, settings: TriggersSpec, home: Home) -> DriftFinding:
    champion = aliases.champion(spec.name, home)
    if champion is None:
        raise UnmeasuredError(f"{spec.name} has no champion yet.", remedy=f"`perennial run {spec.name}` trains one.")
    state = _state(spec, home)
    known_parts = evidence.evidence(home, spec.name, champion.version)[1].evidence.snapshot.parts
    known_parts = forgotten.parts_now(home.state(spec.name), known_parts)
    stream, live_from = _stream(spec, settings, home, champion, known_parts, state)
    windows = measuring.measured(spec, settings, home, champion, known_parts, stream, state.windows)
    kept = _State(package=champion.package_digest, live_from=live_from, windows=windows)
    if kept != state:
        write_atomically(_path(spec, home), kept.model_dump_json(indent=1) + "\n")
    return _found(spec, settings, home, champion, stream, list(windows.values()))


def _stream(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    known_parts: Sequence[Part],
    state: _State,
) -> tuple[Stream, int]:
    """The rows that came since `champion` was trained, and where in the live source they begin."""
    if settings.source is None:
        parts = snapshots.ingest(spec, home).parts
        if not {part.path for part in known_parts} <= {part.path for part in parts}:
            raise UnmeasuredError(
                f"The rows of {spec.name} were read anew, or elsewhere, since its champion (version "
                f"{champion.version}) was trained, so which ones came later is not known.",
                remedy="With the next champion it is.",
            )
        old = {part.path for part in known_parts}
        return Stream(parts=tuple(part for part in parts if part.path not in old), skip=0, labelled=True), 0
    live = measuring.live_spec(spec, settings)
    read = snapshots.ingest(live, home)
    snapshots.accept(live, read, home)
    same = state.package in ("", champion.package_digest)
    live_from = state.live_from if same else sum(part.rows for part in read.parts)
    kept, emptied = _kept_live_texts(live, settings, home)
    return Stream(parts=kept.parts, skip=max(live_from, emptied), labelled=False), live_from


def _kept_live_texts(live: PipelineSpec, settings: TriggersSpec, home: Home) -> tuple[Snapshot, int]:
    """The live texts without those that are too old, and how many of the first rows have none any more."""
    head = snapshot_heads.head_path(live, home)
    live_texts.keep_for(head, settings.keep_days)
    live_texts.empty_old(home, live.name)
    kept = snapshot_heads.heads_in(home, live.name)[head].snapshot
    return kept, live_texts.emptied_rows(head, kept)


def _found(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    stream: Stream,
    windows: Sequence[DriftWindow],
) -> DriftFinding:
    waiting, reasons = stream.rows % settings.window_rows, dict(measuring.over(settings, windows))
    learned = tuple(measuring.learned(settings, windows))
    held = _held_back(spec, settings, home, champion, windows, tuple(reasons)) if reasons else ""
    return DriftFinding(
        pipeline=spec.name,
        champion=champion.version,
        retrain=bool(reasons) and not held,
        reason=_due(champion, windows, reasons, held) if reasons else _calm(settings, champion, windows, waiting),
        windows=tuple(windows),
        limits=measuring.limits(settings),
        waiting=waiting,
        learned=learned,
    )


def _due(champion: Champion, windows: Sequence[DriftWindow], reasons: Mapping[str, str], held: str) -> str:
    words = "; ".join(reasons.values())
    return f"{words}{held}" if held else same_shift.reason(words, windows[-1].number, champion.version)


def _calm(settings: TriggersSpec, champion: Champion, windows: Sequence[DriftWindow], waiting: int) -> str:
    if len(windows) < settings.needed:
        full = f"{len(windows)} full window{'s' * (len(windows) != 1)} of {settings.window_rows:,} rows"
        return (
            f"Too few rows came since version {champion.version} was trained: {full} and {waiting:,} rows more; "
            f"{settings.needed} windows are needed."
        )
    return (
        f"Nothing drifted: in the last {len(windows)} windows of {settings.window_rows:,} rows since version "
        f"{champion.version} was trained, no figure is over its limit in the latest and in {settings.needed} of all."
    )


def _held_back(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    windows: Sequence[DriftWindow],
    names: Sequence[str],
) -> str:
    """Why drift starts nothing now although something drifted; empty: it does."""
    last, now = log.last_run(home, spec.name, "drift"), datetime.now(UTC)
    if last is None:
        return ""
    passed = now - last.started
    if passed < timedelta(hours=settings.cooldown_hours):
        hours = passed.total_seconds() / 3600
        return f". Drift started a run {hours:.1f} h ago already, and starts none for {settings.cooldown_hours:g} h"
    figures = measuring.distances(settings, windows, names)
    live = settings.source is not None
    return same_shift.holds_back(last, figures, windows[-1].number, champion.version, now, live=live)


def _nothing(spec: PipelineSpec, reason: str) -> DriftFinding:
    return DriftFinding(pipeline=spec.name, champion=None, retrain=False, reason=reason, is_measured=False)


def _path(spec: PipelineSpec, home: Home) -> Path:
    return home.state(spec.name) / FILE


def _state(spec: PipelineSpec, home: Home) -> _State:
    try:
        return _State.model_validate_json(_path(spec, home).read_bytes())
    except (OSError, ValidationError):
        return _State()  # then windows are measured again

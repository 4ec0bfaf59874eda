"""Drift triggers: do the rows that came since the champion was trained look so different that it should learn anew?

Windows of those rows (or of an unlabelled live source) are compared with a sample of the rows that the champion was
trained and judged on. A run is due when one figure is over its limit in enough of the latest windows, the very latest
among them, and none was started by drift a short while ago. Whatever can't be looked at starts nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import Field, ValidationError

from perennial import kinds
from perennial.core import digest, progress
from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import write_atomically
from perennial.ingest import forgotten, live_texts, snapshots
from perennial.monitoring import window_figures
from perennial.monitoring.rows import WindowRows, sample, windows
from perennial.monitoring.window_figures import Reference
from perennial.records.data import Part, Snapshot
from perennial.records.package import Champion
from perennial.registry import aliases, evidence
from perennial.runs import log
from perennial.runs.lock import one_at_a_time
from perennial.settings.drift import TriggersSpec
from perennial.settings.pipeline import PipelineSpec

FILE = "drift.json"
MIN_REFERENCE = 100
WORDS = {
    "labels": "labels shifted: PSI",
    "answers": "the champion's answers shifted: PSI",
    "scores": "the champion's scores shifted: PSI",
    "length": "text length shifted: PSI",
    "tokens": "vocabulary shifted: Jensen-Shannon distance",
    "domain": "new texts can be told from old ones: AUC",
}


class DriftWindow(Record):
    """Rows that came one after another, and how far they are from those the champion knows."""

    number: int
    """From 1, since the champion was trained."""
    rows: int
    since: datetime | None
    """The oldest time among them; None: no time column."""
    until: datetime | None
    figures: dict[str, float]
    """By the name of their limit; without those that this kind of task or source does not have."""


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


class _UnmeasuredError(PerennialError):
    """There is nothing to measure yet, or nothing to measure with."""


class _Stream(Record):
    """The rows that came since."""

    parts: tuple[Part, ...]
    skip: int
    labelled: bool

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts) - self.skip


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


def over(settings: TriggersSpec, windows: Sequence[DriftWindow]) -> Iterator[str]:
    """Each figure that is over its limit often enough, and in the latest of the windows `windows`, in words."""
    latest = windows[-settings.of_last :]
    for name, limit in _limits(settings).items():
        values = [window.figures[name] for window in latest if name in window.figures]
        above = sum(value > limit for value in values)
        if values and values[-1] > limit and above >= settings.needed:
            yield (
                f"{WORDS[name]} {values[-1]:.2f} (limit {limit:g}) in {above} of the last {len(latest)} windows of "
                f"{latest[-1].rows:,} rows"
            )


def _examined(spec: PipelineSpec, settings: TriggersSpec, home: Home) -> DriftFinding:
    champion = aliases.champion(spec.name, home)
    if champion is None:
        raise _UnmeasuredError(f"{spec.name} has no champion yet.", remedy=f"`perennial run {spec.name}` trains one.")
    state = _state(spec, home)
    known_parts = evidence.evidence(home, spec.name, champion.version)[1].evidence.snapshot.parts
    known_parts = forgotten.parts_now(home.state(spec.name), known_parts)
    stream, live_from = _stream(spec, settings, home, champion, known_parts, state)
    windows = _measured(spec, settings, home, champion, known_parts, stream, state)
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
) -> tuple[_Stream, int]:
    """The rows that came since `champion` was trained, and where in the live source they begin."""
    if settings.source is None:
        parts = snapshots.ingest(spec, home).parts
        if not {part.path for part in known_parts} <= {part.path for part in parts}:
            raise _UnmeasuredError(
                f"The rows of {spec.name} were read anew, or elsewhere, since its champion (version "
                f"{champion.version}) was trained, so which ones came later is not known.",
                remedy="With the next champion it is.",
            )
        old = {part.path for part in known_parts}
        return _Stream(parts=tuple(part for part in parts if part.path not in old), skip=0, labelled=True), 0
    live = live_spec(spec, settings)
    read = snapshots.ingest(live, home)
    snapshots.accept(live, read, home)
    same = state.package in ("", champion.package_digest)
    live_from = state.live_from if same else sum(part.rows for part in read.parts)
    kept, emptied = _kept_live_texts(live, settings, home)
    return _Stream(parts=kept.parts, skip=max(live_from, emptied), labelled=False), live_from


def _kept_live_texts(live: PipelineSpec, settings: TriggersSpec, home: Home) -> tuple[Snapshot, int]:
    """The live texts without those that are too old, and how many of the first rows have none any more."""
    head = snapshots.head_path(live, home)
    live_texts.keep_for(head, settings.keep_days)
    live_texts.empty_old(home, live.name)
    kept = snapshots.heads_in(home, live.name)[head].snapshot
    return kept, live_texts.emptied_rows(head, kept)


def live_spec(spec: PipelineSpec, settings: TriggersSpec) -> PipelineSpec:
    """`spec` with the live source in the place of its own, whose rows have texts, perhaps a time, and nothing else.

    What a kind of task reads beside the texts is read from the text's column, and means nothing.
    """
    kind = kinds.name_for_bare_texts(kinds.kind_named(spec.kind))
    names = spec.data.columns
    columns = type(names)(text=names.text, text_pair=names.text_pair, label=names.text, time=settings.time)
    data = spec.data.model_copy(update={"source": settings.source, "columns": columns})
    return spec.model_copy(update={"kind": kind, "data": data}).located(spec.folder)


def _measured(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    known_parts: Sequence[Part],
    stream: _Stream,
    state: _State,
) -> dict[str, DriftWindow]:
    """The latest windows by key; those that were measured before are taken from `state`."""
    read = spec if stream.labelled else live_spec(spec, settings)
    size, last = settings.window_rows, settings.of_last
    measured: dict[str, DriftWindow] = {}
    reference: Reference | None = None
    for number, rows in windows(read, stream.parts, home.store, size, stream.skip, last):
        key = _key(settings, champion, rows, labelled=stream.labelled)
        if key in state.windows:
            measured[key] = state.windows[key]
            continue
        progress.advance(len(measured), last, unit="windows", detail=f"window {number}")
        if reference is None:
            reference = _reference(spec, settings, home, champion, known_parts, labelled=stream.labelled)
        values = reference.figures(rows)
        since, until = rows.times
        measured[key] = DriftWindow(number=number, rows=len(rows.texts), since=since, until=until, figures=values)
    return measured


def _reference(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    known_parts: Sequence[Part],
    *,
    labelled: bool,
) -> Reference:
    rows = sample(spec, known_parts, home.store, settings.reference_rows)
    if len(rows.texts) < MIN_REFERENCE:
        raise _UnmeasuredError(
            f"Version {champion.version} was trained on {len(rows.texts):,} rows; drift is measured against "
            f"{MIN_REFERENCE} or more.",
        )
    return Reference(spec, settings, rows, champion, home, labelled=labelled)


def _key(settings: TriggersSpec, champion: Champion, rows: WindowRows, *, labelled: bool) -> str:
    return digest.of_values(
        recipe=window_figures.RECIPE,
        package=champion.package_digest,
        rows=rows.digest,
        labelled=labelled,
        reference=settings.reference_rows,
        wanted=sorted(_limits(settings)),
    )


def _found(
    spec: PipelineSpec,
    settings: TriggersSpec,
    home: Home,
    champion: Champion,
    stream: _Stream,
    windows: Sequence[DriftWindow],
) -> DriftFinding:
    waiting, reasons = stream.rows % settings.window_rows, "; ".join(over(settings, windows))
    cooling = _cooling(spec, settings, home) if reasons else ""
    return DriftFinding(
        pipeline=spec.name,
        champion=champion.version,
        retrain=bool(reasons) and not cooling,
        reason=f"{reasons}{cooling}" or _calm(settings, champion, windows, waiting),
        windows=tuple(windows),
        limits=_limits(settings),
        waiting=waiting,
    )


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


def _cooling(spec: PipelineSpec, settings: TriggersSpec, home: Home) -> str:
    """Why drift starts nothing now although something drifted; empty: it does."""
    last = log.last_started(home, spec.name, "drift")
    if last is None or not settings.cooldown_hours:
        return ""
    passed = datetime.now(UTC) - last
    if passed >= timedelta(hours=settings.cooldown_hours):
        return ""
    hours = passed.total_seconds() / 3600
    return f". Drift started a run {hours:.1f} h ago already, and starts none for {settings.cooldown_hours:g} h"


def _limits(settings: TriggersSpec) -> dict[str, float]:
    return {name: value for name, value in settings.limits.model_dump().items() if value is not None}


def _nothing(spec: PipelineSpec, reason: str) -> DriftFinding:
    return DriftFinding(pipeline=spec.name, champion=None, retrain=False, reason=reason, is_measured=False)


def _path(spec: PipelineSpec, home: Home) -> Path:
    return home.state(spec.name) / FILE


def _state(spec: PipelineSpec, home: Home) -> _State:
    try:
        return _State.model_validate_json(_path(spec, home).read_bytes())
    except (OSError, ValidationError):
        return _State()  # then windows are measured again

"""The stages of a look at the live stream: each joins one part of the library to `flows/live/monitor.py`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.pipeline_file import loader
from perennial.records.monitor_run import MonitorRun
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.store import StreamStore
from perennial.stream.taking_in import Intake, Marker, Reader

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.labelling.choosing.choice import Chosen
    from perennial.monitoring.alarms.looking import AlarmLook
    from perennial.monitoring.health.health_figures import HealthFigures


@dataclass
class Findings:
    """What the parts of a look found out; None: that failed."""

    surges: AlarmLook | None = None
    health: Sequence[HealthFigures] = ()
    """Of windows that are new."""
    retraining: str | None = None
    """What came of it that they call for one; None: they don't."""
    chosen: Chosen | None = None
    copied: int | None = None
    """Texts that were added to the table of a database."""


@dataclass(frozen=True)
class WatchedStream:
    """A pipeline whose live texts are watched, and where what is known of them is kept."""

    spec: PipelineSpec
    monitor: MonitorSpec
    home: Home
    store: StreamStore
    now: datetime
    """When the run began."""
    findings: Findings = field(default_factory=Findings)
    troubles: list[str] = field(default_factory=list)
    """What failed so far, each in a paragraph; the rest goes on."""

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """A block that may fail without keeping the others from being done."""
        try:
            yield
        except PerennialError as error:
            self.troubles.append(str(error))


def read_monitored(pipeline: str, overrides: Sequence[str] = ()) -> tuple[PipelineSpec, MonitorSpec]:
    """The settings of `pipeline` (a name or a path). Raises SpecError where it has no live stream."""
    spec = loader.read_pipeline(loader.find_pipeline(pipeline), overrides)
    return spec, spec.live_stream()


@contextmanager
def watching(pipeline: str, overrides: Sequence[str], home: Home, now: datetime) -> Iterator[WatchedStream]:
    """The pipeline for a block in which no other monitor of it is at work.

    Raises SpecError, StoreError, and OverlapError where one is.
    """
    spec, monitor = read_monitored(pipeline, overrides)
    with closing(StreamStore.open(home, spec.name)) as store, store.alone():
        yield WatchedStream(spec, monitor, home, store, now)


@contextmanager
def open_reader(watched: WatchedStream) -> Iterator[Reader]:
    """The live source, to be read from where it was."""
    from perennial.stream.sources import open_source

    with closing(open_source(watched.spec, watched.store.position())) as reader:
        yield reader


def open_marker(watched: WatchedStream) -> Marker:
    """What tells copies and retellings of the texts of the last days."""
    from perennial.stream.copies import CopyFinder

    finder = CopyFinder(watched.monitor.copies)
    for table in watched.store.tables(since=watched.now - timedelta(days=watched.monitor.copies.days)):
        finder.remember(table)
    return finder


def texts_for_alarms(watched: WatchedStream) -> Iterable[pa.Table]:
    """The stored texts that the next look for surges has to see."""
    from perennial.monitoring.alarms.looking import texts_needed_since

    return watched.store.tables(since=texts_needed_since(watched.home, watched.spec.name))


def texts_for_health(watched: WatchedStream) -> Iterable[pa.Table]:
    """The stored texts from which health is told: all, as labels may come late for any."""
    from perennial.monitoring.health.windows import COLUMNS

    return watched.store.tables(COLUMNS)


def ask_for_retraining(watched: WatchedStream, figures: Sequence[HealthFigures]) -> str | None:
    """Ask for one if the model is unwell; says what came of it."""
    from flows.live import retraining_request

    reasons = [one.calls_for_retraining for one in figures if one.calls_for_retraining]
    return retraining_request.ask_for_retraining(watched.spec, watched.home, reasons[-1]) if reasons else None


def texts_to_choose_from(watched: WatchedStream) -> Iterable[pa.Table]:
    """The stored texts that nobody looked at yet for whether they are worth a label."""
    from perennial.labelling import waiting_list

    before = waiting_list.read_list(watched.home, watched.spec.name)
    return watched.store.tables(since=before.last_read if before else None)


def came_to(watched: WatchedStream, version: str, intake: Intake, erased: int, seconds: dict[str, float]) -> MonitorRun:
    """What the run came to, which is remembered. `erased`: texts that were too old."""
    surges, chosen = watched.findings.surges, watched.findings.chosen
    troubles = [*([str(intake.trouble)] if intake.trouble else []), *watched.troubles]
    run = MonitorRun(
        pipeline=watched.spec.name,
        started=watched.now,
        status="incomplete" if troubles else "done",
        model=version,
        texts=intake.texts,
        stored=intake.stored,
        again=intake.again,
        left_out={mask_secrets(sentence): number for sentence, number in intake.left_out.items()},
        redacted=dict(intake.redacted),
        labels=dict(intake.labels.most_common()),
        tellings=dict(intake.tellings.most_common()),
        erased=erased,
        kept=watched.store.count(),
        copied=watched.findings.copied,
        troubles=tuple(troubles),
        alarms_new=tuple(alarm.surge.id for alarm in surges.alarms_new) if surges else (),
        alarms_changed=tuple(alarm.surge.id for alarm in surges.alarms_changed) if surges else (),
        violations=tuple(dict.fromkeys(text for one in watched.findings.health for text in one.violations)),
        retraining=watched.findings.retraining,
        waiting=chosen.waiting if chosen else None,
        seconds=seconds,
    )
    watched.store.note_look(run.model_dump_json())
    return run

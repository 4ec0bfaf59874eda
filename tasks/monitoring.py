"""The steps of a look at the live stream. Only the registry is asked again: a source is, by the next run."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from prefect import task

from perennial.core import progress
from perennial.core.home import Home
from perennial.ingest import forgotten
from perennial.settings.monitor import MonitorSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.stream import answering, taking_in
from perennial.stream.answering import ChampionAnswerer
from perennial.stream.store import StreamStore
from perennial.stream.taking_in import Intake, Marker, Reader
from tasks import alarms
from tasks.retrying import STEP, registry_may_answer, step

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.labelling.choosing.choice import Chosen
    from perennial.monitoring.alarms.looking import AlarmLook
    from perennial.monitoring.health.health_figures import HealthFigures


@task(name="load champions", **step(registry_may_answer))
def load_champions(spec: PipelineSpec, home: Home) -> ChampionAnswerer:
    """The models that answer live texts."""
    with progress.step("champion"):
        return answering.load_champions(spec, home)


@task(name="take in", **STEP)
def take_in(
    spec: PipelineSpec, home: Home, store: StreamStore, answerer: ChampionAnswerer, reader: Reader, marker: Marker
) -> Intake:
    """Read, answer and store what is new, and was not forgotten."""
    sieve = forgotten.sieve_of(home.state(spec.name))
    with progress.step("take in"):
        return taking_in.take_in(reader, store, answerer, marker, spec.live_stream().redaction, sieve)


@task(name="tend the store", **STEP)
def tend(monitor: MonitorSpec, store: StreamStore, now: datetime) -> int:
    """Erase what is old; says how many texts."""
    with progress.step("tend"):
        return store.tend(monitor.keep_days, now)


@task(name="look for surges", **STEP)
def look_for_surges(spec: PipelineSpec, home: Home, tables: Iterable[pa.Table], now: datetime) -> AlarmLook:
    """Look at what is new in the store, and tell people of what was found."""
    with progress.step("surges"):
        return alarms.look_and_tell(spec, home, tables, now)


@task(name="look at health", **STEP)
def look_at_health(spec: PipelineSpec, home: Home, tables: Iterable[pa.Table]) -> list[HealthFigures]:
    """Look at the champion in each window of texts that is full, and at the labels that came."""
    from perennial.labelling import label_file
    from perennial.monitoring.health import look, reference

    with progress.step("health"):
        labelled = label_file.labelled_texts(label_file.label_path(spec))
        return look.look_at_health(spec, home, tables, lambda: reference.reference_of(spec, home), labelled)


@task(name="choose texts", **STEP)
def choose_texts(spec: PipelineSpec, home: Home, tables: Iterable[pa.Table]) -> Chosen:
    """Fill the list of texts that wait to be labelled."""
    from perennial.labelling.choosing import choice

    with progress.step("choose"):
        chosen = choice.choose_texts(spec, home, tables)
        for sentence in chosen.sentences:
            progress.note(sentence)
        return chosen

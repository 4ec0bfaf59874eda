"""The live stream: what is new in it is read, answered, kept, and looked at."""

from collections.abc import Sequence
from datetime import UTC, datetime

from prefect import flow

from flows.live import stages
from perennial.core import progress
from perennial.core.home import Home
from perennial.records.monitor_run import MonitorRun
from tasks.monitoring import choose_texts, load_champions, look_at_health, look_for_surges, take_in, tend


@flow(name="monitor", flow_run_name="monitor {pipeline}", persist_result=False, validate_parameters=False)
def monitor(pipeline: str, overrides: Sequence[str] = ()) -> MonitorRun:
    """One look at the live texts of `pipeline` (a name or a path), with `overrides` as `--set` takes them.

    A source that can't be read to its end, and a part of the look that fails, are told by the run that this returns.
    Raises PerennialError where nothing can be read, answered or stored.
    """
    home, now = Home.from_environment(), datetime.now(UTC)
    with stages.watching(pipeline, overrides, home, now) as watched, progress.timed() as seconds:
        answerer = load_champions(watched.spec, home)
        with stages.open_reader(watched) as reader:
            marker = stages.open_marker(watched)
            intake = take_in(watched.spec, home, watched.store, answerer, reader, marker)
        erased = tend(watched.monitor, watched.store, now)
        findings = watched.findings
        with watched.going_on():
            findings.surges = look_for_surges(watched.spec, home, stages.texts_for_alarms(watched), now)
        with watched.going_on():
            findings.health = look_at_health(watched.spec, home, stages.texts_for_health(watched))
            findings.retraining = stages.ask_for_retraining(watched, findings.health)
        with watched.going_on():
            findings.chosen = choose_texts(watched.spec, home, stages.texts_to_choose_from(watched))
        return stages.came_to(watched, answerer.version, intake, erased, seconds)

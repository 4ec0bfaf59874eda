"""What `perennial monitor` does and shows: one look at the live texts of a pipeline."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from perennial.core.errors import listing
from perennial.core.home import Home
from perennial.core.percent import percent
from perennial.records.monitor_run import MonitorRun

if TYPE_CHECKING:
    from rich.console import Console

    from perennial.monitoring.alarms.backtest import Replay
    from perennial.stream.live_text import Telling

SHOWN_SENTENCES = 5


def look(pipeline: str, overrides: Sequence[str]) -> MonitorRun:
    """Look once, now."""
    from flows import environment, prefect_server
    from flows.live import stages

    # Before a server is started, which takes seconds.
    stages.read_monitored(pipeline, overrides)
    home = Home.from_environment()
    environment.prepare(home)
    prefect_server.join(home)
    from flows.live.monitor import monitor

    return monitor(pipeline, tuple(overrides))


def recent(pipeline: str, limit: int) -> tuple[str, list[MonitorRun]]:
    """The pipeline's name, and its newest looks, the newest first."""
    from flows.live.stages import read_monitored
    from perennial.stream.store import StreamStore

    spec, _ = read_monitored(pipeline)
    with closing(StreamStore.open(Home.from_environment(), spec.name)) as store:
        return spec.name, [run for one in store.looks(limit) if (run := _remembered(one))]


def _remembered(look_as_json: str) -> MonitorRun | None:
    """A look as it was remembered; None: another Perennial remembered it, in a form that is not known here."""
    try:
        return MonitorRun.model_validate_json(look_as_json)
    except ValidationError:
        return None


def replayed(
    pipeline: str,
    file: Path,
    since: datetime | None,
    until: datetime | None,
    truth: Path | None,
    overrides: Sequence[str],
) -> "Replay":
    """When alarms would have sounded; copies and retellings are told as on the live stream."""
    from flows.commands.live.replay import replay
    from flows.live.stages import read_monitored
    from perennial.stream.copies import CopyFinder

    finder = CopyFinder(read_monitored(pipeline, overrides)[1].copies)

    def mark(rows: Sequence[Mapping[str, Any]]) -> "list[tuple[str, Telling]]":
        from perennial.stream.live_text import LiveText

        texts = [LiveText(row["id"], row["text"], row["time"], row["source"]) for row in rows]
        # Where no row has entities, names are told by their capitals.
        entities = [row["entities"] for row in rows] if any(row["entities"] for row in rows) else None
        return [(one.story, one.telling) for one in finder.mark(texts, entities)]

    return replay(pipeline, file, since, until, truth, overrides, mark)


def run_as_json(run: MonitorRun) -> dict[str, Any]:
    """The look as one JSON-ready object."""
    return run.model_dump(mode="json")


def show(run: MonitorRun, console: "Console") -> None:
    """The look in a box: what came in, what it was, what was left out, and what follows."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for name, text in _facts(run):
        table.add_row(Text(name, style="dim"), Text(text))
    title = f"{run.pipeline}: {run.stored:,} new text{'s' * (run.stored != 1)}"
    colour = "red" if run.alarms_new else "yellow" if run.troubles or run.violations else "green"
    console.print(Panel(table, title=Text(title), border_style=colour, expand=False))


def _facts(run: MonitorRun) -> Iterator[tuple[str, str]]:
    again = f"; {run.again:,} were stored before or came twice" if run.again else ""
    yield "read", f"{run.texts:,} texts{again}"
    if run.stored:
        yield "answers", f"{_shares(run.labels, run.stored)}, by version {run.model}"
        yield "stories", _shares(run.tellings, run.stored)
    for sentence, number in list(run.left_out.items())[:SHOWN_SENTENCES]:
        yield "left out", f"{number:,} × {sentence}"
    if (more := len(run.left_out) - SHOWN_SENTENCES) > 0:
        yield "left out", f"and more, for {more:,} other reasons"
    if run.redacted:
        yield "redacted", listing(f"{number:,} × {kind}" for kind, number in run.redacted.items())
    erased = f", {run.erased:,} old ones erased" if run.erased else ""
    yield "kept", f"{run.kept:,} texts{erased}"
    if run.copied:
        yield "table", f"{run.copied:,} texts added"
    if run.alarms_new or run.alarms_changed:
        new = f"{len(run.alarms_new):,} new, {len(run.alarms_changed):,} that go on or are over"
        yield "alarms", f"{new}: perennial alarms {run.pipeline}"
    if run.waiting:
        yield "to label", f"{run.waiting:,} texts wait: perennial label {run.pipeline}"
    # The newest windows come last.
    yield from (("health", sentence) for sentence in run.violations[-SHOWN_SENTENCES:])
    if (earlier := len(run.violations) - SHOWN_SENTENCES) > 0:
        yield "health", f"and {earlier:,} more of earlier windows: perennial dashboard {run.pipeline}"
    if run.retraining:
        yield "retraining", run.retraining


def _shares(counts: dict[str, int], all_of_them: int) -> str:
    return listing((f"{name} {percent(number / all_of_them)}" for name, number in counts.items()), 6)


def show_looks(name: str, runs: Sequence[MonitorRun], console: "Console") -> None:
    """The newest looks as a table."""
    from rich.table import Table

    if not runs:
        console.print(f"Nobody looked at the live texts of {name} yet.", markup=False)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("when", "read", "new", "left out", "version", ""):
        table.add_column(heading, justify="right" if heading in ("read", "new", "left out") else "left")
    for run in runs:
        left_out = f"{sum(run.left_out.values()):,}"
        table.add_row(
            _when(run.started), f"{run.texts:,}", f"{run.stored:,}", left_out, run.model, " ".join(run.troubles)
        )
    console.print(table)


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"

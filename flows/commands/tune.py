"""What `perennial tune` does and shows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flows import environment
from flows.console import shown_path
from perennial.core import progress, telemetry
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.core.percent import percent
from perennial.pipeline_file import edit, loader
from perennial.records.training import StartingPoint
from perennial.runs.lock import one_tuning
from perennial.settings.pipeline import PipelineSpec
from perennial.tuning import outcome, search, studies, trial_context
from perennial.tuning.outcome import TrialState, Tried, Tuned
from perennial.tuning.trial_context import TrialContext

COLUMNS = {
    "epochs": "epochs",
    "learning_rate": "learning\nrate",
    "layer_decay": "layer\ndecay",
    "head_learning_rate": "head\nrate",
    "tokens_per_batch": "tokens\na batch",
    "averaging": "averaging",
    "label_smoothing": "label\nsmoothing",
}
"""Settings, as the table's headings."""


def tune(
    pipeline: str, overrides: Sequence[str], trials: int, minutes: float | None, seed: int, *, write: bool
) -> tuple[Tuned, Path | None]:
    """Search, and write the best settings into the pipeline's file if asked to; returns its path if that was done."""
    if write and overrides:
        raise SpecError(
            "--write and --set exclude each other: what is best with other settings may not be with those of the file.",
            remedy="Put what --set says into pipeline.yaml first.",
        )
    telemetry.off()
    environment.share_cores()
    path = loader.find_pipeline(pipeline)
    spec, home = loader.read_pipeline(path, overrides), Home.from_environment()
    with one_tuning(spec.name, home):
        # Now, and not after minutes of validation.
        studies.verify_studies(studies.file(home, spec.name))
        tuned = search.search(_context(spec, home), trials=trials, minutes=minutes, seed=seed)
    if not write or not tuned.changes:
        return tuned, None
    edit.write_settings(path, trial_context.GROUP, tuned.changes)
    return tuned, path


def _context(spec: PipelineSpec, home: Home) -> TrialContext:
    from perennial.ingest import snapshots
    from perennial.training.encoding import row_encoding
    from perennial.validation import snapshot_validation

    with progress.step("ingest"):
        snapshot = snapshots.ingest(spec, home)
    with progress.step("validate"):
        validated = snapshot_validation.validate(spec, snapshot, home)
        snapshots.accept(spec, snapshot, home)
    with progress.step("encode"):
        encoded = row_encoding.encode(spec, validated, home)
    return TrialContext(spec, validated, encoded, home, _start(spec, home))


def _start(spec: PipelineSpec, home: Home) -> StartingPoint | None:
    if spec.training.start_from == "base":
        return None
    from perennial.registry import aliases
    from perennial.runs import starting_point

    with progress.step("start"):
        return starting_point.find_starting_point(spec, aliases.champion(spec.name, home), home)


def tuning_as_json(tuned: Tuned, written: Path | None) -> dict[str, Any]:
    """The search as one JSON-ready object."""
    return {
        "status": "done",
        **tuned.model_dump(mode="json"),
        "gain": tuned.gain,
        "shown": tuned.is_shown,
        "changes": dict(tuned.changes),
        "overrides": _overrides(tuned),
        "written": str(written) if written else None,
    }


def show_tuning(tuned: Tuned, pipeline: str, written: Path | None) -> None:
    """All trials as a table, the best in words, and how to take it over."""
    from flows.console import say, terminal

    console = terminal()
    console.print(_table(tuned))
    console.print()
    for words in (*_verdict(tuned), *_what_now(tuned, pipeline, written)):
        say(console, words)


def _table(tuned: Tuned) -> Any:
    from rich.table import Table

    names = [name for name in COLUMNS if name in tuned.now.settings]
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for heading in ("trial", tuned.metric, "took", *(COLUMNS[name] for name in names)):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in tuned.trials:
        style = "bold green" if one == tuned.best else "" if one.state is TrialState.FINISHED else "dim"
        value = "no model" if one.value is None else f"{one.value:.4f}"
        cells = (_setting(one, name) for name in names)
        table.add_row(str(one.number), value, f"{one.seconds:,.0f} s", *cells, style=style)
    return table


def _setting(one: Tried, name: str) -> str:
    value = edit.scalar(one.settings[name])
    return f"{one.epochs} of {value}" if name == "epochs" and one.state is TrialState.PRUNED else value


def _verdict(tuned: Tuned) -> Iterator[str]:
    rows = f"{tuned.rows:,} validation rows"
    tried = f"{len(tuned.trials):,} trials" + (f", {tuned.earlier:,} of them of earlier searches" * bool(tuned.earlier))
    if tuned.best == tuned.now:
        yield (
            f"Of {tried}, none was better than trial {tuned.now.number}, the settings as they are: {tuned.metric} "
            f"{tuned.now.value:.4f} on {rows}."
        )
        return
    yield (
        f"Of {tried}, trial {tuned.best.number} was best: {tuned.metric} {tuned.best.value:.4f} on {rows}, better by "
        f"{tuned.gain:.4f} than the settings as they are ({tuned.now.value:.4f}, trial {tuned.now.number})."
    )
    yield f"{_noise(tuned)} It is the best of many on the very rows it was chosen by, so expect less on others."


def _noise(tuned: Tuned) -> str:
    if tuned.difference is None:
        return "How sure that is can't be said: one of the two models is not in the store any more."
    low, high = tuned.difference.interval.low, tuned.difference.interval.high
    interval = f"{percent(tuned.confidence)} interval of the difference is {low:+.4f} to {high:+.4f}"
    return f"The {interval}: " + ("more than chance." if tuned.is_shown else "it may be chance.")


def _what_now(tuned: Tuned, pipeline: str, written: Path | None) -> Iterator[str]:
    if tuned.best == tuned.now:
        return
    yield ""
    if written:
        changes = ", ".join(f"{name} {edit.scalar(value)}" for name, value in tuned.changes.items())
        where = f"Written into {shown_path(written)}: {changes}."
        yield f"{where} The next `perennial run {pipeline}` judges it on test rows."
        return
    yield "Nothing is changed. In pipeline.yaml it would be"
    yield ""
    yield edit.lines(trial_context.GROUP, tuned.changes)
    yield ""
    yield "or, for one run that judges it on test rows, which no trial saw:"
    yield ""
    yield " \\\n    ".join([f"perennial run {pipeline}", *(f"--set {one}" for one in _overrides(tuned))])


def _overrides(tuned: outcome.Tuned) -> list[str]:
    return [f"{trial_context.GROUP}.{name}={edit.scalar(value)}" for name, value in tuned.changes.items()]

"""What `perennial tune` does and shows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from flows import environment
from perennial.core import progress, telemetry
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.pipeline_file import edit, loader
from perennial.records.training import StartingPoint
from perennial.runs.lock import one_tuning
from perennial.settings.pipeline import PipelineSpec
from perennial.tuning import outcome, search, studies, trial_context
from perennial.tuning.outcome import State, Tried, Tuned
from perennial.tuning.trial_context import Ground

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
    path = loader.find(pipeline)
    spec, home = loader.read(path, overrides), Home.from_environment()
    with one_tuning(spec.name, home):
        # Now, and not after minutes of validation.
        studies.verify(studies.file(home, spec.name))
        found = search.search(_ground(spec, home), trials=trials, minutes=minutes, seed=seed)
    if not write or not found.changes:
        return found, None
    edit.write(path, trial_context.GROUP, found.changes)
    return found, path


def _ground(spec: PipelineSpec, home: Home) -> Ground:
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
    return Ground(spec, validated, encoded, home, _start(spec, home))


def _start(spec: PipelineSpec, home: Home) -> StartingPoint | None:
    if spec.training.start_from == "base":
        return None
    from perennial.registry import aliases
    from perennial.runs import starting_point

    with progress.step("start"):
        return starting_point.find(spec, aliases.champion(spec.name, home), home)


def as_json(found: Tuned, written: Path | None) -> dict[str, Any]:
    """The search as one JSON-ready object."""
    return {
        "status": "done",
        **found.model_dump(mode="json"),
        "gain": found.gain,
        "shown": found.is_shown,
        "changes": dict(found.changes),
        "overrides": _overrides(found),
        "written": str(written) if written else None,
    }


def show(found: Tuned, pipeline: str, written: Path | None) -> None:
    """All trials as a table, the best in words, and how to take it over."""
    from rich.console import Console

    console = Console()
    console.print(_table(found))
    console.print()
    for words in (*_verdict(found), *_what_now(found, pipeline, written)):
        console.print(words, markup=False, highlight=False)


def _table(found: Tuned) -> Any:
    from rich.table import Table

    names = [name for name in COLUMNS if name in found.now.settings]
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    for heading in ("trial", found.metric, "took", *(COLUMNS[name] for name in names)):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in found.trials:
        style = "bold green" if one == found.best else "" if one.state is State.FINISHED else "dim"
        value = "no model" if one.value is None else f"{one.value:.4f}"
        cells = (_setting(one, name) for name in names)
        table.add_row(str(one.number), value, f"{one.seconds:,.0f} s", *cells, style=style)
    return table


def _setting(one: Tried, name: str) -> str:
    value = edit.scalar(one.settings[name])
    return f"{one.epochs} of {value}" if name == "epochs" and one.state is State.PRUNED else value


def _verdict(found: Tuned) -> Iterator[str]:
    rows = f"{found.rows:,} validation rows"
    tried = f"{len(found.trials):,} trials" + (f", {found.earlier:,} of them of earlier searches" * bool(found.earlier))
    if found.best == found.now:
        yield (
            f"Of {tried}, none was better than trial {found.now.number}, the settings as they are: {found.metric} "
            f"{found.now.value:.4f} on {rows}."
        )
        return
    yield (
        f"Of {tried}, trial {found.best.number} was best: {found.metric} {found.best.value:.4f} on {rows}, better by "
        f"{found.gain:.4f} than the settings as they are ({found.now.value:.4f}, trial {found.now.number})."
    )
    yield f"{_noise(found)} It is the best of many on the very rows it was chosen by, so expect less on others."


def _noise(found: Tuned) -> str:
    if found.difference is None:
        return "How sure that is can't be said: one of the two models is not in the store any more."
    low, high = found.difference.interval.low, found.difference.interval.high
    interval = f"{found.confidence:.0%} interval of the difference is {low:+.4f} to {high:+.4f}"
    return f"The {interval}: " + ("more than chance." if found.is_shown else "it may be chance.")


def _what_now(found: Tuned, pipeline: str, written: Path | None) -> Iterator[str]:
    if found.best == found.now:
        return
    yield ""
    if written:
        changes = ", ".join(f"{name} {edit.scalar(value)}" for name, value in found.changes.items())
        yield f"Written into {written}: {changes}. The next `perennial run {pipeline}` judges it on test rows."
        return
    yield "Nothing is changed. In pipeline.yaml it would be"
    yield ""
    yield edit.lines(trial_context.GROUP, found.changes)
    yield ""
    yield "or, for one run that judges it on test rows, which no trial saw:"
    yield ""
    yield " \\\n    ".join([f"perennial run {pipeline}", *(f"--set {one}" for one in _overrides(found))])


def _overrides(found: outcome.Tuned) -> list[str]:
    return [f"{trial_context.GROUP}.{name}={edit.scalar(value)}" for name, value in found.changes.items()]

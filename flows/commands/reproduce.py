"""What `perennial reproduce` does and answers."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from flows import environment
from perennial.core import telemetry
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.pipeline_file import loader
from perennial.promotion import reproduction
from perennial.promotion.reproduction_diff import Agreement, Fact, FigureDiff, Reproduced

SHOWN = 50
VERDICTS = {
    Agreement.IDENTICAL: "every digest and every figure is the same",
    Agreement.SAME: "made from the same rows, and every metric on the test rows is within {tolerance:g}",
    Agreement.DIFFERENT: "what was made now is not what is registered; tolerance {tolerance:g}",
}


def reproduce(model: str, version: str, pipeline: str | None, into: Path | None, tolerance: float) -> Reproduced:
    """Make a version again and compare."""
    telemetry.off()
    environment.share_cores()
    folder = _folder(model, pipeline)
    with _scratch(into) as scratch:
        return reproduction.reproduce(Home.from_environment(), model, version, scratch, folder, tolerance)


def reproduction_as_json(reproduced: Reproduced) -> dict[str, Any]:
    """The comparison as one JSON-ready object."""
    return {"status": "done", **reproduced.model_dump(mode="json")}


def show_reproduction(reproduced: Reproduced) -> None:
    """The comparison as a page for people."""
    from flows.console import say, terminal

    console = terminal()
    say(console, _in_words(reproduced))
    for words in _remarks(reproduced):
        say(console, words)
    console.print()
    console.print(
        _facts([*reproduced.facts, *reproduced.libraries, *([reproduced.decision] if reproduced.decision else [])])
    )
    console.print()
    shown = [figure for figure in reproduced.figures if figure.counts or not figure.is_equal]
    console.print(_figures(shown[:SHOWN], reproduced.tolerance))
    if rest := len(reproduced.figures) - len(shown[:SHOWN]):
        why = "; --json shows all" if len(shown) > SHOWN else " and equal"
        console.print(f"{rest:,} more figures (labels, baselines, validation rows …) are left out{why}.")


def _folder(model: str, pipeline: str | None) -> Path:
    if pipeline is not None:
        return loader.find_pipeline(pipeline).parent
    with suppress(SpecError):
        return loader.find_pipeline(model).parent
    return Path()  # settings that name no relative paths need none


@contextmanager
def _scratch(into: Path | None) -> Iterator[Home]:
    if into is None:
        with TemporaryDirectory(prefix="perennial-") as folder:
            yield Home(Path(folder))
        return
    if into.exists() and not (into.is_dir() and not any(into.iterdir())):
        raise SpecError(
            f"--into {into} is there and not empty; what is in it could answer instead of the steps.",
            remedy="Name a new folder.",
        )
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(
            f"--into {into} can't be made: {error.strerror}.", remedy="Name a folder where you may write."
        ) from error
    yield Home(into.resolve())


def _in_words(reproduced: Reproduced) -> str:
    verdict = VERDICTS[reproduced.sameness].format(tolerance=reproduced.tolerance)
    return f"Version {reproduced.version} of {reproduced.model}: {reproduced.sameness.value.upper()}: {verdict}."


def _remarks(reproduced: Reproduced) -> Iterator[str]:
    if not reproduced.libraries_known:
        yield "It is not written down which libraries made it."
    if reproduced.champion_problem:
        yield f"The decision is not compared: the champion then can't be had. {reproduced.champion_problem}"


def _facts(facts: list[Fact]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("", "registered", "now", ""):
        table.add_column(name, no_wrap=True)
    for fact in facts:
        table.add_row(fact.name, _short(fact.before), _short(fact.now), "same" if fact.is_same else "differs")
    return table


def _figures(figures: list[FigureDiff], tolerance: float) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("metric", overflow="fold")
    for name in ("registered", "now", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in figures:
        verdict = "" if one.is_within(tolerance) else "differs" if one.counts else "differs; does not count"
        table.add_row(one.name, _number(one.before), _number(one.now), _number(one.difference, "+"), verdict)
    return table


def _short(value: str) -> str:
    return f"{value[:12]}…" if len(value) == 64 else value


def _number(value: float | None, sign: str = "") -> str:
    return "none" if value is None else f"{value:{sign}.4f}"

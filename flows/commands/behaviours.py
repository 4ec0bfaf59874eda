"""What `perennial behaviours` does and answers."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.console import terminal
from perennial.core import progress
from perennial.core.errors import SpecError
from perennial.core.home import Home
from perennial.evaluation.behaviours import behaviour_tests
from perennial.evaluation.behaviours.behaviour_tests import Asked
from perennial.inference import decoders
from perennial.inference.decoders import Decoder
from perennial.inference.predictor import Predictor
from perennial.metrics.prediction import Prediction
from perennial.pipeline_file import loader
from perennial.records.decision import Verdict
from perennial.registry import versions
from perennial.settings.pipeline import PipelineSpec

SHOWN = 5
"""Failing cases of a test that a person is shown."""
MARKS = {Verdict.PASS: ("✓", "green"), Verdict.UNDECIDED: ("?", "yellow"), Verdict.FAIL: ("✗", "red")}


class Behaved:
    """The behavioural tests of a pipeline, as a version answered them."""

    def __init__(self, spec: PipelineSpec, asked: dict[str, list[Asked]]) -> None:
        self.spec = spec
        self.figures = behaviour_tests.behaviour_figures(spec, asked)
        self.failing = {name: [one for one in some if not one.passed] for name, some in asked.items()}

    @property
    def status(self) -> str:
        """done: every test reached its pass rate; rejected: one is shown to be below; else held."""
        verdicts = {behaviour_tests.verdict(self.spec, one) for one in self.figures}
        return "rejected" if Verdict.FAIL in verdicts else "held" if Verdict.UNDECIDED in verdicts else "done"


def ask(pipeline: str, version: str | None) -> Behaved:
    """Ask `version` (None: the champion) the behavioural tests that `pipeline` has now."""
    spec = loader.read_pipeline(loader.find_pipeline(pipeline))
    if not spec.behaviours.tests:
        raise SpecError(
            f"The pipeline {spec.name!r} has no behavioural tests.",
            remedy=f"Write some into {spec.folder / loader.BEHAVIOURS}; docs/behaviours.md tells how.",
        )
    with progress.step("behaviours"):
        loader.note_doubts(loader.find_pipeline(pipeline), spec)
        home = Home.from_environment()
        package = versions.package(home, spec.name, version)
        predictor = Predictor(home.store.root / package.path, digest=package.package_digest)
        if predictor.package.kind != spec.kind:
            raise SpecError(
                f"The model is of the kind {predictor.package.kind}, its pipeline now of the kind {spec.kind}.",
                remedy="Name a --version of the pipeline's kind.",
            )
        return Behaved(spec, behaviour_tests.ask_cases(spec, predictor, _heard))


def behaviours_as_json(behaved: Behaved) -> dict[str, Any]:
    """What every test came to, and each failing case with its texts."""
    failing = {
        name: [
            {"id": one.case.id, "before": one.case.before, "texts": one.case.texts, "answer": one.answer}
            for one in some
        ]
        for name, some in behaved.failing.items()
    }
    tests = [{**one.model_dump(mode="json"), "failing": failing[one.name]} for one in behaved.figures]
    return {"status": behaved.status, "model": behaved.spec.name, "tests": tests}


def show_behaviours(behaved: Behaved) -> None:
    """A table of the tests, then what failed."""
    console, table = terminal(), Table(box=None, pad_edge=False)
    for heading in ("", "test", "type", "passed", "rate", "needed"):
        table.add_column(heading, justify="right" if heading in {"passed", "rate", "needed"} else "left")
    for one in behaved.figures:
        mark = MARKS[behaviour_tests.verdict(behaved.spec, one)]
        rate = f"{one.passed / one.n:.2f}" if one.n else "—"
        table.add_row(
            Text(*mark), Text(one.name), one.type, f"{one.passed} of {one.n}", rate, f"{one.min_pass_rate:.2f}"
        )
    console.print(table)
    for name, some in behaved.failing.items():
        _show_failing(console, behaved.spec, name, some)


def _show_failing(console: Console, spec: PipelineSpec, name: str, some: Sequence[Asked]) -> None:
    decoder = decoders.decoder_named(spec.kind)
    if some:
        console.print(Text(f"\n{name}: {len(some)} failed", "bold"))
    for one in some[:SHOWN]:
        if one.case.before is not None and one.before is not None:
            console.print(_answered(decoder, one.case.before, one.before))
        console.print(_answered(decoder, one.case.texts, one.answer, "  → " if one.before is not None else "  "))
    if len(some) > SHOWN:
        console.print(f"  and {len(some) - SHOWN} more; --json shows all.", highlight=False)


def _answered(decoder: Decoder, texts: Sequence[str], answer: Prediction, before: str = "  ") -> Text:
    marks = [f"{texts[0][start:end]} {label}" for start, end, label in decoder.marked(answer)]
    answer_text = decoder.in_words(answer) or ", ".join(marks) or "nothing"
    return Text(before + " | ".join(texts)).append(f"  {answer_text}", "yellow")


def _heard(done: int, total: int) -> None:
    progress.advance(done, total, unit="case")

"""What a run came to: one object for machines, one page for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flows.console import say_line, shown_path
from perennial import kinds
from perennial.core.errors import listing
from perennial.core.home import Home
from perennial.metrics import clusters, near_copy_figures
from perennial.records.decision import Check, Decision, Verdict
from perennial.records.evaluation import Evaluation, Metrics
from perennial.records.run import RunResult, Status
from perennial.settings.pipeline import PipelineSpec

COLOURS = {
    Status.PROMOTED: "green",
    Status.SKIPPED: "cyan",
    Status.OBSERVED: "cyan",
    Status.HELD: "yellow",
    Status.REJECTED: "red",
}
MARKS = {Verdict.PASS: "[green]✓", Verdict.FAIL: "[red]✗", Verdict.UNDECIDED: "[yellow]?", Verdict.SKIPPED: "[dim]–"}
SHOWN_CHECKS = 12
LINES = 40
"""Of the whole page, box and all, on a terminal of 80 columns; the report has what does not fit."""
FACT_LINES, GATE_LINES = 8, 7
"""What facts and gates may take though others lack room."""
GATE_LENGTH = 70
"""Characters of a gate in words; a label may be as long as it likes."""
FACT_HEIGHT = 2
"""Lines that one fact, warning or remark may take."""
NARROW = 60
"""Columns below which a gate is shown without interval and n."""


@dataclass(frozen=True)
class FactLine:
    """A line about the run, under its name."""

    name: str
    text: str
    counted: str = ""
    """What it is counted as where it is left out; empty: it never is."""


@dataclass(frozen=True)
class _Box:
    """The inside of the box: its width, and the lines that are still free."""

    console: Console
    width: int
    left_out: dict[str, int] = field(default_factory=dict)

    def wrapped(self, text: str, most: int, width: int = 0) -> list[Text]:
        """The text's lines, `most` at most; the last ends in … where there were more."""
        lines = list(Text(text).wrap(self.console, width or self.width))
        if len(lines) > most:
            lines[most - 1].append(" " * self.width)
            lines[most - 1].truncate((width or self.width) - 2, overflow="crop")
            lines[most - 1].rstrip()
            lines[most - 1].append(" …")
        return lines[:most]

    def height(self, table: Table) -> int:
        """The lines that a table takes."""
        return len(self.console.render_lines(table, self.console.options.update(width=self.width)))

    def leave_out(self, number: int, what: str) -> None:
        """Remember what there was no room for."""
        self.left_out[what] = number

    @property
    def rest(self) -> str:
        """What was left out, in words."""
        counted = [f"{n:,} {what}{'s' * (n != 1)}" for what, n in self.left_out.items() if n]
        return f" ({listing(counted)} more)" if counted else ""


def run_as_json(result: RunResult, home: Home) -> dict[str, Any]:
    """The run as one JSON-ready object, the same keys whatever it came to."""
    evidence = result.evidence
    package = evidence.package if evidence else None
    look = evidence.evaluation.look if evidence else None
    return {
        "status": result.status.value,
        "model": result.model,
        "version": result.version,
        "run_id": result.run_id,
        "reasons": list(result.reasons),
        "trigger": result.trigger.model_dump(mode="json"),
        "overrides": evidence.overrides.model_dump(mode="json") if evidence and evidence.overrides else None,
        "decision": evidence.decision.outcome.value if evidence else None,
        "metrics": _all_metrics(evidence.evaluation) if evidence else {},
        "checks": [check.model_dump(mode="json") for check in evidence.decision.checks] if evidence else [],
        "look": look.model_dump(mode="json") if look else None,
        "near_copies": _near_copies(evidence.evaluation) if evidence else None,
        "faithfulness": _faithfulness(evidence.evaluation) if evidence else None,
        "anchor": evidence.evaluation.anchor.version if evidence and evidence.evaluation.anchor else None,
        "package": {
            **package.model_dump(mode="json"),
            "path": str(home.store.root / package.path),
        }
        if package
        else None,
        "data": {
            "snapshot": result.snapshot.digest,
            "rows": result.snapshot.rows,
            "new_rows": result.snapshot.new_rows,
            "corrected_rows": result.snapshot.corrected_rows,
            "kept_splits": result.snapshot.kept_splits,
            "deleted_rows": result.snapshot.deleted_rows,
            "repeated_rows": result.snapshot.repeated_rows,
            "late_rows": result.snapshot.late_rows,
            "forgotten_rows": result.snapshot.forgotten_rows,
            "quarantined": evidence.validated.quarantined if evidence else None,
            "warnings": list(evidence.validated.warnings) if evidence else [],
            "outvoted": evidence.validated.outvoted if evidence else None,
            "superseded": evidence.validated.superseded if evidence else None,
            "truncated": _truncated(evidence.evaluation) if evidence else None,
        },
        "report": str(home.store.root / result.report.path) if result.report else None,
        "seconds": result.seconds,
    }


def _faithfulness(evaluation: Evaluation) -> dict[str, Any] | None:
    """How faithful explanations are; None: not measured."""
    measured = evaluation.faithfulness
    return measured.model_dump(mode="json") if measured else None


def _truncated(evaluation: Evaluation) -> dict[str, Any] | None:
    """Rows longer than the model reads, by split; None: not measured."""
    lost = evaluation.lost_ends
    return {name: split.model_dump(mode="json") for name, split in lost.splits.items()} if lost else None


def show_run(result: RunResult, spec: PipelineSpec, home: Home, console: Console) -> None:
    """The decision and why, the figures beside champion and baselines, and where to look.

    On a terminal of 80 columns `LINES` lines at most. Paths come after the box, each whole on a line of its own.
    """
    box, after, evidence = _Box(console, console.width - 4), list(_after(result, home)), result.evidence
    # The box's own lines, the last line, and an empty one before each part but the first.
    room = LINES - len(after) - 2 - (4 if evidence else 1)
    parts: list[Any] = []
    keep = 0
    facts = list(_facts(result, spec))
    if evidence:
        figures = _figures(evidence.evaluation, spec, box)
        room -= box.height(figures)
        keep = _gate_lines(evidence.decision, box)
    lines = _fitting(facts, FACT_LINES, box)
    # What was overridden is said first; why the run came to what it came to must not be lost behind it.
    firm = 2 if evidence and evidence.overrides else 1
    reasons = _reasons(result.reasons, firm, room - len(lines) - keep, box)
    room -= len(reasons)
    parts.append(Group(*reasons))
    if evidence:
        gates = _gates(evidence.decision, room - len(lines), box)
        room -= box.height(gates)
        parts += ["", figures, "", gates]
    parts += ["", Group(*_fitting(facts, room, box))]
    title = f"{result.model}: {result.status.value}" + (f", version {result.version}" if result.version else "")
    console.print(Panel(Group(*parts), title=Text(title), border_style=COLOURS[result.status], expand=False))
    for line in after:
        say_line(console, line)
    if evidence:
        say_line(console, f"All of it{box.rest}: perennial report {result.model}")


def _all_metrics(evaluation: Evaluation) -> dict[str, Any]:
    return {
        **evaluation.candidate.values,
        "n": evaluation.candidate.n,
        "clusters": evaluation.candidate.clusters,
        "clustered_by": evaluation.candidate.clustered_by,
        "per_label": evaluation.candidate.per_label,
        "support": evaluation.candidate.support,
        "confusion": evaluation.candidate.confusion,
        "champion": evaluation.champion.values if evaluation.champion else None,
        "baselines": {name: metrics.values for name, metrics in evaluation.baselines.items()},
    }


def _near_copies(evaluation: Evaluation) -> dict[str, Any] | None:
    """How many there are, and the figures of the test rows without them."""
    if evaluation.near_copies is None:
        return None
    without = near_copy_figures.without_copies(evaluation)
    figures = {"n": without.n, **without.values} if without else None
    return {**evaluation.near_copies.model_dump(mode="json"), "without": figures}


def _reasons(reasons: Sequence[str], firm: int, room: int, box: _Box) -> list[Text]:
    """As many as there is room for, at least some of each of the first `firm`."""
    lines: list[Text] = []
    for number, reason in enumerate(reasons):
        free = room - len(lines)
        if number >= firm and len(box.wrapped(reason, LINES)) > free:
            box.leave_out(len(reasons) - number, "reason")
            break
        # The first leaves some lines for those that must follow.
        lines += box.wrapped(reason, max(free - FACT_HEIGHT * max(firm - number - 1, 0), 1))
    return lines


def _fitting(facts: Sequence[FactLine], room: int, box: _Box) -> list[Text]:
    """The facts' lines: those that must be there, then the others while there is room."""
    heights = [_fact_lines(fact, box) for fact in facts]
    room -= sum(len(lines) for fact, lines in zip(facts, heights, strict=True) if not fact.counted)
    left_out = dict.fromkeys((fact.counted for fact in facts if fact.counted), 0)
    shown: list[Text] = []
    for fact, lines in zip(facts, heights, strict=True):
        if fact.counted and len(lines) > room:
            left_out[fact.counted] += 1
            continue
        room -= len(lines) if fact.counted else 0
        shown += lines
    for what, number in left_out.items():
        box.leave_out(number, what)
    return shown


def _fact_lines(fact: FactLine, box: _Box) -> list[Text]:
    lines = box.wrapped(fact.text, FACT_HEIGHT, box.width - 10)
    return [Text(f"{'' if number else fact.name:<10}") + line for number, line in enumerate(lines)]


def _gate_lines(decision: Decision, box: _Box) -> int:
    """The lines to keep free for gates: some, and the first of them whole."""
    first, all_of_them = (box.height(_gate_table(decision, shown, box)) for shown in (1, SHOWN_CHECKS))
    return min(all_of_them, max(GATE_LINES, first))


def _gates(decision: Decision, room: int, box: _Box) -> Table:
    """As many as there is room for, those that did not pass first."""
    for shown in range(min(SHOWN_CHECKS, len(decision.checks)), 0, -1):
        table = _gate_table(decision, shown, box)
        if box.height(table) <= room:
            break
    box.leave_out(len(decision.checks) - shown, "gate")
    return table


def _gate_table(decision: Decision, shown: int, box: _Box) -> Table:
    brief = [
        check.model_copy(update={"gate": f"{check.gate[: GATE_LENGTH - 1].rstrip()}…"})
        if len(check.gate) > GATE_LENGTH
        else check
        for check in decision.checks
    ]
    return checks(decision.model_copy(update={"checks": tuple(brief)}), shown, narrow=box.width < NARROW)


def _figures(evaluation: Evaluation, spec: PipelineSpec, box: _Box) -> Table:
    """Candidate, champion and baselines, as many as fit beside each other."""
    models: dict[str, Metrics] = {"candidate": evaluation.candidate}
    if evaluation.champion:
        models[f"champion (v{evaluation.champion_version})"] = evaluation.champion
    if (anchor := evaluation.anchor) and anchor.metrics and anchor.version != evaluation.champion_version:
        models[f"anchor (v{anchor.version})"] = anchor.metrics
    models |= evaluation.baselines
    for shown in range(len(models), 0, -1):
        table = _figures_of(dict(list(models.items())[:shown]), spec)
        if box.console.measure(table).maximum <= box.width:
            break
    box.leave_out(len(models) - shown, "model")
    return table


def _figures_of(models: dict[str, Metrics], spec: PipelineSpec) -> Table:
    own = models["candidate"]
    title = f"on {clusters.in_words(own.n, own.clusters, own.clustered_by)}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("metric", no_wrap=True)
    for name in models:
        table.add_column(Text(name), justify="right", style="bold" if name == "candidate" else "", no_wrap=True)
    for metric in kinds.kind_named(spec.kind).metrics:
        table.add_row(metric, *(_number(metrics.values.get(metric)) for metrics in models.values()))
    return table


def checks(decision: Decision, shown: int = SHOWN_CHECKS, *, narrow: bool = False) -> Table:
    """Each gate with its figure, interval and n (not where it is `narrow`); those that did not pass come first, and the
    last ones are cut."""
    cut = f", {shown} of {len(decision.checks):,}" if len(decision.checks) > shown else ""
    table = Table(box=None, pad_edge=False, title=f"gates{cut}", title_justify="left", show_header=False)
    ordered = sorted(decision.checks, key=lambda check: check.verdict in (Verdict.PASS, Verdict.SKIPPED))
    for check in ordered[:shown]:
        cells: list[Any] = [MARKS[check.verdict], Text(check.gate), _number(check.value)]
        if not narrow:
            cells += [Text(_interval(check)), f"[dim]n = {_counted(check)}"]
        table.add_row(*cells)
    return table


def _counted(check: Check) -> str:
    independent = "" if check.clusters is None else f" ({clusters.units(check.clusters, check.clustered_by)})"
    return f"{check.n:,}{independent}"


def _interval(check: Check) -> str:
    if check.interval is None:
        return ""
    if check.difference is None:
        return f"({check.interval.low:.3f} to {check.interval.high:.3f})"
    return f"{check.difference:+.4f} ({check.interval.low:+.3f} to {check.interval.high:+.3f})"


def _facts(result: RunResult, spec: PipelineSpec) -> Iterator[FactLine]:
    evidence = result.evidence
    data = f"{result.snapshot.rows:,} rows, {result.snapshot.new_rows:,} of them new"
    if result.snapshot.corrected_rows:
        data += f", {result.snapshot.corrected_rows:,} corrected"
    if result.snapshot.kept_splits:
        data += f" ({result.snapshot.kept_splits:,} in the split they had)"
    if result.snapshot.deleted_rows:
        data += f", {result.snapshot.deleted_rows:,} deleted"
    if evidence and evidence.validated.quarantined:
        data += f", {evidence.validated.quarantined:,} set aside"
    if evidence and (settled := evidence.validated.outvoted + evidence.validated.superseded):
        data += f", {settled:,} outvoted"
    yield FactLine("data", data)
    if evidence:
        yield from (FactLine("warning", warning, "warning") for warning in evidence.validated.warnings)
        model = f"{evidence.trained.base}, {evidence.trained.epochs:g} epochs in {evidence.trained.precision}"
        yield FactLine("model", f"{model}, best after {evidence.trained.best_epoch:g}")
        yield from (FactLine("", remark, "remark") for remark in evidence.trained.remarks)
        yield FactLine("package", f"{evidence.package.precision}, {evidence.package.size_bytes / 1e6:.1f} MB")
        yield from (FactLine("", remark, "remark") for remark in evidence.package.remarks)
        headline = kinds.kind_named(spec.kind).headline_metric
        yield from (FactLine("copies", said) for said in near_copy_figures.sentences(headline, evidence.evaluation))
        if (lost := evidence.evaluation.lost_ends) and lost.any:
            yield FactLine("warning", lost.sentence, "warning")
        if look := evidence.evaluation.look:
            yield FactLine("test rows", look.sentence, "look")
    steps = ", ".join(f"{step} {seconds:.0f}" for step, seconds in result.seconds.items() if seconds >= 0.5)
    yield FactLine("time", f"{sum(result.seconds.values()):.0f} s" + (f": {steps}" if steps else ""))


def _after(result: RunResult, home: Home) -> Iterator[str]:
    if result.evidence:
        page = home.store.root / result.evidence.validated.report_path / "index.html"
        yield f"Data checks: {shown_path(page)}"
    if result.report:
        yield f"Report: {shown_path(home.store.root / result.report.path)}"
    if result.status is Status.PROMOTED:
        yield f'Try it: perennial predict {result.model} "a text of yours"'
    yield "See the runs and the registry: make ui"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"

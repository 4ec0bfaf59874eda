"""What a run came to: one object for machines, one page for people."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from perennial import kinds
from perennial.core.home import Home
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


def as_json(result: RunResult, home: Home) -> dict[str, Any]:
    """The run as one JSON-ready object, the same keys whatever it came to."""
    evidence = result.evidence
    package = evidence.package if evidence else None
    return {
        "status": result.status.value,
        "model": result.model,
        "version": result.version,
        "run_id": result.run_id,
        "reasons": list(result.reasons),
        "trigger": result.trigger.model_dump(mode="json"),
        "decision": evidence.decision.outcome.value if evidence else None,
        "metrics": _all_metrics(evidence.evaluation) if evidence else {},
        "checks": [check.model_dump(mode="json") for check in evidence.decision.checks] if evidence else [],
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
            "deleted_rows": result.snapshot.deleted_rows,
            "repeated_rows": result.snapshot.repeated_rows,
            "late_rows": result.snapshot.late_rows,
            "quarantined": evidence.validated.quarantined if evidence else None,
            "warnings": list(evidence.validated.warnings) if evidence else [],
        },
        "report": str(home.store.root / result.report.path) if result.report else None,
        "seconds": result.seconds,
    }


def show(result: RunResult, spec: PipelineSpec, home: Home, console: Console) -> None:
    """The decision and why, the figures beside champion and baselines, and where to look."""
    parts: list[Any] = [Text("\n".join(result.reasons))]
    if result.evidence:
        parts += ["", _figures(result.evidence.evaluation, spec), "", checks(result.evidence.decision)]
    parts += ["", Text("\n".join(_facts(result, home)))]
    title = f"{result.model}: {result.status.value}" + (f", version {result.version}" if result.version else "")
    console.print(Panel(Group(*parts), title=title, border_style=COLOURS[result.status], expand=False, padding=(1, 2)))
    console.print("\n".join(_next(result)), highlight=False)


def _all_metrics(evaluation: Evaluation) -> dict[str, Any]:
    return {
        **evaluation.candidate.values,
        "n": evaluation.candidate.n,
        "per_label": evaluation.candidate.per_label,
        "support": evaluation.candidate.support,
        "confusion": evaluation.candidate.confusion,
        "champion": evaluation.champion.values if evaluation.champion else None,
        "baselines": {name: metrics.values for name, metrics in evaluation.baselines.items()},
    }


def _figures(evaluation: Evaluation, spec: PipelineSpec) -> Table:
    models: dict[str, Metrics] = {"candidate": evaluation.candidate}
    if evaluation.champion:
        models[f"champion (v{evaluation.champion_version})"] = evaluation.champion
    models |= evaluation.baselines
    table = Table(title=f"on {evaluation.candidate.n:,} test rows", title_justify="left", box=None, pad_edge=False)
    table.add_column("metric")
    for name in models:
        table.add_column(Text(name), justify="right", style="bold" if name == "candidate" else "")
    for metric in kinds.kind_named(spec.kind).metrics:
        table.add_row(metric, *(_number(metrics.values.get(metric)) for metrics in models.values()))
    return table


def checks(decision: Decision) -> Table:
    """Each gate with its figure, interval and n; those that did not pass come first, and the last ones are cut."""
    table = Table(box=None, pad_edge=False, title="gates", title_justify="left", show_header=False)
    ordered = sorted(decision.checks, key=lambda check: check.verdict in (Verdict.PASS, Verdict.SKIPPED))
    for check in ordered[:SHOWN_CHECKS]:
        number = f"[dim]n = {check.n:,}"
        table.add_row(MARKS[check.verdict], Text(check.gate), _number(check.value), Text(_interval(check)), number)
    if len(ordered) > SHOWN_CHECKS:
        table.add_row("", f"[dim]and {len(ordered) - SHOWN_CHECKS} more", "", "", "")
    return table


def _interval(check: Check) -> str:
    if check.interval is None:
        return ""
    if check.difference is None:
        return f"({check.interval.low:.3f} to {check.interval.high:.3f})"
    return f"{check.difference:+.4f} ({check.interval.low:+.3f} to {check.interval.high:+.3f})"


def _facts(result: RunResult, home: Home) -> Iterator[str]:
    evidence = result.evidence
    data = f"{result.snapshot.rows:,} rows, {result.snapshot.new_rows:,} of them new"
    if result.snapshot.corrected_rows:
        data += f", {result.snapshot.corrected_rows:,} corrected"
    if result.snapshot.deleted_rows:
        data += f", {result.snapshot.deleted_rows:,} deleted"
    if evidence and evidence.validated.quarantined:
        data += f", {evidence.validated.quarantined:,} set aside"
    yield f"data      {data}"
    if evidence:
        yield f"          {home.store.root / evidence.validated.report_path / 'index.html'}"
        yield from (f"warning   {warning}" for warning in evidence.validated.warnings)
        model = f"{evidence.trained.base}, {evidence.trained.epochs:g} epochs in {evidence.trained.precision}"
        yield f"model     {model}, best after {evidence.trained.best_epoch:g}"
        yield from (f"          {remark}" for remark in evidence.trained.remarks)
        yield f"package   {evidence.package.precision}, {evidence.package.size_bytes / 1e6:.1f} MB"
        yield from (f"          {remark}" for remark in evidence.package.remarks)
    if result.report:
        yield f"report    {home.store.root / result.report.path}"
    yield f"time      {sum(result.seconds.values()):.0f} s: " + ", ".join(
        f"{step} {seconds:.0f}" for step, seconds in result.seconds.items() if seconds >= 0.5
    )


def _next(result: RunResult) -> Iterator[str]:
    if result.status is Status.PROMOTED:
        yield f'Try it: perennial predict {result.model} "a text of yours"'
    yield "See the runs and the registry: make ui"


def _number(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"

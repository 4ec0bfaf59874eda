"""The step that makes a run's report and keeps it in the store."""

import importlib.metadata
from pathlib import Path

from pydantic import ValidationError

from perennial.core import digest
from perennial.core.home import Home
from perennial.core.store import RECORD
from perennial.evaluation.report import material, page
from perennial.records.run import Evidence, Report
from perennial.settings.pipeline import PipelineSpec

STEP = "report"
FILE = "report.html"
# Part of the key: raise it when the page shows something else.
RECIPE = 4


def make_report(spec: PipelineSpec, evidence: Evidence, home: Home) -> Report:
    """The report of the run that found `evidence`; the one in the store if it is there."""
    made = report_key(spec, evidence)

    def write(folder: Path) -> Report:
        content = page.render_page(material.gather(spec, evidence, home)).encode()
        (folder / FILE).write_bytes(content)
        return Report(
            pipeline=spec.name,
            decision=evidence.decision.digest,
            path=home.store.relative(home.store.folder(STEP, made) / FILE),
            size_bytes=len(content),
        )

    return home.store.get_or_make(STEP, made, Report, write)


def report_key(spec: PipelineSpec, evidence: Evidence) -> str:
    """What the report is stored under. Times are no part of it: a run that was resumed has others."""
    return digest.of_values(
        # Without what an older Perennial did not have, so that its pages keep their keys.
        spec=spec.model_dump(mode="json", exclude={"registry": {"approval_days"}, "triggers": {"keep_days"}}),
        evidence=evidence.model_dump(mode="json", exclude={"seconds", *_unset(evidence)}),
        recipe=RECIPE,
        plotly=importlib.metadata.version("plotly"),
    )


def _unset(evidence: Evidence) -> set[str]:
    return {name for name in ("overrides", "judged_on") if getattr(evidence, name) is None}


def stored_report(home: Home, pipeline: str, decision: str | None = None) -> Path | None:
    """The page about this decision of `pipeline` (its digest; None: the page made last); None: not in this store."""
    reports = [
        (path.stat().st_mtime, path.parent.name)
        for path in (home.store.root / STEP).glob(f"*/{RECORD}")
        if _is_about(path, pipeline, decision)
    ]
    for _, made in sorted(reports, reverse=True):
        if report := home.store.get(STEP, made, Report):
            return home.store.root / report.path
    return None


def _is_about(path: Path, pipeline: str, decision: str | None) -> bool:
    try:
        report = Report.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return False
    return report.pipeline == pipeline and decision in {None, report.decision}

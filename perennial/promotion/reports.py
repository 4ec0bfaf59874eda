"""Finding the report of a run: in this store, or in MLflow."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import progress
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.evaluation.report import run_report
from perennial.registry import tracking, versions
from perennial.registry.versions import Candidate

if TYPE_CHECKING:
    from mlflow import MlflowClient


class LocalReport(Record):
    """A report on this machine."""

    model: str
    version: str | None
    """None: MLflow was not asked."""
    path: Path


def find_report(home: Home, run: str, version: str | None) -> LocalReport:
    """The report of `version` (None: the newest) of the model `run`, or of the MLflow run of that id.

    If MLflow can't be asked for the newest version, the page that was made last here is meant. Raises RegistryError
    when there is no such version, or its report can't be had.
    """
    try:
        with tracking.session(home) as client:
            candidate = _candidate(client, home, run, version)
            return LocalReport(
                model=candidate.registered.model, version=candidate.registered.version, path=_path(home, candidate)
            )
    except RegistryError as error:
        here = run_report.stored_report(home, run) if version is None else None
        if here is None:
            raise
        progress.note(f"{error.problem} This is the report made last on this machine.")
        return LocalReport(model=run, version=None, path=here)


def _candidate(client: "MlflowClient", home: Home, run: str, version: str | None) -> Candidate:
    if version is None and re.fullmatch(versions.RUN_ID, run):
        return versions.made_by(client, home, run)
    return versions.candidate(client, home, run, version or versions.newest(client, run))


def _path(home: Home, candidate: Candidate) -> Path:
    here = run_report.stored_report(home, candidate.registered.model, candidate.decision_digest)
    if here is not None:
        return here
    # What lies here is removed by `perennial gc`, as anything temporary is.
    folder = home.root / "tmp" / f"report-{candidate.registered.model}-{candidate.registered.version}"
    folder.mkdir(parents=True, exist_ok=True)
    return versions.judged_artifact(home, candidate, run_report.FILE, folder)

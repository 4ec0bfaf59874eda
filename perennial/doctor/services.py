"""What Perennial speaks to: Prefect, MLflow, and the champions registered there."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from perennial.core.errors import PerennialError, listing
from perennial.core.home import Home
from perennial.doctor.finding import Finding
from perennial.pipeline_file import loader
from perennial.registry import agreement, aliases, tracking

PREFECT_SECONDS = 3
NONE_YET = "no database yet; the first run makes it"


def prefect(home: Home) -> Iterator[Finding]:
    """The Prefect server answers, if there is one of its own."""
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        yield Finding.ok("Prefect", f"embedded in each run, its database in {home.prefect}")
        return
    shown = tracking.masked(address)
    fault = _fault(f"{address.rstrip('/')}/health")
    if fault:
        remedy = "Start that server, correct PREFECT_API_URL, or unset it to use the embedded one."
        yield Finding.problem("Prefect", f"{shown} {fault}", remedy)
    else:
        yield Finding.ok("Prefect", f"{shown} answers")


def mlflow(home: Home) -> Iterator[Finding]:
    """MLflow answers."""
    if _not_there_yet(home):
        yield Finding.ok("MLflow", NONE_YET)
        return
    try:
        tracking.check(home)
    except PerennialError as error:
        yield Finding.problem("MLflow", error.problem, error.remedy)
    else:
        yield Finding.ok("MLflow", f"{tracking.masked(tracking.uri(home))} answers")


def pipelines(home: Home) -> Iterator[Finding]:
    """Each pipeline.yaml is valid, and its champion can be loaded."""
    files = sorted(loader.PIPELINES.glob(f"*/{loader.FILE}"))
    if not files:
        yield Finding.ok("pipelines", f"there is none under {loader.PIPELINES.absolute()}")
    for file in files:
        yield from _pipeline(file, home)


def _pipeline(file: Path, home: Home) -> Iterator[Finding]:
    name = f"pipeline {file.parent.name}"
    try:
        spec = loader.read(file)
    except PerennialError as error:
        yield Finding.problem(name, error.problem, error.remedy)
        return
    if _not_there_yet(home):
        yield Finding.ok(name, "valid; no champion yet")
        return
    try:
        with tracking.session(home, patience=tracking.QUICK) as client:
            agreement.require(client, home, spec.name)
        yield Finding.ok(name, f"valid; {_champion(spec.name, home)}")
    except PerennialError as error:
        yield Finding.problem(name, error.problem, error.remedy)


def _champion(model: str, home: Home) -> str:
    from perennial.inference.predictor import Predictor

    champion = aliases.champion(model, home)
    if champion is None:
        return "no champion yet"
    predictor = Predictor(home.store.root / champion.path, digest=champion.package_digest)
    lacking = predictor.missing_cpu_features
    less = f" (this CPU lacks {listing(lacking)}: scores may differ a little)" if lacking else ""
    return f"champion is version {champion.version}, which loads{less}"


def _not_there_yet(home: Home) -> bool:
    # Looking would make the database; a doctor leaves things as they are.
    elsewhere = os.environ.get("MLFLOW_TRACKING_URI") or os.environ.get("MLFLOW_REGISTRY_URI")
    return not elsewhere and not (home.mlflow / "mlflow.db").exists()


def _fault(address: str) -> str:
    if not address.startswith(("http://", "https://")):
        return "is no http address"
    try:
        with urllib.request.urlopen(address, timeout=PREFECT_SECONDS):  # noqa: S310  (just checked)
            return ""
    except urllib.error.HTTPError as error:
        return f"answers with HTTP status {error.code}"
    except (OSError, ValueError):
        return f"does not answer within {PREFECT_SECONDS} s"

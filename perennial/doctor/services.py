"""What Perennial speaks to: Prefect, MLflow, and the champions registered there."""

import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from perennial.core.errors import PerennialError, listing
from perennial.core.home import Home
from perennial.core.masking import mask_secrets
from perennial.doctor.finding import HealthFinding
from perennial.pipeline_file import loader
from perennial.registry import agreement, aliases, tracking
from perennial.registry.lost import lost_registry

PREFECT_SECONDS = 3
NONE_YET = "no database yet; the first run makes it"


def prefect(home: Home) -> Iterator[HealthFinding]:
    """The Prefect server answers, if there is one of its own."""
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        yield HealthFinding.ok("Prefect", f"embedded in each run, its database in {home.prefect}")
        return
    shown = mask_secrets(address)
    fault = _fault(f"{address.rstrip('/')}/health")
    if fault:
        remedy = "Start that server, correct PREFECT_API_URL, or unset it to use the embedded one."
        yield HealthFinding.problem("Prefect", f"{shown} {fault}", remedy)
    else:
        yield HealthFinding.ok("Prefect", f"{shown} answers")


def mlflow(home: Home) -> Iterator[HealthFinding]:
    """MLflow answers."""
    try:
        if lost_registry.none_yet(home):
            yield HealthFinding.ok("MLflow", NONE_YET)
            return
        tracking.check_mlflow(home)
    except PerennialError as error:
        yield HealthFinding.problem("MLflow", error.problem, error.remedy)
    else:
        yield HealthFinding.ok("MLflow", f"{mask_secrets(tracking.uri(home))} answers")


def pipelines(home: Home) -> Iterator[HealthFinding]:
    """Each pipeline.yaml is valid, and its champion can be loaded."""
    files = sorted(loader.PIPELINES.glob(f"*/{loader.FILE}"))
    if not files:
        yield HealthFinding.ok("pipelines", f"there is none under {loader.PIPELINES.absolute()}")
    for file in files:
        yield from _pipeline(file, home)


def _pipeline(file: Path, home: Home) -> Iterator[HealthFinding]:
    name = f"pipeline {file.parent.name}"
    try:
        spec = loader.read_pipeline(file)
    except PerennialError as error:
        yield HealthFinding.problem(name, error.problem, error.remedy)
        return
    try:
        if lost_registry.none_yet(home):
            yield HealthFinding.ok(name, "valid; no champion yet")
            return
        with tracking.session(home, patience=tracking.QUICK) as client:
            agreement.require(client, home, spec.name)
        champion, doubt = _champion(spec.name, home)
        yield HealthFinding.ok(name, f"valid; {champion}")
        if doubt:
            yield HealthFinding.warning(name, *doubt.split(". ", 1))
    except PerennialError as error:
        yield HealthFinding.problem(name, error.problem, error.remedy)


def _champion(model: str, home: Home) -> tuple[str, str]:
    """That it loads, and why this CPU may answer otherwise than it was judged."""
    from perennial.inference.predictor import Predictor

    champion = aliases.champion(model, home)
    if champion is None:
        return "no champion yet", ""
    predictor = Predictor(home.store.root / champion.path, digest=champion.package_digest)
    lacking = predictor.missing_cpu_features
    less = f" (this CPU lacks {listing(lacking)}: scores may differ a little)" if lacking else ""
    return f"champion is version {champion.version}, which loads{less}", predictor.cpu_doubt


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

"""What is wrong with this installation, and how to mend it."""

from collections.abc import Callable, Iterable

from perennial.core import progress
from perennial.core.home import Home
from perennial.doctor import cuda_libraries, history, home_folder, installation, queries, schedules, services
from perennial.doctor.finding import Health, HealthFinding

__all__ = ["CHECKS", "Health", "HealthFinding", "examine_installation"]

Check = Callable[[Home], Iterable[HealthFinding]]

CHECKS: dict[str, Check] = {
    "Python": installation.python,
    "folder mlflow/": installation.mlflow_folder,
    "telemetry": installation.telemetry_off,
    "packages": installation.packages,
    "versions": installation.versions,
    "pairs": installation.pairs,
    "home": home_folder.home_folder,
    "disk": home_folder.disk,
    "leftovers": home_folder.leftovers,
    "Prefect": services.prefect,
    "base model": installation.base_model,
    "ONNX Runtime": installation.onnx_runtime,
    "processor": installation.processor,
    "CUDA libraries": cuda_libraries.cuda_libraries,
    "store": home_folder.store,
    "MLflow": services.mlflow,
    "ledger": history.ledger,
    "pipelines": services.pipelines,
    "queries": queries.queries,
    "schedules": schedules.schedules,
    "imports": installation.imports,
}
"""Every check by its name, the cheap ones first."""


def examine_installation(home: Home) -> list[HealthFinding]:
    """Run every check, reporting progress; what a check itself fails at is a finding, too. Never raises."""
    findings: list[HealthFinding] = []
    for number, (name, check) in enumerate(CHECKS.items()):
        progress.advance(number, len(CHECKS), unit="checks", detail=name)
        findings.extend(_found(name, check, home))
    progress.advance(len(CHECKS), len(CHECKS), unit="checks", detail="done")
    return findings


def _found(name: str, check: Check, home: Home) -> list[HealthFinding]:
    try:
        return list(check(home))
    except Exception as error:  # noqa: BLE001  (a broken installation can raise anything anywhere)
        observed = f"this check could not be made ({type(error).__name__})"
        return [
            HealthFinding.problem(
                name, observed, "Reinstall with `make setup`, and check the rights of the home folder."
            )
        ]

"""A registered decision made again, from what the registry holds beside the run."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.core.record import Record
from perennial.evaluation.redecide import redecide
from perennial.records.decision import Decision
from perennial.registry import aliases, run_log, tracking, versions
from perennial.registry.versions import Candidate
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    from mlflow import MlflowClient


class Redecided(Record):
    """What the answers come to."""

    name: str
    """Whose answers they are, in words."""
    decision: Decision
    registered: str | None = None
    """Digest of the registered decision; None: there is none to compare with."""
    agrees: bool | None = None
    """Whether it is the same decision; None: other gates were asked, or none is registered."""


def redecide_version(
    home: Home, run: str, version: str | None, spec: PipelineSpec | None, judging: int | None = None
) -> Redecided:
    """The decision on `version` (None: the champion) of the model `run`, or on the version that the MLflow run made.

    `spec`: by whose gates; None: those that were applied. `judging`: of a version that was judged several times, which,
    from 1; None: the last. Raises RegistryError when its evidence can't be had.
    """
    with tracking.session(home) as client, TemporaryDirectory(prefix="perennial-") as scratch:
        candidate = _candidate(client, home, run, version)
        if judging is not None:
            candidate = versions.as_judged(home, candidate, judging)
        stored = versions.evidence_of(client, home, candidate)
        folder = versions.judged_artifact(home, candidate, run_log.ANSWERS, Path(scratch))
        decision = redecide(spec or stored.spec, folder, stored.evidence.evaluation)
    registered = candidate.decision_digest
    return Redecided(
        name=f"version {candidate.registered.version} of {candidate.registered.model}",
        decision=decision,
        registered=registered,
        agrees=decision.digest == registered if spec is None else None,
    )


def redecide_folder(folder: Path, spec: PipelineSpec) -> Redecided:
    """The decision on the answers in `folder` by the gates of `spec`."""
    return Redecided(name=f"the answers in {folder}", decision=redecide(spec, folder))


def _candidate(client: "MlflowClient", home: Home, run: str, version: str | None) -> Candidate:
    if version is not None:
        return versions.candidate(client, home, run, version)
    if re.fullmatch(versions.RUN_ID, run):
        return versions.made_by(client, home, run)
    champion = aliases.version_of_champion(client, home, run)
    if champion is None:
        raise RegistryError(f"{run} has no champion.", remedy="Name a version, or an MLflow run's id.")
    return versions.candidate(client, home, run, str(champion.version))

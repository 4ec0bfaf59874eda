"""Does it serve? A registered version is fetched from the registry, loaded in a clean process, and made to answer.

Without torch, as a server has none, and the answers must be those that it was judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import PackageError, RegistryError, listing
from perennial.inference import decoders, package, process
from perennial.inference.probes import TEXTS
from perennial.promotion.safeguards import evidence_check
from perennial.records.evaluation import Cases
from perennial.registry import packages, tracking, versions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from perennial.core.home import Home
    from perennial.promotion.session import AliasSession

UNWANTED = frozenset({"torch", "transformers", "mlflow", "great_expectations"})
"""What a server does not have."""
SECONDS = 120.0
"""For loading the package and answering all cases."""
TOLERANCE = 1e-5
"""Of scores, on the kind of machine that the version was judged on."""


class CannotServeError(RegistryError):
    """What the registry holds is what was registered, but does not answer as it was judged to."""


def check(session: AliasSession, version: str, remedy: str, *, compare: bool = True) -> None:
    """Raises RegistryError, with `remedy`, when the package in the registry is not what was registered, and
    CannotServeError when it does not answer, or not as it did when it was judged.

    `compare`: whether it is refused when the evidence of how it was judged can't be had; else that is only told.
    """
    model_version = session.client.get_model_version(session.model, version)
    evidence_check.check_package(versions.candidate_of(model_version, session.statuses()))
    with packages.fetched_anew(session.client, session.home, model_version) as folder:
        progress.advance(0, None, detail=f"asking version {version}")
        ask_version(session.client, session.home, model_version, folder, remedy, compare=compare)


def ask_version(
    client: MlflowClient, home: Home, model_version: ModelVersion, folder: Path, remedy: str, *, compare: bool
) -> None:
    """Raises CannotServeError, with `remedy`, when the package of a version, whole in `folder`, does not answer as
    `check` wants it to.
    """
    try:
        ask(folder, _cases(client, home, model_version, compare))
    except PackageError as error:
        raise CannotServeError(
            f"Version {model_version.version} of {model_version.name} can't serve: {error.problem} "
            f"{tracking.UNTOUCHED}",
            remedy=remedy,
        ) from error


def ask(folder: Path, cases: Cases | None) -> None:
    """Raises PackageError when the package in `folder` can't be loaded in a clean process or does not answer there.

    `cases`: what it must answer; None: that is not known, and any answers do.
    """
    kind = package.read_package(folder).kind
    inputs = list(cases.inputs) if cases else _probes(kind)
    with process.running_program("answer", folder) as program:
        reply = program.ask(inputs, seconds=SECONDS)
    if heavy := UNWANTED & set(reply["loaded"]):
        raise PackageError(f"Answering loaded {listing(sorted(heavy))}, which a server does not have.")
    if len(reply["answers"]) != len(inputs):
        raise PackageError(f"It gave {len(reply['answers'])} answers to {len(inputs)} texts.")
    if cases is not None:
        _compare(kind, cases, reply)


def _cases(client: MlflowClient, home: Home, model_version: ModelVersion, compare: bool) -> Cases | None:
    try:
        candidate = versions.candidate_of(model_version, versions.ledger_statuses(home, model_version.name))
        return versions.evidence_of(client, home, candidate).evidence.evaluation.cases
    except RegistryError as error:
        if compare:
            raise
        progress.note(f"It is not known what version {model_version.version} has to answer. {error.problem}")
        return None


def _probes(kind: str) -> list[Any]:
    decoder = decoders.decoder_named(kind)
    return decoder.inputs({name: list(TEXTS) for name in decoder.columns[-1]})


def _compare(kind: str, cases: Cases, reply: Mapping[str, Any]) -> None:
    answers = reply["answers"]
    pairs = list(zip(cases.answers, answers, strict=True))
    # Other instructions, or another ONNX Runtime, round otherwise: there only the answers have to be the same.
    alike = tuple(reply["machine"]) == cases.machine
    same = kinds.kind_named(kind).same_answer
    changed = [
        number
        for number, (before, after) in enumerate(pairs, 1)
        if not (_near(before, after) if alike else same(before, after))
    ]
    if changed:
        where = "" if alike else f" (judged on {listing(cases.machine, 20)}; here: {listing(reply['machine'], 20)})"
        raise PackageError(
            f"In a clean process it answers {len(changed):,} of {len(pairs):,} fixed cases otherwise than when it was "
            f"judged: case {listing(changed)}{where}."
        )


def _near(before: Any, after: Any) -> bool:
    """Whether two answers are the same but for the last digits of their numbers."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(_near(before[name], after[name]) for name in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_near, before, after))
    if isinstance(before, float) and isinstance(after, float):
        return abs(before - after) <= TOLERANCE * max(1.0, abs(before))
    return bool(before == after)

"""A registered version made again, from what its tags lead to: the rows, the settings and the base model of its run.

In a store of its own, so that every step is really done, by the code and libraries that are installed now. Nothing is
registered and no alias moves.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from perennial.core import digest, libraries, progress
from perennial.core.errors import BaseModelError, RegistryError, StoreError, listing
from perennial.core.home import Home
from perennial.ingest import forgotten, parts, retirements
from perennial.promotion import reproduction_diff
from perennial.promotion.reproduction_diff import Reproduced
from perennial.records.data import Part, Retirement, Snapshot
from perennial.records.evaluation import Evaluation, Look
from perennial.records.package import Anchor, Champion
from perennial.records.run import Evidence
from perennial.records.training import StartingPoint
from perennial.registry import packages, tags, tracking, versions
from perennial.registry.versions import Candidate, StoredEvidence
from perennial.runs import candidate_steps, starting_point
from perennial.runs.candidate import CandidateSteps, build_candidate
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class JudgedAgainst:
    """Whom a version was judged against, and as which look at the test rows."""

    champion: Champion | None = None
    anchor: Anchor | None = None
    look: Look | None = None


def reproduce(
    home: Home, model: str, version: str, scratch: Home, folder: Path, tolerance: float = reproduction_diff.TOLERANCE
) -> Reproduced:
    """Make `version` of `model` again in the empty home `scratch`, and compare.

    `folder`: where relative paths in its settings start (its base model, its corrections). `tolerance`: what a metric
    on the test rows may differ by and still count as the same. Raises RegistryError when its evidence can't be had or
    is not its own, StoreError when a part of its rows is missing or was changed, BaseModelError when its base model is
    not the one it was made from, and whatever a step raises.
    """
    with progress.step("look up"):
        stored, rivals, problem = _looked_up(home, model, version, scratch)
        before = stored.evidence
        snapshot = _brought(f"Version {version} of {model}", before.snapshot, home, scratch)
        spec = _as_it_was(stored, folder)
        _check_base(f"Version {version} of {model}", spec, before)
        _tell(before, problem)
        start = starting_point.restore_starting_point(home, spec, before.trained.start, scratch)
    now = _made(spec, snapshot, start, rivals, scratch)
    return reproduction_diff.compare_evidence((model, version), before, now, tolerance, problem)


def _looked_up(home: Home, model: str, version: str, scratch: Home) -> tuple[StoredEvidence, JudgedAgainst, str | None]:
    """Its evidence, whom it was judged against, and why those can't be had."""
    with tracking.session(home) as client:
        # The judging on the rows of its run: later ones may be on newer rows, which no training saw.
        candidate = versions.as_first_judged(home, versions.candidate(client, home, model, version))
        stored = versions.evidence_of(client, home, candidate)
        _check_digests(candidate, client.get_model_version(model, version).tags, stored)
        evaluation = stored.evidence.evaluation
        if evaluation.champion_version is None:
            return stored, JudgedAgainst(), None
        try:
            champion = _champion(client, home, model, evaluation.champion_version, scratch)
            bar = _anchor(client, home, model, evaluation, scratch)
            return stored, JudgedAgainst(champion, bar, evaluation.look), None
        except RegistryError as error:
            return stored, JudgedAgainst(), error.problem.replace(tracking.UNTOUCHED, "").strip()


def _anchor(client: "MlflowClient", home: Home, model: str, evaluation: Evaluation, scratch: Home) -> Anchor | None:
    before = evaluation.anchor
    if before is None:
        return None
    package = None if before.problem else _champion(client, home, model, before.version, scratch)
    return Anchor(version=before.version, package=package, problem=before.problem, stands_for=before.stands_for)


def _champion(client: "MlflowClient", home: Home, model: str, version: str, scratch: Home) -> Champion:
    versions.candidate(client, home, model, version)  # says clearly that there is no such version
    return packages.fetch_anew(client, home, client.get_model_version(model, version), into=scratch)


def _check_digests(candidate: Candidate, marks: dict[str, str], stored: StoredEvidence) -> None:
    what, evidence = f"Version {candidate.registered.version} of {candidate.registered.model}", stored.evidence
    expected = {
        tags.DATA_DIGEST: retirements.digest_of_parts(
            [part.sha256 for part in evidence.snapshot.parts], evidence.snapshot.retired
        ),
        tags.PACKAGE_DIGEST: evidence.package.digest,
        tags.DECISION_DIGEST: evidence.decision.digest,
    }
    # Tags of the decision are for people: the ledger has it.
    marks = marks | {tags.DECISION_DIGEST: candidate.decision_digest or ""}
    other = [name for name, value in expected.items() if marks.get(name) != value]
    if other:
        raise RegistryError(
            f"{what} can't be reproduced: its {versions.EVIDENCE} in MLflow is not that of its tags "
            f"({listing(other)}); one of them was changed since it was registered.",
            remedy="Restore MLflow's artifacts from a backup.",
        )


def _brought(what: str, snapshot: Snapshot, home: Home, scratch: Home) -> Snapshot:
    """The snapshot with its parts and what was retired of them, found by their digests in the store of `home`, copied
    to that of `scratch`."""
    record = forgotten.read_forgotten(home.state(snapshot.pipeline))
    every, erased = len(snapshot.parts), record.parts() if record else {}
    taken: list[Part] = []
    for number, part in enumerate(snapshot.parts):
        progress.advance(number, every, unit="parts", detail="verifying the rows it was made from")
        path = f"{parts.STEP}/{part.sha256}/{parts.FILE}"
        which = f"part {number + 1} of {every} of the rows it was made from"
        _bring(what, which, path, part.sha256, home, scratch, erased)
        taken.append(part.model_copy(update={"path": path}))
    retired: list[Retirement] = []
    for one in snapshot.retired:
        path = f"{retirements.STEP}/{one.sha256}/{retirements.FILE}"
        _bring(what, "the list of rows that were corrected or deleted", path, one.sha256, home, scratch)
        retired.append(one.model_copy(update={"path": path}))
    return snapshot.model_copy(update={"parts": tuple(taken), "retired": tuple(retired)})


def _bring(
    what: str, which: str, path: str, sha256: str, home: Home, scratch: Home, erased: Collection[str] = ()
) -> None:
    source, target = home.store.root / path, scratch.store.root / path
    if sha256 in erased:
        raise StoreError(
            f"{what} can't be reproduced, now or later: rows it was made from were forgotten (`perennial forget`).",
            remedy="It serves all the same. A version that was trained since can be reproduced.",
        )
    if fault := _fault(source, sha256):
        raise StoreError(
            f"{what} can't be reproduced: {which} ({source}) {fault}.",
            remedy="Run this on the machine that made it, or bring that file back from there or from a backup.",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _fault(file: Path, sha256: str) -> str:
    if not file.is_file():
        return "is not there: it was made on another machine, or the part was removed"
    return "" if digest.of_file(file) == sha256 else "was changed since it was written"


def _as_it_was(stored: StoredEvidence, folder: Path) -> PipelineSpec:
    spec = stored.spec.located(folder)
    # `auto` may come to something else on this machine.
    training = spec.training.model_copy(update={"precision": stored.evidence.trained.precision})
    return spec.model_copy(update={"training": training})


def _check_base(what: str, spec: PipelineSpec, before: Evidence) -> None:
    base, expected = base_model.find_base_model(spec), before.trained.base_revision
    if base.revision != expected:
        raise BaseModelError(
            f"{what} can't be reproduced: it was made from the base model {spec.model.base} of revision "
            f"{expected[:12]}…, and what is in {base.folder} is {base.revision[:12]}….",
            remedy="Put the files there that it was made from; --pipeline names the folder where relative paths start.",
        )


def _tell(before: Evidence, champion_problem: str | None) -> None:
    """What may make a difference, before any time is spent."""
    if not before.libraries:
        progress.note("It is not written down which libraries made it: an older Perennial did.")
    if changed := reproduction_diff.changed(before.libraries, libraries.installed()):
        changes = [f"{one.name} {one.before}, now {one.now}" for one in changed]
        progress.note(f"These libraries are not what made it, so digests may differ: {listing(changes, 20)}.")
    if champion_problem:
        progress.note(f"The decision will not be compared: the champion then can't be had. {champion_problem}")


def _made(
    spec: PipelineSpec, snapshot: Snapshot, start: StartingPoint | None, rivals: JudgedAgainst, scratch: Home
) -> Evidence:
    with progress.timed() as seconds:
        return build_candidate(spec, snapshot, scratch, steps_again(start, rivals), seconds)


def steps_again(start: StartingPoint | None, rivals: JudgedAgainst) -> CandidateSteps:
    """The chain as plain functions, beginning at `start` and judged against `rivals`, as the version was then.

    Nobody decides by it, so it is no look at the test rows: what that might err with is what it was then.
    """
    return CandidateSteps(
        validate=candidate_steps.validate,
        encode=candidate_steps.encode,
        find_champion=lambda spec, home: rivals.champion,
        find_anchor=lambda spec, champion, home: rivals.anchor,
        say_power=lambda spec, data, champion, home: None,
        find_start=lambda spec, champion, home: start,
        finetune=candidate_steps.finetune,
        distill=candidate_steps.distill,
        export=candidate_steps.export,
        cascade=candidate_steps.cascade,
        evaluate=candidate_steps.evaluate,
        count_look=lambda spec, evaluation, *compared: evaluation.model_copy(update={"look": rivals.look}),
        decide=candidate_steps.decide,
    )

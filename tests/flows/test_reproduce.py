"""`perennial reproduce`: a version made again from its evidence, and what keeps that from being done."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from place import Place, assert_explained, flip

from perennial.core import libraries
from perennial.core.errors import RegistryError
from perennial.promotion import reproduction, reproduction_diff
from perennial.promotion.reproduction_diff import Agreement
from perennial.records.decision import Outcome
from perennial.records.run import Evidence
from perennial.registry import tracking
from perennial.registry.versions import EVIDENCE, StoredEvidence


@pytest.fixture(scope="module")
def _judged(_first_run: tuple[Place, object], prefect_api: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place whose champion, version 2, was judged against version 1, after `perennial gc`."""
    made = Place(tmp_path_factory.mktemp("reproduce") / "place", prefect_api)
    for part in ("store", "state"):
        shutil.copytree(_first_run[0].home.root / part, made.home.root / part)
    shutil.copytree(_first_run[0].folder / "pipelines", made.folder / "pipelines")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
            environment.delenv(name, raising=False)
        assert made.run("--json").json["version"] == "1"
        # Other gates, so nothing is trained.
        gates = "gates=[{metric: accuracy, min: 0.5}, {metric: accuracy, versus: champion, margin: 0.3}]"
        assert made.run("--json", "--set", gates, "--reason", "A test.").json["status"] == "promoted"
        orphan = made.home.store.folder("finetune", "of-nobody")
        orphan.mkdir()
        for path in made.home.store.root.glob("*/*"):
            os.utime(path, (0, 0))
        assert_explained(made.command("gc", "--keep", "1", "--keep-days", "0"), 0, "2 versions are kept")
        assert not orphan.exists()
    return made


@pytest.fixture
def judged(_judged: Place, _quiet_environment: None) -> Iterator[Place]:
    """The place; a test must leave it as it was."""
    before = contents(_judged.home.root), _judged.champion()
    yield _judged
    assert (contents(_judged.home.root), _judged.champion()) == before


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and when it was written, but for the lock files of databases that are only read."""
    files = [path for path in folder.rglob("*") if path.is_file() and "prefect" not in path.parts]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def test_what_was_made_is_made_again_from_the_tags_alone(judged: Place, tmp_path: Path) -> None:
    # The pipeline is gone; the base model is named by its whole path.
    hidden = judged.folder / "pipelines"
    hidden.rename(judged.folder / "elsewhere")
    try:
        ended = judged.command("reproduce", "tiny", "2", "--into", str(tmp_path / "kept"), "--json")
    finally:
        (judged.folder / "elsewhere").rename(hidden)
    assert ended.code == 0, ended.text
    answer = ended.json
    assert answer["sameness"] in {"identical", "same"}
    assert (answer["libraries"], answer["libraries_known"], answer["champion_problem"]) == ([], True, None)
    assert answer["decision"]["before"] == answer["decision"]["now"]
    facts = {fact["name"]: fact["before"] == fact["now"] for fact in answer["facts"]}
    assert all(facts[name] for name in ("data", "validated data", "base model"))
    assert {"weights", "package"} <= set(facts)
    names = {figure["name"] for figure in answer["figures"]}
    assert {"accuracy", "recall of 'positive'", "champion's accuracy", "tfidf's accuracy"} <= names
    # Every step was really done.
    assert list((tmp_path / "kept" / "store" / "finetune").iterdir())
    assert_explained(judged.command("reproduce", "tiny", "2", "--into", str(tmp_path / "kept")), 2, "not empty")


def test_a_part_that_is_not_what_it_was_is_refused(judged: Place) -> None:
    part = next((judged.home.store.root / "parts").glob("*/rows.parquet"))
    stat, aside = part.stat(), part.with_name("aside")
    shutil.copy2(part, aside)
    flip(part)
    refused = judged.command("reproduce", "tiny", "2")
    part.unlink()
    missing = judged.command("reproduce", "tiny", "2", "--json")
    aside.rename(part)
    os.utime(part, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert_explained(refused, 1, "Version 2 of tiny can't be reproduced: part", "was changed since it was written")
    assert_explained(missing, 1, "is not there: it was made on another machine", "Run this on the machine")


def test_evidence_that_is_not_that_of_the_tags_is_refused(judged: Place) -> None:
    with tracking.session(judged.home) as client:
        run_id = client.get_model_version("tiny", "1").run_id
    (file,) = judged.home.mlflow.rglob(f"{run_id}/artifacts/{EVIDENCE}")
    content, stat = file.read_bytes(), file.stat()
    evidence_file = json.loads(content)
    evidence_file["evidence"]["decision"]["digest"] = "0" * 64
    file.write_text(json.dumps(evidence_file))
    refused = judged.command("reproduce", "tiny", "1")
    file.unlink()
    missing = judged.command("reproduce", "tiny", "1")
    file.write_bytes(content)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert_explained(refused, 1, "evidence.json was changed since it was registered")
    assert_explained(missing, 1, "The evidence for version 1 of tiny can't be had")


def test_what_is_missing_is_named(judged: Place, tiny_base: Path) -> None:
    assert_explained(judged.command("reproduce", "tiny", "9"), 1, "There is no version 9 of tiny")
    config = tiny_base / "config.json"
    content = config.read_text()
    config.write_text(content + "\n")
    try:
        ended = judged.command("reproduce", "tiny", "1")
    finally:
        config.write_text(content)
    assert_explained(ended, 1, "Version 1 of tiny can't be reproduced: it was made from the base model")


def test_what_differs_is_shown_and_the_champion_may_be_gone(judged: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise RegistryError(f"The package of version 1 of tiny was removed. {tracking.UNTOUCHED}")

    def worse(*_: object) -> Evidence:
        made = evidence(judged)
        values = dict.fromkeys(made.evaluation.candidate.values, 0.125)
        candidate = made.evaluation.candidate.model_copy(update={"values": values})
        evaluation = made.evaluation.model_copy(update={"candidate": candidate})
        trained = made.trained.model_copy(update={"digest": "0" * 64})
        newer = made.libraries | {"torch": "99.0"}
        return made.model_copy(update={"evaluation": evaluation, "trained": trained, "libraries": newer})

    monkeypatch.setattr(reproduction.packages, "fetch_anew", gone)
    monkeypatch.setattr(reproduction, "_made", worse)
    ended = judged.command("reproduce", "tiny", "2", COLUMNS="200")
    assert_explained(ended, 4, "Version 2 of tiny: DIFFERENT", "torch", "99.0", "000000000000… differs", "0.1250")
    assert_explained(ended, 4, "The decision is not compared", "version 1 of tiny was removed.")
    assert tracking.UNTOUCHED not in ended.text
    assert judged.command("reproduce", "tiny", "2", "--tolerance", "1").code == 0


def evidence(place: Place) -> Evidence:
    """Of one of its versions."""
    file = next(place.home.mlflow.rglob(EVIDENCE))
    return StoredEvidence.model_validate_json(file.read_bytes()).evidence


def test_how_near_it_came(judged: Place) -> None:
    before = evidence(judged)
    assert before.libraries == libraries.installed()

    def moved(by: float, **changes: object) -> Evidence:
        values = before.evaluation.candidate.values | {"accuracy": before.evaluation.candidate.values["accuracy"] - by}
        candidate = before.evaluation.candidate.model_copy(update={"values": values})
        evaluation = before.evaluation.model_copy(update={"candidate": candidate})
        return before.model_copy(update={"evaluation": evaluation, **changes})

    def against(now: Evidence, problem: str | None = None) -> Agreement:
        return reproduction_diff.compare_evidence(("tiny", "1"), before, now, 0.01, problem).sameness

    rejected = before.decision.model_copy(update={"outcome": Outcome.REJECT})
    other_rows = before.validated.model_copy(update={"digest": "0" * 64})
    other_weights = before.trained.model_copy(update={"digest": "0" * 64})
    newer = before.libraries | {"torch": "99.0"}
    assert against(before) is against(moved(0.0, libraries=newer)) is Agreement.IDENTICAL
    assert against(moved(0.009)) is against(moved(0.0, trained=other_weights)) is Agreement.SAME
    assert against(moved(0.011)) is against(moved(0.0, validated=other_rows)) is Agreement.DIFFERENT
    assert against(moved(float("nan"))) is Agreement.DIFFERENT
    assert against(moved(0.0, decision=rejected)) is Agreement.DIFFERENT
    assert against(moved(0.0, decision=rejected), "It is gone.") is Agreement.IDENTICAL
    (one,) = reproduction_diff.changed(before.libraries, newer)
    assert (one.name, one.now) == ("torch", "99.0")
    assert reproduction_diff.changed({}, newer) == ()

"""What training starts from: the champion's very weights, wherever they are, or a reason why not."""

from pathlib import Path
from typing import Any

import pytest
from registry_helpers import Run, make_run

from perennial.core import digest
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import retention_store
from perennial.records.package import Champion
from perennial.records.run import Evidence
from perennial.records.training import Distillation, Start, TrainedModel
from perennial.registry import run_log
from perennial.registry.versions import StoredEvidence
from perennial.runs import starting_point
from perennial.settings.pipeline import PipelineSpec
from perennial.training import base_model, finetuning

WEIGHTS = b"weights of a trained model"


@pytest.fixture
def going_on(spec: PipelineSpec, tiny_base: Path) -> PipelineSpec:
    training = spec.training.model_copy(update={"start_from": "champion"})
    return spec.model_copy(
        update={"training": training, "model": spec.model.model_copy(update={"base": str(tiny_base)})}
    )


@pytest.fixture
def champion(home: Home, going_on: PipelineSpec) -> tuple[Run, Champion]:
    """A registered version whose weights are in the store and in MLflow."""
    run = make_run(home, going_on, "a" * 64)
    trained = store(home, run, WEIGHTS, base_model.find_base_model(going_on).revision)
    run = run.but(trained=trained)
    registered = run.register()
    return run, Champion(version=registered.version, package_digest=registered.package_digest, path="")


def store(home: Home, run: Run, content: bytes, revision: str) -> TrainedModel:
    """A trained model in the store, of which only its weights' digest matters here."""

    def write(folder: Path) -> TrainedModel:
        (folder / "model.safetensors").write_bytes(content)
        path = f"{finetuning.STEP}/known"
        found = {"digest": digest.of_file(folder / "model.safetensors"), "path": path, "base_revision": revision}
        made: TrainedModel = run.arguments["trained"].model_copy(update=found)
        return made

    return home.store.get_or_make(finetuning.STEP, "known", TrainedModel, write)


def found(run: Run, champion: Champion | None, **changes: Any) -> Start:
    spec = run.spec.model_copy(update=changes)
    made = starting_point.find_starting_point(spec, champion, run.home)
    assert made is not None
    return made.start


def test_it_is_found_by_its_lineage(champion: tuple[Run, Champion]) -> None:
    run, serving = champion
    made = starting_point.find_starting_point(run.spec, serving, run.home)
    assert made is not None
    assert made.start == Start(
        version="1", digest=run.arguments["trained"].digest, path="finetune/known/model.safetensors"
    )
    assert made.labels == run.spec.data.labels
    assert made.parts == ("b" * 64,)
    going_on = run.arguments["trained"].model_copy(update={"path": "finetune/next", "start": made.start})
    arguments = {name: value for name, value in run.but(trained=going_on).arguments.items() if name != "run_key"}
    # What `perennial gc` keeps with a version is also what it went on from.
    needed = retention_store.of_version(run.home, StoredEvidence(spec=run.spec, evidence=Evidence(**arguments)))
    assert {"finetune/next", "finetune/known"} <= needed


def test_from_the_base_nothing_is_looked_up(home: Home, spec: PipelineSpec) -> None:
    serving = Champion(version="1", package_digest="", path="")
    assert starting_point.find_starting_point(spec, serving, home.with_mlflow_at("http://127.0.0.1:9")) is None


def test_without_a_champion_it_is_the_base(home: Home, going_on: PipelineSpec) -> None:
    made = starting_point.find_starting_point(going_on, None, home)
    assert made is not None
    assert made.start == Start(problem="there is no champion yet")


def test_what_is_not_in_the_store_any_more_comes_from_mlflow_whole(champion: tuple[Run, Champion]) -> None:
    run, serving = champion
    run.home.store.forget(finetuning.STEP, "known")
    # Another training under the same key is not taken for it.
    store(run.home, run, b"other weights", run.arguments["trained"].base_revision)
    start = found(run, serving)
    assert start.path == f"{starting_point.STEP}/{start.digest}/model.safetensors"
    assert (run.home.store.root / str(start.path)).read_bytes() == WEIGHTS
    assert found(run, serving) == start

    run.home.store.forget(starting_point.STEP, str(start.digest))
    (kept,) = run.home.mlflow.rglob(f"{run_log.WEIGHTS}/model.safetensors")
    kept.write_bytes(b"changed")
    start = found(run, serving)
    assert start.version is None
    assert "neither in this store nor in MLflow" in str(start.problem)

    (evidence,) = run.home.mlflow.rglob("evidence.json")
    evidence.unlink()
    assert "evidence of version 1 is not in MLflow" in str(found(run, serving).problem)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"kind": "multi-label"}, "is of kind text-classification"),
        ({"data": {"splits": {"test": 0.2}}}, "may have learned from what are test rows now"),
        ({"model": {"pooling": "cls"}}, "has another head (mean)"),
        ({"model": {"base": "sentence-transformers/all-MiniLM-L6-v2"}}, "was made from another base model"),
    ],
)
def test_a_champion_of_another_make_is_not_started_from(
    changes: dict[str, Any], problem: str | None, home: Home, going_on: PipelineSpec
) -> None:
    run = make_run(home, going_on, "a" * 64)
    trained = store(home, run, WEIGHTS, base_model.find_base_model(going_on).revision)
    found = dict(run.but(trained=trained).arguments)
    found.pop("run_key")
    whole = going_on.model_dump()
    for name, value in changes.items():
        whole[name] = whole[name] | value if isinstance(value, dict) else value
    seen = starting_point._unfit(
        PipelineSpec.model_validate(whole), StoredEvidence(spec=going_on, evidence=Evidence(**found))
    )
    assert (problem is None) == (seen is None)
    assert (problem or "") in (seen or "")


def test_weights_are_sent_once_and_only_where_the_next_training_needs_them(champion: tuple[Run, Champion]) -> None:
    run, _ = champion
    run.register()
    assert len(list(run.home.mlflow.rglob(run_log.WEIGHTS))) == 1
    other = run.spec.model_copy(update={"name": "other", "training": run.spec.training.model_copy()})
    plain = other.model_copy(update={"training": other.training.model_copy(update={"start_from": "base"})})
    Run(plain, run.home, run.arguments).register()
    assert len(list(run.home.mlflow.rglob(run_log.WEIGHTS))) == 1


def test_a_champion_that_was_distilled_is_gone_on_from_as_its_teacher(home: Home, going_on: PipelineSpec) -> None:
    run = make_run(home, going_on, "a" * 64)
    teacher = store(home, run, WEIGHTS, base_model.find_base_model(going_on).revision)
    how = Distillation(layers=1, teacher_layers=2, metric="accuracy", teacher=teacher)
    small = {"digest": "9" * 64, "path": "distill/small", "decoding": {"temperature": 3.0}, "distillation": how}
    run = run.but(trained=teacher.model_copy(update=small))
    registered = run.register()
    serving = Champion(version=registered.version, package_digest=registered.package_digest, path="")
    made = starting_point.find_starting_point(run.spec, serving, home)
    assert made is not None
    assert (made.start.digest, made.decoding) == (teacher.digest, teacher.decoding)
    arguments = {name: value for name, value in run.arguments.items() if name != "run_key"}
    needed = retention_store.of_version(home, StoredEvidence(spec=run.spec, evidence=Evidence(**arguments)))
    assert {"distill/small", "finetune/known"} <= needed

    home.store.forget(finetuning.STEP, "known")
    start = found(run, serving)
    assert (home.store.root / str(start.path)).read_bytes() == WEIGHTS


def test_to_make_it_again_the_weights_must_be_there(champion: tuple[Run, Champion], tmp_path: Path) -> None:
    run, serving = champion
    scratch = Home(tmp_path / "scratch")
    start = found(run, serving)
    made = starting_point.restore_starting_point(run.home, run.spec, start, scratch)
    assert made is not None
    assert (scratch.store.root / str(made.start.path)).read_bytes() == WEIGHTS
    with pytest.raises(RegistryError, match=r"weights of version 1 of .*, which can't be had any more: its weights"):
        starting_point.restore_starting_point(
            run.home, run.spec, start.model_copy(update={"digest": "0" * 64}), scratch
        )
    nothing = Start(problem="there is no champion yet")
    again = starting_point.restore_starting_point(run.home, run.spec, nothing, scratch)
    assert again is not None
    assert again.start == nothing
    assert starting_point.restore_starting_point(run.home, run.spec, None, scratch) is None

"""Training: the same inputs give the same model, killed or not; what can't become a model ends in clear words."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipeline
import torch
import training_helpers
from safetensors.torch import load_file, save_file
from training_helpers import Work, killed, killed_judging

from perennial.core.errors import BaseModelError, TrainingError
from perennial.inference.decoders import Outputs
from perennial.records.training import TrainedModel
from perennial.training import base_model, checkpoints, model, trainer

TOKENS = 1024
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def weights(made: Work, trained: TrainedModel) -> dict[str, torch.Tensor]:
    return load_file(made.root / trained.path / model.WEIGHTS)


def accuracy(outputs: Outputs, targets: list[str]) -> float:
    """The share of rows whose likeliest label is the target."""
    return float(np.mean([tiny_pipeline.LABELS[output.argmax()] for output in outputs] == np.array(targets)))


def history(made: Work, trained: TrainedModel) -> list[dict[str, Any]]:
    record: dict[str, Any] = json.loads((made.root / trained.path / "training.json").read_text())
    found: list[dict[str, Any]] = record["history"]
    return found


@pytest.fixture(scope="session")
def reference(_encoded: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Work, TrainedModel]:
    """One undisturbed training of the tiny pipeline."""
    folder = Path(shutil.copytree(_encoded, tmp_path_factory.mktemp("reference") / "work"))
    made = training_helpers.prepare(folder)
    return made, made.train()


def test_it_learns_and_leaves_a_folder_without_pickles(reference: tuple[Work, TrainedModel]) -> None:
    made, trained = reference
    assert trained.validation["accuracy"] > 0.8
    assert (trained.pooling, trained.precision, trained.epochs) == ("mean", "fp32", 4)
    folder = made.root / trained.path
    assert {"model.safetensors", "config.json", "tokenizer.json", "training.json"} <= files_of(folder)
    assert not [path for path in folder.rglob("*") if path.suffix in PICKLES]
    assert not any(made.home.root.glob("checkpoints/*"))


def test_the_validation_rows_are_answered_once_an_epoch(work, monkeypatch: pytest.MonkeyPatch) -> None:
    answered: list[int] = []

    def counted(network: torch.nn.Module, segments: list[np.ndarray], *rest: int) -> list[np.ndarray]:
        answered.append(len(segments))
        return model.outputs_of(network, segments, *rest)

    monkeypatch.setattr(trainer, "outputs_of", counted)
    made = work(training__epochs=2)
    made.train()
    assert answered == [len(made.rows("validation")[0])] * 2


def test_its_temperature_is_fitted_on_the_validation_rows(reference: tuple[Work, TrainedModel]) -> None:
    _, trained = reference
    facts = trained.decoding["calibration"]
    assert facts["rows"] > 10
    assert facts["log_loss_after"] <= facts["log_loss_before"]
    assert trained.validation["log_loss"] == pytest.approx(facts["log_loss_after"], abs=1e-4)
    assert (trained.decoding["temperature"] == 1) == (facts["problem"] is not None)


def test_the_same_inputs_give_the_same_model(work, reference: tuple[Work, TrainedModel]) -> None:
    again = work().train()
    assert again.digest == reference[1].digest
    assert again.validation == reference[1].validation


def test_another_seed_gives_another_model(work, reference: tuple[Work, TrainedModel]) -> None:
    made = work(training__seed=7, training__epochs=1)
    assert made.train().digest != reference[1].digest


def test_a_training_that_is_there_is_not_done_again(reference: tuple[Work, TrainedModel]) -> None:
    made, trained = reference
    steps = len(made.notes.steps)
    assert made.train() == trained
    assert len(made.notes.steps) == steps


def test_the_stored_model_answers_as_the_trained_one(reference: tuple[Work, TrainedModel]) -> None:
    made, trained = reference
    segments, targets = made.rows("validation")
    outputs = model.outputs_of(model.load_model(made.root / trained.path), segments, 0, TOKENS)
    assert accuracy(outputs, targets) == pytest.approx(trained.validation["accuracy"])


@pytest.mark.parametrize("step", [24, 36], ids=["within an epoch", "at the end of one"])
def test_a_killed_training_resumes_to_the_same_model(
    step: int, work, reference: tuple[Work, TrainedModel], tmp_path: Path
) -> None:
    made = work(training__checkpoint_seconds=1e-6)
    killed(tmp_path / "work", step)
    left = list(made.home.root.glob("checkpoints/*/*"))
    assert any(path.name.startswith("step-") for path in left)
    assert not [file for path in left for file in path.rglob("*") if file.suffix in PICKLES]
    trained = made.train()
    resumed = [note for note in made.notes.messages if note.startswith("Resuming")]
    assert len(resumed) == 1
    assert f"at step {step - 1}" in resumed[0]
    assert made.notes.steps[0] == step
    assert trained.digest == reference[1].digest
    assert trained.validation == reference[1].validation
    assert not any(made.home.root.glob("checkpoints/*"))


@pytest.mark.parametrize("evaluation", [1, 3])
def test_one_that_is_killed_while_it_is_judged_resumes_to_the_same_model(
    evaluation: int, work, reference: tuple[Work, TrainedModel], tmp_path: Path
) -> None:
    made = work(training__checkpoint_seconds=1e-6)
    killed_judging(tmp_path / "work", evaluation)
    trained = made.train()
    assert len([note for note in made.notes.messages if note.startswith("Resuming")]) == 1
    assert trained.digest == reference[1].digest
    assert trained.validation == reference[1].validation
    assert trained.best_epoch == reference[1].best_epoch


def test_a_training_of_one_epoch_that_is_killed_while_it_is_judged_is_not_lost(work, tmp_path: Path) -> None:
    made = work(training__epochs=1, training__checkpoint_seconds=1e-6)
    killed_judging(tmp_path / "work", 1)
    trained = made.train()
    assert [note for note in made.notes.messages if note.startswith("Resuming")]
    shutil.rmtree(made.root / "finetune")
    assert made.train().digest == trained.digest


def test_a_checkpoint_of_an_epoch_that_was_not_judged_is_not_resumed(work, tmp_path: Path) -> None:
    # As builds before left it, when they were killed there.
    made = work(training__checkpoint_seconds=1e-6)
    killed(tmp_path / "work", 30)
    (latest,) = made.home.root.glob("checkpoints/*/step-*")
    assert checkpoints.damage(latest) is None
    state = json.loads((latest / checkpoints.TRAINER_STATE).read_bytes())
    (latest / checkpoints.TRAINER_STATE).write_text(json.dumps(state | {"epoch": 7.0}))
    assert checkpoints.damage(latest) == "epoch 7 was not evaluated"


def test_a_training_killed_before_its_first_checkpoint_starts_anew(
    work, reference: tuple[Work, TrainedModel], tmp_path: Path
) -> None:
    made = work(training__checkpoint_seconds=1000)
    killed(tmp_path / "work", 30)
    assert made.train().digest == reference[1].digest
    assert not made.notes.messages


@pytest.mark.parametrize("kind", ["nan", "inf"])
def test_a_loss_that_is_no_number_ends_the_training(kind: str, work, tiny_base: Path, tmp_path: Path) -> None:
    made = work()
    poisoned = tiny_pipeline.write_base(tmp_path / "poisoned")
    state = load_file(poisoned / "model.safetensors")
    for value in state.values():
        value[:] = float(kind)
    save_file(state, poisoned / "model.safetensors", metadata={"format": "pt"})
    made.spec = made.spec.model_copy(update={"model": made.spec.model.model_copy(update={"base": str(poisoned)})})
    with pytest.raises(TrainingError, match="Training diverged: the loss was nan at step") as caught:
        made.train()
    assert "training.learning_rate" in caught.value.remedy
    assert not any((made.root / "finetune").glob("*"))
    assert not any(made.home.root.glob("checkpoints/*"))


def test_a_collapsed_model_ends_the_training(work) -> None:
    made = work(training__learning_rate=1e-9, training__head_learning_rate=1e-9, training__epochs=0.2)
    with pytest.raises(TrainingError, match="Training collapsed: the best checkpoint answers label '") as caught:
        made.train()
    assert "class_weights" in caught.value.remedy
    assert not any((made.root / "finetune").glob("*"))
    assert not any(made.home.root.glob("checkpoints/*"))


def test_early_stopping_keeps_the_best(work) -> None:
    made = work(training__early_stopping=2, training__epochs=40, training__rows_per_batch=64)
    trained = made.train()
    assert trained.epochs < 40
    assert trained.epochs == pytest.approx(trained.best_epoch + 2)
    scores = {entry["epoch"]: entry["eval_macro_f1"] for entry in history(made, trained) if "eval_macro_f1" in entry}
    assert trained.validation["macro_f1"] == max(scores.values()) == scores[trained.best_epoch]


def test_frozen_weights_stay_and_others_move(work, tiny_base: Path) -> None:
    made = work(training__freeze_embeddings=True, training__freeze_layers=1, training__epochs=1)
    before = load_file(tiny_base / "model.safetensors")
    after = weights(made, made.train())
    moved = {
        name: not torch.equal(value, after[f"encoder.{name}"]) for name, value in before.items() if "pooler" not in name
    }
    assert {name for name, did in moved.items() if did} == {name for name in moved if "layer.1." in name}


OPTIONS: list[dict[str, Any]] = [
    {"class_weights": "balanced"},
    {"label_smoothing": 0.3},
    {"accumulation": 3},
    {"precision": "bf16"},
    {"max_gradient_norm": 0.01, "weight_decay": 0.0, "dropout": 0.0, "warmup": 0.0},
    {"epochs": 0.5, "learning_rate": 2e-2, "rows_per_batch": 4},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options))
def test_each_option_trains_another_model_that_learns(
    options: dict[str, Any], work, reference: tuple[Work, TrainedModel]
) -> None:
    made = work(**{f"training__{name}": value for name, value in options.items()})
    trained = made.train()
    assert trained.digest != reference[1].digest
    assert trained.validation["accuracy"] > 0.5
    assert trained.precision == options.get("precision", "fp32")


def test_accumulation_takes_fewer_steps(work, reference: tuple[Work, TrainedModel]) -> None:
    made = work(training__accumulation=3)
    made.train()
    assert len(made.notes.steps) == pytest.approx(len(reference[0].notes.steps) / 3, abs=4)


def test_the_architectures_own_head_trains_and_comes_back_with_equal_logits(work) -> None:
    made = work(model__pooling="cls", training__epochs=6)
    trained = made.train()
    assert trained.pooling == "cls"
    assert trained.validation["accuracy"] > 0.5
    network = model.load_model(made.root / trained.path)
    assert any("pooler" in name for name, _ in network.named_parameters())
    segments, targets = made.rows("validation")
    first = model.outputs_of(network, segments, 0, TOKENS)
    assert accuracy(first, targets) == pytest.approx(trained.validation["accuracy"])
    copy = model.build_model(made.spec, base_model.find_base_model(made.spec), 3).eval()
    copy.load_state_dict(weights(made, trained))
    # Trained with plain attention, loaded with the fused one.
    assert np.allclose(model.outputs_of(copy, segments, 0, TOKENS), first, atol=1e-5)


def test_auto_pooling_follows_the_base(work, tiny_base: Path, tmp_path: Path) -> None:
    plain = tiny_pipeline.write_base(tmp_path / "plain")
    (plain / "modules.json").unlink()
    spec = work(training__epochs=1).spec
    assert model.pooling(spec, base_model.find_base_model(spec)) == "mean"
    other = spec.model_copy(update={"model": spec.model.model_copy(update={"base": str(plain)})})
    assert model.pooling(other, base_model.find_base_model(other)) == "cls"


def test_weights_that_are_no_safetensors_are_refused_in_words(work, tmp_path: Path) -> None:
    broken = tiny_pipeline.write_base(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00garbage!")
    made = work()
    made.spec = made.spec.model_copy(update={"model": made.spec.model.model_copy(update={"base": str(broken)})})
    with pytest.raises(BaseModelError, match="can't be loaded"):
        made.train()

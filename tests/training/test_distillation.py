"""A student: fewer layers, begun with its teacher's, taught by its outputs; the same each time, killed or not."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_pipeline
import torch
import training_helpers
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tiny_kinds import CASES
from training_helpers import Work, killed

from perennial import kinds
from perennial.core.errors import BaseModelError, SpecError, TrainingError
from perennial.core.model_families import family_named
from perennial.records.training import TrainedModel
from perennial.training import memory, model
from perennial.training.checkpoints import Checkpoints
from perennial.training.distillation import student_network, teacher_outputs
from perennial.training.encoding.dataset import NOT_LEARNED, EncodedRows, collate

ASKED = {"layers": 1, "epochs": 4}


@pytest.fixture(scope="module")
def _taught(_encoded: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedModel]:
    """A folder with a teacher, and its record."""
    folder = Path(shutil.copytree(_encoded, tmp_path_factory.mktemp("taught") / "work"))
    tiny_pipeline.write_settings(folder / "tiny", tiny_base, export__student=ASKED)
    return folder, training_helpers.prepare(folder).train()


@pytest.fixture(scope="module")
def reference(_taught: tuple[Path, TrainedModel]) -> tuple[Work, TrainedModel, TrainedModel]:
    """One undisturbed distillation: the work, the teacher, its student."""
    made = training_helpers.prepare(_taught[0])
    return made, _taught[1], made.distil(_taught[1])


@pytest.fixture
def school(_taught: tuple[Path, TrainedModel], tiny_base: Path, tmp_path: Path) -> Any:
    """Makes a work of the test's own with the teacher; arguments change its settings."""

    def make(**changes: Any) -> tuple[Work, TrainedModel]:
        folder = Path(shutil.copytree(_taught[0], tmp_path / "school"))
        shutil.rmtree(folder / "home" / "store" / "distill", ignore_errors=True)
        tiny_pipeline.write_settings(folder / "tiny", tiny_base, **{"export__student": ASKED} | changes)
        return training_helpers.prepare(folder), _taught[1]

    return make


def test_a_student_is_an_ordinary_model_of_fewer_layers(reference: tuple[Work, TrainedModel, TrainedModel]) -> None:
    made, taught_by, trained = reference
    how = trained.distillation
    assert how is not None
    assert (how.layers, how.teacher_layers, how.metric, how.teacher) == (1, 2, "accuracy", taught_by)
    assert trained.validation["accuracy"] > 0.8
    assert trained.fine_tuned == taught_by == taught_by.fine_tuned
    folder = made.root / trained.path
    assert trained.path.startswith("distill/")
    assert json.loads((folder / "config.json").read_text())["num_hidden_layers"] == 1
    assert {path.name for path in folder.iterdir()} >= {"model.safetensors", "tokenizer.json", "training.json"}
    own, of_teacher = trained.validation["accuracy"], taught_by.validation["accuracy"]
    (told,) = trained.remarks
    assert told == (
        f"It has 1 of 2 layers, distilled: its validation accuracy is {own:.3f}, its teacher's {of_teacher:.3f}."
    )
    outputs = model.outputs_of(model.load_model(folder), made.rows("validation")[0], 0, 1024)
    answers = [tiny_pipeline.LABELS[output.argmax()] for output in outputs]
    assert np.mean(np.array(answers) == made.rows("validation")[1]) == pytest.approx(own)
    assert not any(made.home.root.glob("checkpoints/*"))


def test_the_same_teacher_gives_the_same_student(school, reference: tuple[Work, TrainedModel, TrainedModel]) -> None:
    made, taught_by = school()
    again = made.distil(taught_by)
    assert (again.digest, again.validation) == (reference[2].digest, reference[2].validation)
    steps = len(made.notes.steps)
    assert made.distil(taught_by) == again
    assert len(made.notes.steps) == steps


def test_other_settings_give_another_student(school, reference: tuple[Work, TrainedModel, TrainedModel]) -> None:
    made, taught_by = school(export__student={**ASKED, "temperature": 1, "soft_share": 0.2, "epochs": 1})
    other = made.distil(taught_by)
    assert other.path != reference[2].path
    assert other.digest != reference[2].digest
    assert other.epochs == 1


def test_a_killed_distillation_resumes_to_the_same_student(
    school, reference: tuple[Work, TrainedModel, TrainedModel], tmp_path: Path
) -> None:
    made, taught_by = school(training__checkpoint_seconds=1e-6)
    killed(tmp_path / "school", 24)
    (outputs,) = made.home.root.glob("checkpoints/*/teacher-1/*")
    written = outputs.stat().st_mtime_ns
    assert not [path for path in made.home.root.glob("checkpoints/*/*/*") if path.suffix in {".bin", ".pt", ".pkl"}]
    made.notes.kill_at = None
    seen = []
    real = made.notes.advance

    def advance(done: float, total: float | None, unit: str, detail: str) -> None:
        seen.append((unit, outputs.exists() and outputs.stat().st_mtime_ns == written))
        real(done, total, unit, detail)

    made.notes.advance = advance
    trained = made.distil(taught_by)
    assert [note for note in made.notes.messages if "cut short at step 23" in note]
    # The teacher is not asked again.
    assert seen[0] == ("step", True)
    assert trained.digest == reference[2].digest
    assert not any(made.home.root.glob("checkpoints/*"))


def test_a_teacher_is_asked_anew_where_what_it_gave_is_damaged(
    school, reference: tuple[Work, TrainedModel, TrainedModel], tmp_path: Path
) -> None:
    made, taught_by = school(training__checkpoint_seconds=1e-6)
    killed(tmp_path / "school", 4)
    (outputs,) = made.home.root.glob("checkpoints/*/teacher-1/*")
    os.truncate(outputs, outputs.stat().st_size // 2)
    made.notes.kill_at = None
    assert made.distil(taught_by).digest == reference[2].digest
    (told,) = [note for note in made.notes.messages if "it is asked anew" in note]
    assert str(outputs) in told


def test_batches_that_do_not_fit_are_learned_in_pieces(
    school, reference: tuple[Work, TrainedModel, TrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, taught_by = school()
    real = model.MeanPooled.forward

    def forward(self: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        if len(input_ids) > 8:
            raise torch.OutOfMemoryError
        return real(self, input_ids, attention_mask)

    monkeypatch.setattr(model.MeanPooled, "forward", forward)
    trained = made.distil(taught_by)
    assert [one.rows_per_batch for one in trained.halved] == [8]
    assert trained.validation["accuracy"] == pytest.approx(reference[2].validation["accuracy"], abs=0.05)

    def never(*_: Any) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(model.MeanPooled, "forward", never)
    made.home.store.forget("distill", Path(trained.path).name)
    with pytest.raises(TrainingError, match="while the teacher was asked"):
        made.distil(taught_by)


@pytest.mark.parametrize("name", CASES)
def test_every_kind_has_students(name: str, tiny_base: Path, tmp_path: Path) -> None:
    case = CASES[name]
    tiny_pipeline.write_pipeline(
        tmp_path / "tiny",
        tiny_base,
        case.rows(300),
        kind=case.kind,
        data__labels=list(case.labels),
        data__columns=case.columns,
        training__epochs=3,
        gates=[{"metric": case.headline, "min": 0.5}],
        export__student={"layers": 1, "epochs": 3, "soft_share": 1},
    )
    made = training_helpers.prepare(tmp_path)
    taught_by = made.train()
    trained = made.distil(taught_by)
    # From its teacher's outputs alone.
    assert trained.validation[case.headline] > 0.5
    assert trained.decoding.keys() == taught_by.decoding.keys()
    units = {"mean", "scale"} & trained.decoding.keys()
    assert [trained.decoding[unit] for unit in units] == [taught_by.decoding[unit] for unit in units]


@pytest.mark.parametrize("name", kinds.names())
def test_nothing_is_nearer_to_the_teacher_than_what_it_gives(name: str) -> None:
    made = torch.Generator().manual_seed(3)
    shape = {"regression": (6, 1), "token-classification": (6, 4, 5)}.get(name, (6, 3))
    targets = torch.zeros(shape[:-1], dtype=torch.int64)
    targets[0] = NOT_LEARNED if name == "token-classification" else 0
    soft = torch.randn(shape, generator=made)

    def apart(outputs: torch.Tensor, temperature: float = 2.0) -> float:
        return float(kinds.kind_named(name).soft_loss(outputs, soft, targets, temperature))

    outputs = soft.clone().requires_grad_()
    kinds.kind_named(name).soft_loss(outputs, soft, targets, 2.0).backward()
    assert outputs.grad is not None
    assert outputs.grad.abs().max() < 1e-6
    nearest = apart(soft)
    for scale in (0.1, 1.0, 3.0):
        assert apart(soft + scale * torch.randn(shape, generator=made)) > nearest
    # A mean: the same rows twice are as far.
    other = torch.randn(shape, generator=made)
    twice = kinds.kind_named(name).soft_loss(*(torch.cat([each, each]) for each in (other, soft, targets)), 2.0)
    assert float(twice) == pytest.approx(apart(other), rel=1e-5)


def test_what_is_never_read_is_not_learned() -> None:
    kind = kinds.kind_named("token-classification")
    soft, targets = torch.randn(2, 3, 5), torch.tensor([[NOT_LEARNED, 1, NOT_LEARNED], [0, NOT_LEARNED, NOT_LEARNED]])
    outputs = torch.where((targets == NOT_LEARNED).unsqueeze(-1), torch.randn(2, 3, 5), soft)
    assert float(kind.soft_loss(outputs, soft, targets, 2.0)) == pytest.approx(0, abs=1e-6)
    nothing = torch.full_like(targets, NOT_LEARNED)
    assert float(kind.soft_loss(torch.randn(2, 3, 5), soft, nothing, 2.0)) == 0


@given(st.integers(2, 40).flatmap(lambda of: st.tuples(st.integers(1, of - 1), st.just(of))))
def test_layers_are_evenly_spaced(numbers: tuple[int, int]) -> None:
    layers, of = numbers
    kept = student_network.evenly_spaced_layers(layers, of)
    assert len(set(kept)) == layers
    assert kept == sorted(kept)
    assert kept[0] == 0
    assert layers == 1 or kept[-1] == of - 1
    gaps = np.diff(kept)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_the_layers_are_those_of_distilbert() -> None:
    assert student_network.evenly_spaced_layers(6, 12) == [0, 2, 4, 7, 9, 11]
    assert student_network.evenly_spaced_layers(3, 6) == [0, 2, 5]


@pytest.mark.parametrize("architecture", ["bert", "distilbert", "roberta", "modernbert"])
def test_a_student_begins_as_its_teacher_less_some_layers(architecture: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    torch.manual_seed(5)
    sizes = {"vocab_size": 30, "num_hidden_layers": 5, "num_attention_heads": 2, "max_position_embeddings": 40}
    wide = (
        {"dim": 16, "hidden_dim": 32} if architecture == "distilbert" else {"hidden_size": 16, "intermediate_size": 32}
    )
    config = AutoConfig.for_model(architecture, **sizes, **wide, pad_token_id=0)
    model.save_model(model.OwnHead(AutoModelForSequenceClassification.from_config(config)), tmp_path)
    made = student_network.student_of(tmp_path, 3, dropout=0.1)
    begun, known = made.state_dict(), load_file(tmp_path / model.WEIGHTS)
    for name, values in begun.items():
        family = family_named(architecture)
        number = family.layer_number(name)
        source = name if number is None else family.in_layer(name, [0, 2, 4][number])
        assert torch.equal(values, known[source])
    assert student_network.layers_of(tmp_path) == 5
    ids = torch.ones(2, 4, dtype=torch.int64)
    assert made.eval()(ids, torch.ones_like(ids)).shape == (2, 2)


def test_what_the_teacher_gives_lies_beside_its_row(reference: tuple[Work, TrainedModel, TrainedModel]) -> None:
    made, taught_by, _ = reference
    chosen = np.array([3, 5, 40, 41, 200])
    rows = EncodedRows(made.encoded, made.root, chosen)
    assert len(rows[0]) == 2
    for per_token in (False, True):
        expected = [
            np.full((len(ids), 2) if per_token else 2, number, np.float32) for number, (ids, _) in enumerate(rows)
        ]
        rows._per_token = per_token
        rows.soft = np.concatenate(expected) if per_token else np.stack(expected)
        given = [rows[place] for place in range(5)]
        for (_, _, found), wanted in zip(given, expected, strict=True):
            assert np.array_equal(found, wanted)
        rows.soft = None
    kept = Checkpoints(made.home.checkpoints("of-this-test"))
    found = teacher_outputs.ask_teacher(made.root / taught_by.path, rows, 0, per_token=False, kept=kept)
    segments = [rows[place][0] for place in range(5)]
    assert np.allclose(
        found, np.stack(model.outputs_of(model.load_model(made.root / taught_by.path), segments, 0, 64)), atol=1e-5
    )
    kept.remove()


def test_pieces_of_a_batch_keep_what_the_teacher_gives() -> None:
    ids = [np.arange(1, length, dtype=np.int32) for length in (3, 6, 4)]
    soft = [np.full((len(each), 2), len(each), np.float32) for each in ids]
    batch = collate([(each, each.astype(np.int64), given) for each, given in zip(ids, soft, strict=True)], 0)
    assert batch["soft"].shape == (3, 5, 2)
    assert batch["soft"][0, 2:].abs().sum() == 0
    pieces = [piece for _, piece in memory.cut_batch(batch, 3)]
    assert [tuple(piece["soft"].shape) for piece in pieces] == [(1, 2, 2), (1, 5, 2), (1, 3, 2)]
    assert [float(piece["soft"].min()) for piece in pieces] == [2, 5, 3]


@pytest.mark.parametrize("layers", [2, 7])
def test_as_many_layers_as_the_teacher_has_are_no_student(layers: int, work) -> None:
    with pytest.raises(BaseModelError, match=f"export.student.layers is {layers}, but .* has 2") as caught:
        work(export__student={"layers": layers})
    assert "to 1 or less" in caught.value.remedy


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"layers": 0}, "export.student.layers: .* greater than or equal to 1"),
        ({"epochs": 3}, "'export.student.layers' is missing"),
        ({"layers": 1, "temprature": 2}, "did you mean 'temperature'"),
        ({"layers": 1, "soft_share": 1.5}, "export.student.soft_share"),
    ],
)
def test_settings_that_make_no_sense_are_refused(asked: dict[str, Any], words: str, work) -> None:
    with pytest.raises(SpecError, match=words):
        work(export__student=asked)

"""A training that starts from the champion starts from its very weights, also where labels came or went."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tiny_pipeline
import torch
from safetensors.torch import load_file, save_file
from tiny_pipeline import LABELS
from training_helpers import Work, prepare

from perennial import kinds
from perennial.core.errors import TrainingError
from perennial.records.training import SampleSize, Start, StartingPoint, TrainedModel
from perennial.training import base_model, model, row_selection, warm_start
from perennial.training.finetuning import Lesson, finetune

KIND = kinds.kind_named("text-classification")
STILL: dict[str, Any] = {"learning_rate": 1e-12, "head_learning_rate": 1e-12, "dropout": 0.0, "epochs": 1}


@dataclass
class Known:
    """A trained model, as the champion that another training starts from."""

    made: Work
    trained: TrainedModel

    def point(self, **changes: Any) -> StartingPoint:
        path = f"{self.trained.path}/{model.WEIGHTS}"
        made = StartingPoint(
            start=Start(version="1", digest=self.trained.digest, path=path),
            labels=LABELS,
            parts=tuple(part.source.sha256 for part in self.made.validated.parts),
        )
        return made.model_copy(update=changes)

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.made.root / self.trained.path / model.WEIGHTS)


@pytest.fixture
def known(work) -> Known:
    made = work(training__epochs=2)
    return Known(made, made.train())


def changed(made: Work, **some: Any) -> None:
    """Other settings of training, from here on."""
    training = made.spec.training.model_validate(made.spec.training.model_dump() | some)
    made.spec = made.spec.model_copy(update={"training": training})


def built(made: Work, labels: tuple[str, ...]) -> torch.nn.Module:
    torch.manual_seed(0)
    return model.build_model(made.spec, base_model.find_base_model(made.spec), len(labels))


def go_on(made: Work, start: StartingPoint | None) -> TrainedModel:
    return finetune(made.spec, made.encoded, made.validated, made.home, start)


def test_it_starts_from_the_champions_weights(known: Known) -> None:
    changed(known.made, **STILL)
    trained = go_on(known.made, known.point())
    found = load_file(known.made.root / trained.path / model.WEIGHTS)
    assert all(torch.allclose(found[name], value, atol=1e-6) for name, value in known.weights.items())
    assert trained.validation == pytest.approx(known.trained.validation, abs=1e-4)
    assert trained.start == known.point().start
    record = json.loads((known.made.root / trained.path / "training.json").read_text())
    assert record["start"]["version"] == "1"


def test_the_weights_it_starts_from_are_in_its_key(known: Known) -> None:
    changed(known.made, epochs=1)
    first, again = (go_on(known.made, known.point()) for _ in range(2))
    other = go_on(known.made, known.point(start=Start(problem="there is no champion yet")))
    base = go_on(known.made, None)
    assert first == again
    assert len({first.path, other.path, base.path}) == 3
    assert other.digest == base.digest != first.digest
    assert other.start == Start(problem="there is no champion yet")
    assert base.start is None


@pytest.mark.parametrize(
    "labels",
    [("positive", "mixed", "negative", "neutral"), ("neutral", "positive"), ("neutral", "negative", "positive")],
)
def test_labels_that_both_know_keep_their_outputs(labels: tuple[str, ...], known: Known) -> None:
    network, fresh = built(known.made, labels), built(known.made, labels)
    names = warm_start.load_start(network, known.point(), KIND, labels, known.made.root)
    for name in ("head.weight", "head.bias"):
        now, before, untouched = network.state_dict()[name], known.weights[name], fresh.state_dict()[name]
        for place, label in enumerate(labels):
            expected = before[LABELS.index(label)] if label in LABELS else untouched[place]
            assert torch.equal(now[place], expected)
    encoder = {name for name in known.weights if name.startswith("encoder.")}
    assert names == encoder
    assert all(torch.equal(network.state_dict()[name], known.weights[name]) for name in encoder)


def test_with_the_same_labels_the_head_is_known_too(known: Known) -> None:
    network = built(known.made, LABELS)
    assert warm_start.load_start(network, known.point(), KIND, LABELS, known.made.root) == set(known.weights)
    assert warm_start.encoder_names(network) == {name for name in known.weights if name.startswith("encoder.")}


def test_the_architectures_own_head_keeps_its_outputs_too(work) -> None:
    made = work(model__pooling="cls", training__epochs=2)
    known = Known(made, made.train())
    labels = ("mixed", *LABELS)
    network = built(made, labels)
    warm_start.load_start(network, known.point(), KIND, labels, made.root)
    (name,) = [name for name, value in network.state_dict().items() if value.shape[:1] == (4,) and value.ndim == 2]
    assert torch.equal(network.state_dict()[name][1:], known.weights[name])


def test_weights_of_another_network_are_refused_in_words(known: Known) -> None:
    path = known.made.root / known.trained.path / "other.safetensors"
    save_file({name: value[:1].clone() for name, value in known.weights.items()}, path)
    start = known.point(start=Start(version="7", digest="0", path=f"{known.trained.path}/other.safetensors"))
    with pytest.raises(TrainingError, match=r"weights of version 7, .* are of another network") as caught:
        go_on(known.made, start)
    assert "base" in caught.value.remedy


def grown(known: Known, count: int = 60) -> Work:
    """The pipeline with one more part of rows."""
    folder = known.made.home.root.parent
    tiny_pipeline.write_jsonl(folder / "tiny" / "data" / "second.jsonl", tiny_pipeline.rows(count, 1000))
    return prepare(folder)


def test_numbers_stay_in_the_champions_units(known: Known) -> None:
    regression, rows = kinds.kind_named("regression"), np.array([1.0, 2.0, 6.0])
    fresh = regression.statistics(rows, (), known.made.spec.training)
    units = {"mean": 10.0, "scale": 4.0}
    start = known.point(decoding=units | {"temperature": 2.0})
    every = row_selection.SelectedRows(3)
    assert Lesson(start, every).in_its_units(fresh) == units
    assert Lesson(StartingPoint(start=Start(problem="none yet")), every).in_its_units(fresh) == fresh
    assert Lesson(None, every).in_its_units(fresh) == fresh


def test_new_rows_and_a_share_of_the_old_are_learned_from(known: Known) -> None:
    made = grown(known)
    new = made.encoded.parts[1].rows
    changed(made, start_from="champion", replay=0.5, epochs=1)
    trained = go_on(made, known.point())
    assert trained.sample == SampleSize(rows=2 * new, of=made.encoded.rows, new=new)
    assert trained.train_rows == 2 * new
    changed(made, replay=0.0)
    assert go_on(made, known.point()).sample == SampleSize(rows=new, of=made.encoded.rows, new=new)


def test_from_the_base_rows_are_drawn_from_all_parts(known: Known) -> None:
    made = grown(known)
    changed(made, max_rows=90, half_life_days=0.1, epochs=4)
    found = row_selection.select_rows(made.spec, made.encoded, made.validated, None, made.root)
    assert found.sample == SampleSize(rows=90, of=made.encoded.rows, new=None)
    assert found.segments is not None
    assert len(found.segments) == 90
    # The second part's rows are 640 minutes younger: four half-lives and more.
    assert np.mean(found.segments >= made.encoded.parts[0].rows) > made.encoded.parts[1].rows / made.encoded.rows
    assert go_on(made, None).train_rows == 90


def test_a_larger_history_trains_no_longer(known: Known) -> None:
    made = grown(known, 600)
    changed(made, max_rows=64, epochs=4)
    assert made.encoded.rows > 64
    made.train()
    changed(known.made, max_rows=64, epochs=4)
    known.made.notes.steps.clear()
    known.made.train()
    assert max(made.notes.steps) <= max(known.made.notes.steps) + 1

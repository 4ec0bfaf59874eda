"""What is attached for the training alone is trained, resumed, and folded into a model like any other."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from training_helpers import Work

from perennial.records.training import TrainedModel
from perennial.training import base_model, model
from perennial.training.attachments import attachment, choice
from perennial.training.attachments.attachment import Attachment
from perennial.training.attachments.vocabulary import TrimmedVocabulary
from perennial.training.encoding.dataset import EncodedRows

TARGETS = re.compile(r"attention\.self\.(query|value)$")


class LowRank(nn.Module):
    """A linear layer plus a product of two thin matrices, which alone are trained (Hu et al. 2021)."""

    def __init__(self, layer: nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Parameter(torch.randn(rank, layer.in_features) / rank)
        self.up = nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        return self.layer(states) + states @ self.down.T @ self.up.T

    def merged(self) -> nn.Linear:
        self.layer.weight.data += self.up.data @ self.down.data
        return self.layer


class LowRankUpdates:
    """A second user of the seam."""

    def attach(self, network: nn.Module) -> None:
        encoder = model.pretrained_part(network)
        encoder.requires_grad_(False)
        for parent, name, layer in list(self._layers(encoder, nn.Linear)):
            setattr(parent, name, LowRank(layer, 2))

    def fold(self, network: nn.Module) -> None:
        for parent, name, layer in list(self._layers(model.pretrained_part(network), LowRank)):
            setattr(parent, name, layer.merged())

    def _layers(self, encoder: nn.Module, kind: type[nn.Module]) -> Iterator[tuple[nn.Module, str, Any]]:
        for name, module in encoder.named_modules():
            if isinstance(module, kind) and TARGETS.search(name):
                parent, _, own = name.rpartition(".")
                yield encoder.get_submodule(parent), own, module


class CutShortError(Exception):
    """Stands for a kill."""


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each training has a trimmed vocabulary and low-rank updates attached."""
    trimmed = choice.chosen_attachments

    def chosen(rows: EncodedRows, padding: int) -> tuple[Attachment, ...]:
        return (*trimmed(rows, padding), LowRankUpdates())

    monkeypatch.setattr(choice, "chosen_attachments", chosen)


def base_weights(made: Work) -> dict[str, torch.Tensor]:
    folder = base_model.find_base_model(made.spec).folder
    return {f"encoder.{name}": values for name, values in load_file(folder / model.WEIGHTS).items()}


def weights(made: Work, trained: TrainedModel) -> dict[str, torch.Tensor]:
    return load_file(made.root / trained.path / model.WEIGHTS)


@pytest.mark.usefixtures("both")
def test_what_was_learned_is_in_the_weights_and_nothing_else_is_there(work) -> None:
    made = work(training__epochs=2, training__learning_rate=0.1)
    trained = made.train()
    before, after = base_weights(made), weights(made, trained)
    assert after.keys() == {name for name in before if "pooler" not in name} | {"head.weight", "head.bias"}
    changed = {name for name in after.keys() & before.keys() if not torch.equal(before[name], after[name])}
    assert {name.removesuffix(".weight") for name in changed} == {
        f"encoder.encoder.layer.{number}.attention.self.{part}" for number in (0, 1) for part in ("query", "value")
    }
    # The stored model answers as the one with its attachments did when it was judged.
    segments, targets = made.rows("validation")
    outputs = model.outputs_of(model.load_model(made.root / trained.path), segments, 0, 1024)
    answers = [made.spec.data.labels[output.argmax()] for output in outputs]
    assert np.mean(np.array(answers) == targets) == pytest.approx(trained.validation["accuracy"])


@pytest.mark.usefixtures("both")
def test_a_training_that_was_cut_short_resumes_with_what_was_attached(work, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = work("reference", training__epochs=2, training__learning_rate=0.1)
    whole = reference.train()
    made = work(training__epochs=2, training__learning_rate=0.1, training__checkpoint_seconds=1e-6)
    advance = made.notes.advance

    def cut(done: float, total: float | None, unit: str, detail: str) -> None:
        advance(done, total, unit, detail)
        if unit == "step" and done == 24:
            raise CutShortError

    monkeypatch.setattr(made.notes, "advance", cut)
    with pytest.raises(CutShortError):
        made.train()
    monkeypatch.setattr(made.notes, "advance", advance)
    resumed = made.train()
    assert any(note.startswith("Resuming") for note in made.notes.messages)
    assert resumed.digest == whole.digest


def test_attachments_come_off_in_the_other_order() -> None:
    done: list[str] = []

    class Noted:
        def __init__(self, name: str) -> None:
            self.name = name

        def attach(self, network: nn.Module) -> None:
            done.append(f"+{self.name}")

        def fold(self, network: nn.Module) -> None:
            done.append(f"-{self.name}")

    both = (Noted("a"), Noted("b"))
    attachment.attach_all(nn.Module(), both)
    attachment.fold_all(nn.Module(), both)
    assert done == ["+a", "+b", "-b", "-a"]


def test_a_trimmed_vocabulary_is_what_every_training_has(work) -> None:
    made = work()
    rows = EncodedRows(made.encoded, made.root)
    (trimmed,) = choice.chosen_attachments(rows, 0)
    assert isinstance(trimmed, TrimmedVocabulary)
    assert set(trimmed.trained_ids) == {*rows.tokens, 0}

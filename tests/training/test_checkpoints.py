"""A checkpoint gives back what was put in, and is whole or not there."""

import os
import signal
from pathlib import Path

import pytest
import torch
from forking import forked

from perennial.training import checkpoints
from perennial.training.checkpoints import Best, Checkpoints


def trained() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(1)
    model = torch.nn.Linear(4, 3)
    optimizer = torch.optim.AdamW([{"params": [model.weight]}, {"params": [model.bias], "lr": 0.5}], lr=0.1, fused=True)
    for _ in range(3):
        model(torch.randn(8, 4)).sum().backward()
        optimizer.step()
    return model, optimizer


def test_an_optimizer_comes_back_as_it_was(tmp_path: Path) -> None:
    _, optimizer = trained()
    before = optimizer.state_dict()
    checkpoints.save_optimizer(tmp_path / "o.safetensors", before)
    after = checkpoints.load_optimizer(tmp_path / "o.safetensors")
    assert after["param_groups"] == [
        {name: list(value) if isinstance(value, tuple) else value for name, value in group.items()}
        for group in before["param_groups"]
    ]
    assert after["state"].keys() == before["state"].keys()
    for number, values in before["state"].items():
        for name, value in values.items():
            assert torch.equal(after["state"][number][name], value)
    model, other = trained()
    other.load_state_dict(after)
    model(torch.ones(1, 4)).sum().backward()
    other.step()


def test_random_numbers_go_on_where_they_were(tmp_path: Path) -> None:
    torch.manual_seed(9)
    torch.rand(5)
    checkpoints.save_random(tmp_path / "r.safetensors")
    expected = torch.rand(5)
    torch.manual_seed(0)
    checkpoints.load_random(tmp_path / "r.safetensors")
    assert torch.equal(torch.rand(5), expected)


def test_only_the_newest_checkpoint_is_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "run")
    assert kept.latest() is None
    for step in (9, 10, 100):
        kept.save(step, lambda folder: (folder / "a").write_text("x"))
    assert kept.latest() == tmp_path / "run" / "step-100"
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-100"]


def test_the_best_model_comes_back(tmp_path: Path) -> None:
    kept, (model, _) = Checkpoints(tmp_path / "run"), trained()
    assert kept.best() is None
    kept.keep_best(model, Best(0.25, 1.0, {"macro_f1": 0.25}))
    kept.keep_best(model, Best(0.5, 2.0, {"macro_f1": 0.5}))
    assert kept.best() == Best(0.5, 2.0, {"macro_f1": 0.5})
    other = torch.nn.Linear(4, 3)
    kept.load_best(other)
    assert torch.equal(other.weight, model.weight)
    kept.remove()
    assert not (tmp_path / "run").exists()
    kept.remove()


def test_a_write_that_fails_leaves_the_former_checkpoint(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "run")
    kept.save(1, lambda folder: (folder / "a").write_text("whole"))

    def fails(folder: Path) -> None:
        (folder / "a").write_text("ha")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        kept.save(2, fails)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["step-1"]


def save_and_die(folder: str, moment: str) -> None:
    """A first checkpoint, and a second one during which this process is killed."""
    kept, model, real = Checkpoints(Path(folder)), torch.nn.Linear(2, 2), Path.rename

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    kept.save(1, lambda folder: put(folder, "one"))
    kept.keep_best(model, Best(0.5, 1.0, {}))
    if moment == "while writing":
        kept.save(2, lambda folder: (put(folder, "t"), die())[0])
    elif moment == "before the rename":
        Path.rename = die  # type: ignore[method-assign,assignment]
        kept.save(2, lambda folder: put(folder, "two"))
    else:
        Path.rename = lambda self, target: (real(self, target), die())[0]  # type: ignore[method-assign,assignment]
        kept.keep_best(model, Best(0.9, 2.0, {}))


def put(folder: Path, text: str) -> None:
    (folder / "a").write_text(text)


@pytest.mark.parametrize("moment", ["while writing", "before the rename", "after the rename"])
def test_a_kill_leaves_the_former_checkpoint_and_a_best_model(moment: str, tmp_path: Path) -> None:
    assert forked(save_and_die, str(tmp_path / "run"), moment) == -signal.SIGKILL
    kept = Checkpoints(tmp_path / "run")
    latest = kept.latest()
    assert latest is not None
    assert (latest / "a").read_text() == "one"
    best = kept.best()
    assert best is not None
    assert best.score == (0.9 if moment == "after the rename" else 0.5)
    kept.load_best(torch.nn.Linear(2, 2))
    kept.save(3, lambda folder: (folder / "a").write_text("three"))
    assert kept.latest() == tmp_path / "run" / "step-3"

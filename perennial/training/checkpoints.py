"""What a killed training needs to resume, and the best model so far; written whole or not at all, without pickle."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file

from perennial.core.store import sync

MODEL = "model.safetensors"
AVERAGE = "average.safetensors"
OPTIMIZER = "optimizer.safetensors"
RANDOM = "random.safetensors"
STATE = "state.json"
TRAINER_STATE = "trainer_state.json"
"""The name under which transformers looks for it when it resumes."""
BEST = "best"
STEP = "step"


class Best(NamedTuple):
    """The best evaluation so far."""

    score: float
    epoch: float
    metrics: dict[str, float]


class Checkpoints:
    """The checkpoints of one training run, in one folder; only the latest is kept, beside the best model."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def latest(self) -> Path | None:
        """The newest whole checkpoint; None if there is none."""
        return self._newest(STEP)

    def best(self) -> Best | None:
        """The best evaluation so far; None before the first."""
        folder = self._newest(BEST)
        return Best(**json.loads((folder / STATE).read_bytes())) if folder else None

    def keep_best(self, model: torch.nn.Module, best: Best) -> None:
        """Make `model` the best so far, in place of the one before."""

        def write(folder: Path) -> None:
            save_file(_contiguous(model.state_dict()), folder / MODEL)
            (folder / STATE).write_text(json.dumps(best._asdict()), encoding="utf-8")

        before = self._newest(BEST)
        self._add(BEST, _number(before) + 1 if before else 1, write)

    def load_best(self, model: torch.nn.Module) -> None:
        """Put the best weights into `model`."""
        folder = self._newest(BEST)
        if folder is None:
            raise FileNotFoundError(f"{self.folder} holds no best model yet")
        model.load_state_dict(load_file(folder / MODEL))

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """`write` a checkpoint of `step`; when it is whole, the ones before are removed."""
        self._add(STEP, step, write)

    def made_once(self, name: str, write: Callable[[Path], None]) -> Path:
        """A folder beside the checkpoints, which `write` fills unless an earlier run has left it whole."""
        if (folder := self._newest(name)) is None:
            self._add(name, 1, write)
        return folder or self.folder / f"{name}-1"

    def remove(self) -> None:
        """Forget the run: its result is stored."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _newest(self, name: str) -> Path | None:
        return max(self.folder.glob(f"{name}-*"), key=_number, default=None)

    def _add(self, name: str, number: int, write: Callable[[Path], None]) -> None:
        # Under a name of its own, and only then the ones before go: a kill at any moment leaves one that is whole.
        target = self.folder / f"{name}-{number}"
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        try:
            write(temporary)
            sync(temporary)
            if not target.exists():
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for other in self.folder.glob(f"{name}-*"):
            if other != target:
                shutil.rmtree(other, ignore_errors=True)


def _number(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def damage(folder: Path) -> str | None:
    """Why nothing can be resumed from the checkpoint in `folder`; None: it is readable.

    Looks at the headers, which name every tensor's place, so a file cut short is found without reading it all. At the
    end of an epoch it must hold the epoch's evaluation, which is not made up for when it is resumed.
    """
    from safetensors import SafetensorError, safe_open

    for name in (MODEL, AVERAGE, OPTIMIZER, RANDOM):
        try:
            with safe_open(folder / name, framework="pt") as file:
                file.keys()
        except (OSError, SafetensorError) as error:
            return f"{name}: {type(error).__name__}"
    return _evaluation_missing(json.loads((folder / TRAINER_STATE).read_bytes()))


def _evaluation_missing(state: Mapping[str, Any]) -> str | None:
    """What is wrong if a trainer's state is of an epoch's end, as older builds left it, without its evaluation."""
    epoch = float(state["epoch"] or 0)
    evaluated = {entry["epoch"] for entry in state["log_history"] if any(name.startswith("eval_") for name in entry)}
    return f"epoch {epoch:g} was not evaluated" if epoch.is_integer() and epoch not in evaluated else None


def save_optimizer(path: Path, state: Mapping[str, Any]) -> None:
    """Write an optimizer's `state_dict`: its tensors, with the parameter groups' numbers as metadata."""
    tensors = {
        f"{parameter}.{name}": value for parameter, values in state["state"].items() for name, value in values.items()
    }
    save_file(_contiguous(tensors), path, metadata={"param_groups": json.dumps(state["param_groups"])})


def load_optimizer(path: Path) -> dict[str, Any]:
    """The `state_dict` that `save_optimizer` wrote."""
    from safetensors import safe_open

    state: dict[int, dict[str, torch.Tensor]] = {}
    with safe_open(path, framework="pt") as file:
        groups = json.loads(file.metadata()["param_groups"])
        for key in file.keys():  # noqa: SIM118 - a safetensors file is not a mapping
            parameter, _, name = key.partition(".")
            state.setdefault(int(parameter), {})[name] = file.get_tensor(key)
    return {"state": state, "param_groups": groups}


def random_state() -> dict[str, torch.Tensor]:
    """The state of torch's random number generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def set_random(states: Mapping[str, torch.Tensor]) -> None:
    """Set torch's random number generators to what `random_state` gave."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def save_random(path: Path) -> None:
    """Write the state of torch's random number generators."""
    save_file(random_state(), path)


def load_random(path: Path) -> None:
    """Set torch's random number generators to the state that `save_random` wrote."""
    set_random(load_file(path))


def _contiguous(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().contiguous() for name, value in tensors.items()}

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

from perennial.store import write_atomically

MODEL = "model.safetensors"
OPTIMIZER = "optimizer.safetensors"
RANDOM = "random.safetensors"
STATE = "state.json"
BEST = "best"


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
        steps = sorted(self.folder.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))
        return steps[-1] if steps else None

    def best(self) -> Best | None:
        """The best evaluation so far; None before the first."""
        path = self.folder / BEST / STATE
        return Best(**json.loads(path.read_bytes())) if path.is_file() else None

    def keep_best(self, model: torch.nn.Module, best: Best) -> None:
        """Make `model` the best so far, in place of the one before."""

        def write(folder: Path) -> None:
            save_file(_contiguous(model.state_dict()), folder / MODEL)
            write_atomically(folder / STATE, json.dumps(best._asdict()))

        self._replace(self.folder / BEST, write)

    def load_best(self, model: torch.nn.Module) -> None:
        """Put the best weights into `model`."""
        model.load_state_dict(load_file(self.folder / BEST / MODEL))

    def save(self, step: int, write: Callable[[Path], None]) -> None:
        """`write` a checkpoint of `step`; when it is whole, the ones before are removed."""
        place = self.folder / f"step-{step}"
        self._replace(place, write)
        for other in self.folder.glob("step-*"):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)

    def remove(self) -> None:
        """Forget the run: its result is stored."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _replace(self, place: Path, write: Callable[[Path], None]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        try:
            write(temporary)
            old = temporary.with_name(f"{temporary.name}-old")
            if place.exists():
                place.rename(old)
            temporary.rename(place)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


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


def save_random(path: Path) -> None:
    """Write the state of torch's random number generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    save_file(states, path)


def load_random(path: Path) -> None:
    """Set torch's random number generators to the state that `save_random` wrote."""
    states = load_file(path)
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])


def _contiguous(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().contiguous() for name, value in tensors.items()}

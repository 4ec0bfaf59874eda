"""A server holds no more memory after many swaps than after a few."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from registry_helpers import write_package
from serving_helpers import REPOSITORY

from perennial.core.home import Home
from perennial.export.package_writer import write_package as seal
from perennial.inference.package import MODEL, read_package

ROWS = 400_000
"""Of the larger package's embeddings, four numbers each: 6.4 MB."""
GROWTH = 1.05


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with two packages of some megabytes, of different sizes."""
    home = Home(tmp_path_factory.mktemp("packages"))
    for number, name in enumerate("ab"):
        path = f"export/{name}"
        write_package(home, path, float(number))
        _enlarge(home.store.root / path, ROWS + 37_000 * number)
    return home


def _enlarge(folder: Path, rows: int) -> None:
    import onnx
    from onnx import numpy_helper

    info, model = read_package(folder), onnx.load(folder / MODEL)
    [weights] = [one for one in model.graph.initializer if one.name == "weights"]
    few = numpy_helper.to_array(weights)
    many = np.vstack([few, np.zeros((rows - len(few), few.shape[1]), np.float32)])
    weights.CopyFrom(numpy_helper.from_array(many, "weights"))
    onnx.save(model, folder / MODEL)
    (folder / "record.json").unlink()
    seal(folder, info)


def held(home: Home, swaps: int, *arguments: str) -> list[int]:
    """What a process holds after each tenth of so many swaps."""
    script = str(Path(__file__).with_name("swapping.py"))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script, str(home.root), str(swaps), *arguments],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


def test_memory_is_flat_over_swaps(packages: Home) -> None:
    after, kept = held(packages, 40), held(packages, 40, "--kept")
    assert max(after[1:]) <= after[0] * GROWTH, after
    assert max(after) < min(kept), "what is freed goes back to the system"


@pytest.mark.soak(twin="tests/serving/test_serving_memory.py::test_memory_is_flat_over_swaps")
def test_memory_is_flat_over_two_hundred_swaps(packages: Home) -> None:
    after = held(packages, 200)
    assert max(after[1:]) <= after[0] * GROWTH, after

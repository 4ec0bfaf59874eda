"""A tiny pipeline up to its encoded rows, and its training."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import garbage
import pytest
import tiny_pipeline
from training_helpers import Work, prepare

MakeWork = Callable[..., Work]


@pytest.fixture(scope="session")
def _encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pipeline and a home in which its 360 rows are encoded."""
    folder = tmp_path_factory.mktemp("encoded")
    tiny_pipeline.write_pipeline(folder / "tiny", tiny_base)
    prepare(folder)
    garbage.keep_what_is_loaded()
    return folder


@pytest.fixture
def work(_encoded: Path, tiny_base: Path, tmp_path: Path) -> MakeWork:
    """Makes a pipeline of the test's own whose rows are encoded; arguments change its settings."""

    def make(name: str = "work", **changes: Any) -> Work:
        folder = Path(shutil.copytree(_encoded, tmp_path / name))
        tiny_pipeline.write_settings(folder / "tiny", tiny_base, **changes)
        return prepare(folder)

    return make

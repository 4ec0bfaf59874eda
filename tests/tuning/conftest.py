"""A context to search in, and one undisturbed search."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from tuning_helpers import WEAK, MakeContext, prepare

from perennial.tuning.outcome import Tuned
from perennial.tuning.search import search
from perennial.tuning.trial_context import TrialContext


@pytest.fixture(scope="session")
def _encoded(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuning")
    tiny_pipeline.write_pipeline(folder / "tiny", tiny_base, tiny_pipeline.rows(200))
    prepare(folder)
    return folder


@pytest.fixture
def make_context(_encoded: Path, tiny_base: Path, tmp_path: Path) -> MakeContext:
    """Makes a context of the test's own whose rows are encoded; arguments change its settings."""

    def make(name: str = "work", **changes: Any) -> TrialContext:
        folder = Path(shutil.copytree(_encoded, tmp_path / name))
        tiny_pipeline.write_settings(folder / "tiny", tiny_base, **(WEAK | changes))
        return prepare(folder)

    return make


@pytest.fixture(scope="session")
def searched(_encoded: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialContext, Tuned]:
    """A context, and a search of three trials in it. Read only."""
    folder = Path(shutil.copytree(_encoded, tmp_path_factory.mktemp("searched") / "work"))
    tiny_pipeline.write_settings(folder / "tiny", tiny_base, **WEAK)
    context = prepare(folder)
    return context, search(context, trials=3)

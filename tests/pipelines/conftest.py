"""What ships with the pipeline that a test file is about: its settings, its generator and its rows."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from row_splits import splits_of_rows

from perennial.settings.pipeline import PipelineSpec

PIPELINES = Path(__file__).parents[2] / "pipelines"


@pytest.fixture(scope="module")
def name(request: pytest.FixtureRequest) -> str:
    """Of the pipeline: test_NAME_data.py is about it."""
    return str(request.module.__name__).removeprefix("test_").removesuffix("_data")


@pytest.fixture(scope="module")
def folder(name: str) -> Path:
    return PIPELINES / name


@pytest.fixture(scope="module")
def make_data(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{folder.name}_make_data", folder / "make_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> PipelineSpec:
    return PipelineSpec.model_validate(yaml.safe_load((folder / "pipeline.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def files(folder: Path) -> list[Path]:
    """Its parts, the oldest first."""
    return sorted((folder / "data").glob("*.jsonl"))


@pytest.fixture(scope="module")
def parts(files: list[Path]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each month."""
    return {file.stem: [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files}


@pytest.fixture(scope="module")
def rows(parts: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [row for part in parts.values() for row in part]


@pytest.fixture(scope="module")
def places(rows: list[dict[str, Any]], pipeline: PipelineSpec) -> list[str]:
    """The split of each row."""
    return splits_of_rows([[row["text"]] for row in rows], pipeline.data.splits)

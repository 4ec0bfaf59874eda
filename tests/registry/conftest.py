"""MLflow as a database and as a server, and a run to register there."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from registry_helpers import LABELS, Run, make_run, mlflow_server

from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Home:
    """A home whose path is no friend of URLs, with a fresh registry."""
    home = Home(tmp_path / "höme 100% #1")
    home.mlflow.mkdir(parents=True)
    (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
    return home


@pytest.fixture
def spec() -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            # The server is the same for all tests.
            "name": f"sentiment-{uuid4().hex[:8]}",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*.jsonl"}, "labels": list(LABELS)},
            "gates": [{"metric": "accuracy", "min": 0.8}, {"metric": "recall", "per": "label", "min": 0.7}],
        }
    )


@pytest.fixture
def run(home: Home, spec: PipelineSpec) -> Run:
    """The first run of a pipeline: decided PROMOTE, against no champion."""
    return make_run(home, spec, "a" * 64)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[str]:
    """The address of a real MLflow server."""
    with mlflow_server(tmp_path_factory.mktemp("server"), empty_database) as address:
        yield address


@pytest.fixture(params=["database", "server"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs a test twice: with the database in the home, and with a server."""
    if request.param == "server":
        monkeypatch.setenv("MLFLOW_TRACKING_URI", request.getfixturevalue("server"))
    return str(request.param)

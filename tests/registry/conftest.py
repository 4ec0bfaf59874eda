"""MLflow as a database and as a server, and a run to register there."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_helpers import ELSEWHERE, Run, make_run, mlflow_server, new_home, new_spec

from perennial.core.home import Home
from perennial.settings.pipeline import PipelineSpec


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Home:
    return new_home(tmp_path, empty_database)


@pytest.fixture
def spec() -> PipelineSpec:
    return new_spec()


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

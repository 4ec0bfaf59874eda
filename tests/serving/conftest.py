"""A registry with a champion, and servers of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_helpers import free_port, start, stop
from serving_helpers import Serving, promote, serving

from perennial.core.home import Home


@pytest.fixture(autouse=True)
def _no_environment(_module_environment: None) -> None:
    """Every test here runs with the built-in registry, unless it says otherwise."""


@pytest.fixture(scope="module")
def _module_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL", "PERENNIAL_HOME"):
            environment.delenv(name, raising=False)
        yield


def new_home(folder: Path, empty_database: Path) -> Home:
    home = Home(folder)
    home.mlflow.mkdir(parents=True)
    (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
    return home


@pytest.fixture
def home(tmp_path: Path, empty_database: Path) -> Home:
    """A home with a fresh registry."""
    return new_home(tmp_path / "höme 100% #1", empty_database)


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, _module_environment: None) -> Home:
    """A home whose registry has version 1 of `tiny` as champion. Read only."""
    home = new_home(tmp_path_factory.mktemp("champion"), empty_database)
    assert promote(home, "a", None) == "1"
    return home


@pytest.fixture(scope="module")
def server(champion: Home) -> Iterator[Serving]:
    """A server of that champion, with small limits."""
    limits = {"max_rows": 50, "queue_rows": 50, "max_characters": 100, "max_body_bytes": 10_000, "batch_rows": 8}
    settings = [part for name, value in limits.items() for part in ("--set", f"serving.{name}={value}")]
    with serving(champion, "tiny", *settings) as server:
        yield server


@pytest.fixture(scope="session")
def remote(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[tuple[str, Path]]:
    """The address of a real MLflow server, and where it keeps its files."""
    folder, port = tmp_path_factory.mktemp("remote"), free_port()
    (folder / "server.db").write_bytes(empty_database.read_bytes())
    options = ["--backend-store-uri", f"sqlite:///{folder / 'server.db'}", "--artifacts-destination", f"{folder}/files"]
    process = start(["server", *options, "--workers", "1"], port, folder / "log")
    yield f"http://127.0.0.1:{port}", folder / "files"
    stop(process)

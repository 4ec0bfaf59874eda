"""The command line over a tiny pipeline: in this process for speed, in another where the process itself matters."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, prefect_server

MakePlace = Callable[..., Place]


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of one Prefect server for all runs: an embedded one takes its seconds in every process."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as address:
        yield address


@pytest.fixture
def _quiet_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No registry but the one in the home."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL", "PERENNIAL_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def _first_run(
    tiny_base: Path, prefect_api: str, empty_database: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Place, dict[str, Any]]:
    """A place with a champion, and what its run printed. Read only."""
    place = Place(tmp_path_factory.mktemp("first"), prefect_api)
    tiny_pipeline.write_pipeline(place.folder / "pipelines" / "tiny", tiny_base)
    place.give_database(empty_database)
    ended = place.run("--json")
    assert ended.code == 0, ended.text
    return place, ended.json


@pytest.fixture
def first_run(_first_run: tuple[Place, dict[str, Any]]) -> tuple[Place, dict[str, Any]]:
    """A place with a champion, and what its run printed. Read only."""
    return _first_run


@pytest.fixture
def make_place(
    tiny_base: Path, prefect_api: str, empty_database: Path, tmp_path: Path, _quiet_environment: None
) -> MakePlace:
    """Makes a place of the test's own with nothing but a pipeline; arguments change its settings."""

    def make(**changes: Any) -> Place:
        made = Place(tmp_path / "place", prefect_api)
        tiny_pipeline.write_pipeline(made.folder / "pipelines" / "tiny", tiny_base, **changes)
        made.give_database(empty_database)
        return made

    return make


@pytest.fixture
def seasoned(_first_run: tuple[Place, dict[str, Any]], prefect_api: str, empty_database: Path, tmp_path: Path) -> Place:
    """A place of the test's own with a champion: the steps of the first run are in its store, it only registers."""
    template = _first_run[0]
    made = Place(tmp_path / "place", prefect_api)
    shutil.copytree(template.folder / "pipelines", made.folder / "pipelines")
    for part in ("store", "state"):
        shutil.copytree(template.home.root / part, made.home.root / part)
    made.give_database(empty_database)
    ended = made.run("--json")
    assert (ended.code, ended.json["version"]) == (0, "1"), ended.text
    return made

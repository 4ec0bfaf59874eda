"""A tracking server of a team, with two versions of a model, the second of which serves; no test may change either."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from place import Place
from tracking_server import (
    DATABASE_PASSWORD,
    Settings,
    Team,
    TrackingServer,
    team_settings,
    trained_team,
    with_password,
    with_people,
)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory, new_postgres: Callable[[], str]) -> Settings:
    folder = tmp_path_factory.mktemp("team server") / "with a space"
    return team_settings(folder, with_password(new_postgres(), DATABASE_PASSWORD), new_postgres())


@pytest.fixture(scope="session")
def server(settings: Settings) -> Iterator[TrackingServer]:
    with with_people(settings) as running:
        yield running


@pytest.fixture(scope="session")
def team(server: TrackingServer, tmp_path_factory: pytest.TempPathFactory) -> Team:
    return trained_team(server, tmp_path_factory.mktemp("ann"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Another machine, which has nothing of the models yet."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path / "elsewhere", None)

"""A tracking server of a team, with two versions of a model, the second of which serves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from place import Place
from tracking_server import (
    ANN,
    BOB,
    DATABASE_PASSWORD,
    Settings,
    Team,
    TrackingServer,
    serving,
    team_settings,
    with_password,
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_postgres: Callable[[], str]) -> Settings:
    folder = tmp_path_factory.mktemp("team server") / "with a space"
    return team_settings(folder, with_password(new_postgres(), DATABASE_PASSWORD), new_postgres())


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[TrackingServer]:
    with serving(settings) as running:
        for name, password in (ANN, BOB):
            assert running.ask("2.0/mlflow/users/create", {"username": name, "password": password}) == 200
        yield running


@pytest.fixture(scope="module")
def team(server: TrackingServer, tmp_path_factory: pytest.TempPathFactory) -> Team:
    made = Team(server, server.settings.values["PERENNIAL_DATABASE_URL"])
    place = Place(tmp_path_factory.mktemp("ann"), None)
    assert made.train(place, "a", None) == "1"
    assert made.train(place, "b", "1") == "2"
    return made


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Another machine, which has nothing of the models yet."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path / "elsewhere", None)

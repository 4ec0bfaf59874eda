"""A database that was moved away is missed, never replaced: not by who asks, nor by who would write."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from place import Place
from serving_helpers import promote, serving

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.doctor import history, services
from perennial.registry import database, tracking
from perennial.registry.lost import lost_registry

FAST = ("--set", "serving.poll_seconds=0.1")
ABOUT_TINY = [
    ("predict", "tiny", "a text"),
    ("promote", "tiny", "1"),
    ("approve", "tiny"),
    ("rollback", "tiny", "--reason", "A test."),
    ("reconcile", "tiny", "--keep", "ledger", "--reason", "A test."),
    ("decide", "tiny"),
    ("gc",),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_database: Path, _module_environment: None) -> Place:
    """A working folder whose home has a champion and a ledger."""
    made = Place(tmp_path_factory.mktemp("place"), None)
    made.give_database(empty_database)
    assert promote(made.home, "a", None) == "1"
    return made


def moved_away(*files: Path) -> Iterator[list[Path]]:
    away = [Path(shutil.move(file, file.with_name(f"away-{file.name}"))) for file in files if file.exists()]
    yield list(files)
    for file in away:
        shutil.move(file, file.with_name(file.name.removeprefix("away-")))


@pytest.fixture
def no_registry(place: Place) -> Iterator[Path]:
    """MLflow's database is away."""
    for [file] in moved_away(place.home.mlflow / "mlflow.db"):
        yield file


@pytest.fixture
def no_ledger(place: Place) -> Iterator[Path]:
    """The ledger is away."""
    for [file, *_] in moved_away(*(place.home.root / f"{database.FILE}{end}" for end in ("", "-wal", "-shm"))):
        yield file


@pytest.mark.parametrize("command", ABOUT_TINY, ids=" ".join)
def test_no_command_makes_another_registry(place: Place, no_registry: Path, command: tuple[str, ...]) -> None:
    ended = place.command(*command)
    assert not no_registry.exists()
    assert ended.code != 0, ended.text
    assert str(no_registry) in ended.text
    assert "ut it back" in ended.text
    assert "Traceback" not in ended.text


def test_history_tells_what_the_ledger_knows_and_makes_no_registry(place: Place, no_registry: Path) -> None:
    ended = place.command("history", "tiny")
    assert ended.code == 0
    assert "promote" in ended.text
    assert not no_registry.exists()


def test_a_run_does_not_begin_a_new_registry_either(place: Place, no_registry: Path) -> None:
    for sign in ("artifacts", "ledger"):
        with pytest.raises(RegistryError, match="is not there, but") as caught:
            lost_registry.check(place.home)
        assert sign in str(caught.value)
        if sign == "artifacts":
            shutil.move(place.home.mlflow / "artifacts", place.home.mlflow / "kept")
    shutil.move(place.home.mlflow / "kept", place.home.mlflow / "artifacts")
    assert not no_registry.exists()


@pytest.mark.parametrize("command", [("promote", "tiny", "1"), ("history", "tiny"), ("gc",)], ids=" ".join)
def test_no_command_makes_another_ledger(place: Place, no_ledger: Path, command: tuple[str, ...]) -> None:
    ended = place.command(*command)
    assert not no_ledger.exists()
    assert "Traceback" not in ended.text
    assert ended.code == 3, ended.text
    assert "is kept by another ledger" in ended.text


def test_the_doctor_says_so_and_makes_none(place: Place, no_registry: Path) -> None:
    [finding] = services.mlflow(place.home)
    assert f"{no_registry} is not there" in finding.seen
    assert [finding.status for finding in history.ledger(place.home)][-1] != "ok"
    assert not no_registry.exists()


def test_the_doctor_makes_no_ledger_either(place: Place, no_ledger: Path) -> None:
    assert list(history.ledger(place.home))
    assert not no_ledger.exists()


def test_who_is_asked_goes_on_without_the_ledger(place: Place, no_ledger: Path) -> None:
    assert place.command("predict", "tiny", "excellent soup").code == 0
    assert not no_ledger.exists()


def test_where_there_never_was_one_nothing_is_missed(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    assert lost_registry.none_yet(home)
    with pytest.raises(RegistryError, match=r"no such file.*the first `perennial run` makes"), tracking.session(home):
        pass
    assert not home.root.exists()


def test_a_server_goes_on_with_what_it_serves_and_starts_with_what_it_served(place: Place) -> None:
    with serving(place.home, "tiny", *FAST) as server:
        assert server.version() == "1"
        for [file] in moved_away(place.home.mlflow / "mlflow.db"):
            server.until(lambda: server.figure("perennial_champion_problem", problem="registry") == 1)
            assert server.version() == "1"
            assert "there is no such file" in server.text
            with serving(place.home, "tiny", *FAST) as another:
                assert another.version() == "1"
                assert another.figure("perennial_champion_problem", problem="registry") == 1
                assert "has no champion" not in another.text
            assert not file.exists()
        server.until(lambda: server.figure("perennial_champion_problem", problem="registry") == 0)
        assert server.version() == "1"

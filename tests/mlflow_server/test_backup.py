"""Backup and restore: what is restored elsewhere works there as it did here, and nothing is restored by mistake."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from place import Ended, Place, assert_explained, flip
from tracking_server import (
    ADMIN_PASSWORD,
    ANN,
    BOB,
    DATABASE_PASSWORD,
    Settings,
    Team,
    serving,
    team_settings,
    trained_team,
    with_password,
    with_people,
)


def backed_up(settings: Settings, *arguments: str) -> Path:
    ended = settings.script("backup.sh", "backups", *arguments)
    assert ended.code == 0, ended.text
    (named,) = re.findall(r"Backed up to (.+) \(", ended.out)
    return settings.folder / str(named)


@pytest.fixture(scope="module")
def backup(team: Team) -> Path:
    """A backup that was made while the server ran. Read only."""
    return backed_up(team.server.settings)


@pytest.fixture
def empty(tmp_path: Path, settings: Settings, new_postgres: Callable[[], str]) -> Settings:
    """Empty databases and no files, for a server that gets the port of the first."""
    made = team_settings(tmp_path / "new place", with_password(new_postgres(), DATABASE_PASSWORD), new_postgres())
    return made.but(MLFLOW_PORT=settings.values["MLFLOW_PORT"])


@pytest.fixture
def own_team(tmp_path: Path, new_postgres: Callable[[], str]) -> Iterator[Team]:
    """A team whose server may be ended."""
    settings = team_settings(tmp_path / "own", with_password(new_postgres(), DATABASE_PASSWORD), new_postgres())
    with with_people(settings) as running:
        yield trained_team(running, tmp_path / "ann of her own")


def restored(settings: Settings, backup: Path, *arguments: str) -> Ended:
    return settings.script("restore.sh", backup, *arguments)


def query(url: str, sql: str) -> list[tuple[object, ...]]:
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]
    finally:
        engine.dispose()


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_a_backup_is_for_its_owner_alone_and_holds_no_password(backup: Path) -> None:
    assert {path.name for path in backup.iterdir()} == {
        *("about", "artifacts", "served", "SHA256SUMS"),
        *("ledger.dump", "mlflow.dump", "users.dump"),
    }
    assert backup.stat().st_mode & 0o077 == 0
    for path in backup.rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes()
        assert path.is_dir() or ADMIN_PASSWORD.encode() not in path.read_bytes()
    served = [line.split("\t")[:3] for line in (backup / "served").read_text().splitlines()]
    assert served == [["headlines", "champion", "2"], ["headlines", "previous", "1"]]


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_old_backups_are_removed_when_asked(team: Team, backup: Path, tmp_path: Path) -> None:
    settings = Settings(tmp_path, team.server.settings.values)
    old = [tmp_path / "backups" / name for name in ("mlflow-2025-12-31T23-59-59Z", "mlflow-2026-01-31T03-00-00Z")]
    mine = tmp_path / "backups" / "mlflow-notes"
    for folder in (*old, mine):
        folder.mkdir(parents=True)
    made = backed_up(settings, "--keep", "2")
    assert {path.name for path in (tmp_path / "backups").iterdir()} == {made.name, old[1].name, mine.name}


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_versions_without_their_files_are_no_backup(team: Team, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    settings = Settings(tmp_path, team.server.settings.values).but(PERENNIAL_MLFLOW_ARTIFACTS=str(tmp_path / "nothing"))
    refused = settings.script("backup.sh", "backups")
    assert_explained(refused, 1, "has no files", "Version 2 of headlines, its champion")
    assert not list((tmp_path / "backups").iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), ["mlflow/backup.sh FOLDER"]), (("b", "--keep", "all"), ["'all'"]), (("b", "--force"), ["--force"])],
)
def test_a_backup_must_be_asked_for_rightly(tmp_path: Path, arguments: tuple[str, ...], words: list[str]) -> None:
    assert_explained(Settings(tmp_path, {}).script("backup.sh", *arguments), 2, *words)


def test_there_must_be_something_to_back_up(tmp_path: Path, empty: Settings) -> None:
    assert_explained(Settings(tmp_path, {}).script("backup.sh", "b"), 1, "nothing to back up", "mlflow.db")
    assert_explained(empty.script("backup.sh", "b"), 1, "nothing to back up", "holds no MLflow")


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_a_damaged_backup_is_refused(backup: Path, empty: Settings, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(backup, copy)
    model = next(copy.rglob("model.onnx"))
    flip(model)
    refused = restored(empty, copy)
    assert_explained(refused, 1, "is damaged", model.relative_to(copy).as_posix(), "Nothing was restored")
    model.unlink()
    assert_explained(restored(empty, copy), 1, "is damaged", model.relative_to(copy).as_posix())
    assert_explained(restored(empty, tmp_path), 1, "is no backup")
    assert not Path(empty.values["PERENNIAL_MLFLOW_ARTIFACTS"]).exists()


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_a_place_that_is_in_use_is_left_as_it_is(team: Team, backup: Path) -> None:
    import sqlalchemy as sa

    settings = team.server.settings
    artifacts = Path(settings.values["PERENNIAL_MLFLOW_ARTIFACTS"])
    before = sorted(artifacts.rglob("*"))
    engine = sa.create_engine(settings.values["PERENNIAL_MLFLOW_DATABASE_URL"])
    with engine.connect():
        for arguments in ((), ("--force",)):
            assert_explained(restored(settings, backup, *arguments), 1, "is in use", "Stop the server")
    engine.dispose()
    assert sorted(artifacts.rglob("*")) == before


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_a_place_that_is_not_empty_is_left_as_it_is(backup: Path, empty: Settings) -> None:
    artifacts = Path(empty.values["PERENNIAL_MLFLOW_ARTIFACTS"])
    (artifacts / "1").mkdir(parents=True)
    assert_explained(restored(empty, backup), 1, "is not empty", str(artifacts), "--force")
    tables = "SELECT 1 FROM pg_tables WHERE schemaname = 'public'"
    assert query(empty.values["PERENNIAL_MLFLOW_DATABASE_URL"], tables) == []


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_a_place_of_another_kind_is_refused(backup: Path, empty: Settings, tmp_path: Path) -> None:
    assert_explained(restored(Settings(tmp_path, {}), backup), 1, "backup of postgresql", "on sqlite")
    without = restored(empty.without("PERENNIAL_DATABASE_URL"), backup)
    assert_explained(without, 1, "holds the ledger", "PERENNIAL_DATABASE_URL")


@contextmanager
def instead(team: Team, settings: Settings) -> Iterator[Team]:
    """The server of `settings` under the address of the first, which has ended."""
    with serving(settings) as running:
        yield Team(running, settings.values["PERENNIAL_DATABASE_URL"])


@pytest.mark.soak(twin="tests/mlflow_server/test_backup.py::test_a_server_of_one_machine_is_backed_up_and_restored_too")
def test_what_is_restored_elsewhere_works_there(own_team: Team, empty: Settings, elsewhere: Place) -> None:
    team, backup = own_team, backed_up(own_team.server.settings)
    empty = empty.but(MLFLOW_PORT=team.server.settings.values["MLFLOW_PORT"])
    # What happens after the backup is not in it.
    late = Place(elsewhere.folder.parent / "late", None)
    assert team.train(late, "c", "2") == "3"
    team.server.stop()
    ended = restored(empty, backup)
    assert ended.code == 0, ended.text

    # Files that are there are set aside, and databases replaced, when that is asked for.
    assert_explained(restored(empty, backup), 1, "is not empty")
    again = restored(empty, backup, "--force")
    assert again.code == 0, again.text
    assert len(list(Path(empty.values["PERENNIAL_MLFLOW_ARTIFACTS"]).glob(".replaced-*"))) == 1

    with instead(team, empty) as moved:
        ann = moved.client()
        predicted = elsewhere.command("predict", "headlines", "excellent soup", **ann)
        assert predicted.code == 0, predicted.text
        assert predicted.lines[0]["label"]
        history = elsewhere.command("history", "headlines", "--json", **ann)
        assert (history.json["aliases"]["champion"], history.json["agrees"]) == ("2", True), history.text
        # Who may what came along. A refused move is over: nobody has to wait until its lease lapses.
        refused = elsewhere.command("rollback", "headlines", "--reason", "A test.", **moved.client(BOB))
        assert_explained(refused, 1, "does not let the user 'bob' do that", "EDIT")
        rolled = elsewhere.command("rollback", "headlines", "--reason", "A test.", "--json", **ann)
        assert (rolled.code, rolled.json["version"]) == (0, "1"), rolled.text
        assert moved.train(Place(elsewhere.folder.parent / "later", None), "d", "1") == "3"
        grant = {
            "username": BOB[0],
            "resource_type": "registered_model",
            "resource_id": "headlines",
            "permission": "EDIT",
        }
        assert moved.server.ask("3.0/mlflow/users/permissions/grant", grant, *ANN) == 200
        by_bob = elsewhere.command("rollback", "headlines", "--reason", "A test.", "--json", **moved.client(BOB))
        assert (by_bob.code, by_bob.json["version"]) == (0, "1"), by_bob.text


def test_a_server_of_one_machine_is_backed_up_and_restored_too(tmp_path: Path, empty_database: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    state = here / ".perennial" / "mlflow-server"
    (state / "artifacts").mkdir(parents=True)
    there.mkdir()
    shutil.copyfile(empty_database, state / "mlflow.db")
    (state / "artifacts" / "file").write_text("kept")
    settings, target = Settings(here, {}), Settings(there, {})
    backup = backed_up(settings)
    ended = restored(target, backup)
    assert ended.code == 0, ended.text
    folder = there / ".perennial" / "mlflow-server"
    assert (folder / "artifacts" / "file").read_text() == "kept"
    tables = "SELECT name FROM sqlite_master ORDER BY name"
    assert query(f"sqlite:///{folder / 'mlflow.db'}", tables) == query(f"sqlite:///{state / 'mlflow.db'}", tables)
    assert_explained(restored(target, backup), 1, "is not empty")
    assert restored(target, backup, "--force").code == 0
    assert len(list(folder.glob("mlflow.db.replaced-*"))) == 1

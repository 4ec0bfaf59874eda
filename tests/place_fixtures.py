"""The command line over a tiny pipeline: in this process for speed, in another where the process itself matters."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import garbage
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
    garbage.keep_what_is_loaded()
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
def seasoned(_first_run: tuple[Place, dict[str, Any]], prefect_api: str, tmp_path: Path) -> Place:
    """A place of the test's own with a champion, as the first run left it."""
    template = _first_run[0]
    made = Place(tmp_path / "place", prefect_api)
    shutil.copytree(template.folder / "pipelines", made.folder / "pipelines")
    # Prefect keeps nothing of a home whose runs another server keeps.
    shutil.copytree(template.home.root, made.home.root, ignore=shutil.ignore_patterns("prefect"))
    move_in(made.home.root, template.home.root)
    return made


def move_in(copy: Path, original: Path) -> None:
    """Let a copied home's MLflow, which keeps absolute paths, name the copy, which is called the same."""
    assert copy.name == original.name
    old, new = f"{original.parent}/", f"{copy.parent}/"
    for file in copy.glob("mlflow/artifacts/**/MLmodel"):
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with closing(sqlite3.connect(copy / "mlflow" / "mlflow.db")) as database, database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for _, column, kind, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                if kind.startswith(("VARCHAR", "TEXT")):
                    database.execute(
                        f"UPDATE {table} SET {column} = replace({column}, ?, ?) WHERE instr({column}, ?)",  # noqa: S608
                        (old, new, old),
                    )

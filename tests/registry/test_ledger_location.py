"""Where a ledger can't guard the champion, that is said; and where hard links or a log's memory lack, it works."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from perennial.core import file_systems
from perennial.core.home import Home
from perennial.doctor import Health, history
from perennial.registry import database, ledger_location
from perennial.registry.ledger import Ledger

MOUNTS = [
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "40 22 0:40 / /team\\040disk rw,relatime shared:20 - nfs4 server:/team rw,vers=4.2",
    "41 40 8:2 / /team\\040disk/own rw - ext4 /dev/sdb1 rw",
    "42 22 0:50 / /mnt/c rw - 9p drvfs rw",
    "nonsense",
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", database.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path / "home")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ann", None),
        ("/team disk", "nfs4"),
        ("/team disk/a/b.db", "nfs4"),
        ("/team disk/own/b.db", None),
        ("/team diskette/b.db", None),
        ("/mnt/c/x", "9p"),
    ],
)
def test_which_disks_are_shared_is_told_by_the_mount_that_holds_the_path(path: str, kind: str | None) -> None:
    assert file_systems.shared_type(Path(path), MOUNTS) == kind


@pytest.mark.parametrize(
    ("registry", "ledger", "words"),
    [
        (None, None, None),
        ("http://127.0.0.1:5000", None, None),
        ("sqlite:////folder/mlflow.db", None, None),
        ("https://ann:secret@mlflow.example", None, "this machine's own file"),
        ("postgresql://u:secret@db.example/mlflow", "sqlite:////folder/ledger.db", "own file /folder/ledger.db"),
        ("https://mlflow.example", "postgresql+psycopg://u@db.example/x", None),
    ],
)
def test_a_ledger_of_ones_own_beside_an_mlflow_of_others_is_said(
    home: Home, monkeypatch: pytest.MonkeyPatch, registry: str | None, ledger: str | None, words: str | None
) -> None:
    for name, value in (("MLFLOW_TRACKING_URI", registry), (database.VARIABLE, ledger)):
        if value:
            monkeypatch.setenv(name, value)
    said = [str(doubt) for doubt in ledger_location.doubts(home)]
    assert bool(said) == bool(words)
    for one in said:
        assert words is not None and words in one  # noqa: PT018
        assert "give all of them one PostgreSQL in PERENNIAL_DATABASE_URL" in one
        assert "secret" not in one
    warned = [finding for finding in _findings(home) if finding.status is Health.WARNING]
    assert bool(warned) == bool(words)


def test_a_ledger_on_a_shared_disk_is_said_and_has_no_log_of_shared_memory(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_systems, "shared_type", lambda _: "nfs4")
    [doubt] = ledger_location.doubts(home)
    assert "SQLite on a disk of type nfs4" in doubt.problem
    assert "postgresql+psycopg://" in doubt.remedy
    Ledger.open(home)
    with sqlite3.connect(home.root / database.FILE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_ledger_is_made_once_where_there_are_no_hard_links(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _refused)
    identities = {Ledger.open(home).identity() for _ in range(2)}
    assert len(identities) == 1
    assert (home.root / database.FILE).is_file()
    assert not list(home.root.glob(".new-*"))


def test_one_of_many_is_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", _refused)
    for number in range(8):
        (tmp_path / f"new {number}").write_text(f"{number}", encoding="utf-8")
    with ThreadPoolExecutor(8) as threads:
        put = list(threads.map(lambda n: file_systems.put_once(tmp_path / f"new {n}", tmp_path / "file"), range(8)))
    assert sum(put) == 1
    assert (tmp_path / "file").read_text(encoding="utf-8") == f"{put.index(True)}"


def test_what_is_there_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(text: str) -> bool:
        (tmp_path / text).write_text(text, encoding="utf-8")
        return file_systems.put_once(tmp_path / text, tmp_path / "file")

    assert [put("first"), put("second")] == [True, False]
    monkeypatch.setattr(os, "link", _refused)
    assert put("third") is False
    assert (tmp_path / "file").read_text(encoding="utf-8") == "first"
    (tmp_path / "file").unlink()
    assert put("fourth") is True
    assert (tmp_path / "file").read_text(encoding="utf-8") == "fourth"


def _refused(*_: object) -> None:
    raise OSError(95, "Operation not supported")


def _findings(home: Home) -> list[history.HealthFinding]:
    return [finding for finding in history.ledger(home) if "own file" in finding.seen]

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_helpers import answering, free_port

from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.registry import tracking

SOON = 15
"""Seconds, with room for a busy machine; MLflow's own defaults take four minutes."""


def refusal(home: Home, monkeypatch: pytest.MonkeyPatch, address: str) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    started = time.monotonic()
    with pytest.raises(RegistryError) as caught:
        tracking.check_mlflow(home)
    assert time.monotonic() - started < SOON
    return str(caught.value)


def test_the_built_in_database_is_in_the_home(home: Home) -> None:
    assert tracking.uri(home) == tracking.registry_uri(home) == f"sqlite:///{home.mlflow}/mlflow.db"


def test_the_environment_names_another_place(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking")
    assert tracking.registry_uri(home) == "http://tracking"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://registry")
    assert (tracking.uri(home), tracking.registry_uri(home)) == ("http://tracking", "http://registry")


def test_the_first_check_makes_the_database_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    home = Home(tmp_path / "new home")
    tracking.check_mlflow(home)
    assert [path.name for path in home.root.rglob("*")] == ["mlflow", "mlflow.db"]
    assert not list(elsewhere.iterdir())


def test_a_server_is_reached(home: Home, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    tracking.check_mlflow(home)


def test_a_closed_port_is_named_with_what_to_do(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(home, monkeypatch, f"http://ann:hunter2@127.0.0.1:{free_port()}")
    assert "http://***@127.0.0.1" in message
    assert "connection refused" in message
    assert "champion is untouched" in message
    assert "finished steps are kept" in message
    assert "MLFLOW_TRACKING_URI" in message
    assert "make ui" in message
    assert "hunter2" not in message


def test_a_closed_database_port_too(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(home, monkeypatch, f"postgresql+psycopg://ann:hunter2@127.0.0.1:{free_port()}/mlflow")
    assert "connection refused" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("status", "body", "kind", "seen"),
    [
        (500, b"oops", "text/html", "HTTP status 500"),
        (503, b"", "text/html", "HTTP status 503"),
        (404, b"<h1>Not Found</h1>", "text/html", "404"),
        (404, b'{"detail": "Not Found"}', "application/json", "can't be used"),
        (200, b"<h1>Welcome</h1>", "text/html", "can't be used"),
        (200, b"[]", "application/json", "can't be used"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', "application/json", "PERMISSION_DENIED"),
    ],
)
def test_a_server_that_is_no_mlflow(
    home: Home, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, kind: str, seen: str
) -> None:
    with answering(status, body, kind) as address:
        assert seen in refusal(home, monkeypatch, address)


def test_a_server_that_hangs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "QUICK", tracking.Patience(seconds=1, retries=1))
    with answering(200, b"{}", "application/json", delay=4) as address:
        assert "did not answer in time" in refusal(home, monkeypatch, address)


def test_a_damaged_database_is_left_as_it_is(home: Home) -> None:
    file = home.mlflow / "mlflow.db"
    file.write_bytes(b"garbage " * 1000)
    with pytest.raises(RegistryError, match="file is not a database") as caught:
        tracking.check_mlflow(home)
    assert str(file) in str(caught.value)
    assert "backup" in str(caught.value)
    assert file.read_bytes() == b"garbage " * 1000


def test_a_locked_database_ends_in_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "QUICK", tracking.Patience(seconds=1, retries=1))
    with sqlite3.connect(home.mlflow / "mlflow.db") as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match="locked"):
            tracking.check_mlflow(home)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "mlflow").touch()
    with pytest.raises(RegistryError, match=r"can't be used.*folder can be written"):
        tracking.check_mlflow(Home(tmp_path))


@pytest.fixture
def nobody() -> Iterator[None]:
    """Rights are no obstacle to root, so root becomes somebody else for a while."""
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(65534)
    yield
    os.seteuid(mine)


def test_a_folder_without_the_right_to_write(tmp_path: Path, nobody: None) -> None:
    with pytest.raises(RegistryError, match=r"ermission denied.*folder can be written"):
        tracking.check_mlflow(Home(Path("/proc/1/root")))


def test_nothing_is_said_and_nothing_stays_behind(home: Home, capfd: pytest.CaptureFixture[str]) -> None:
    import mlflow

    before, level = dict(os.environ), logging.getLogger("mlflow").level
    address = mlflow.get_tracking_uri()
    with tracking.session(home) as client:
        client.create_registered_model("quiet")
    assert dict(os.environ) | {"MLFLOW_DISABLE_TELEMETRY": "true"} == before | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    assert logging.getLogger("mlflow").level == level
    assert mlflow.get_tracking_uri() == address
    assert capfd.readouterr() == ("", "")


def test_an_error_in_the_block_leaves_nothing_behind_either(home: Home) -> None:
    before = dict(os.environ)
    with pytest.raises(RegistryError, match="It stands so"), tracking.session(home, standing="It stands so."):
        raise OSError("No space left on device")
    assert dict(os.environ) == before


def test_another_error_is_not_mlflows(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), tracking.session(home):
        _ = 1 / 0

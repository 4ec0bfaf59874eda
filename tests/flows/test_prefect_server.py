"""The embedded Prefect server ends with the run, and a server that does not start is told in words."""

import os
from pathlib import Path

import pytest
from place import free_port

from flows import prefect_server
from flows.prefect_server import PrefectError, embed, join
from perennial.core.home import Home
from perennial.scheduling.prefect_api import ADDRESS, running


def test_a_server_that_is_named_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    embed(Home(tmp_path))
    assert os.environ["PREFECT_API_URL"] == "http://127.0.0.1:1/api"


def test_a_server_that_can_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path)
    home.prefect.mkdir(parents=True)
    database = home.prefect / "prefect.db"
    database.write_bytes(b"no database" * 1000)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(home.prefect))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    with pytest.raises(PrefectError, match="ended before it had started") as caught:
        embed(home)
    assert str(database) in caught.value.remedy
    assert "PREFECT_API_URL" not in os.environ


def test_the_server_that_serves_schedules_is_found_while_it_lives(
    tmp_path: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    assert running(home) is None
    home.prefect.mkdir(parents=True)
    # One that was killed leaves its address behind.
    (home.prefect / ADDRESS).write_text("http://127.0.0.1:9/api\n")
    assert running(home) is None
    (home.prefect / ADDRESS).write_text(f"{prefect_api}\n")
    assert running(home) == prefect_api
    monkeypatch.setenv("PREFECT_API_URL", "")
    join(home)
    assert os.environ["PREFECT_API_URL"] == prefect_api


def test_two_that_start_at_once_have_ports_of_their_own() -> None:
    with prefect_server._listening(free_port()) as first:
        port = first.getsockname()[1]
        with prefect_server._listening(port) as second:
            assert second.getsockname()[1] != port

"""The embedded Prefect server ends with the run, and a server that does not start is told in words."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from place import Place, assert_explained, ended, free_port, processes_with, wait_for
from registry_helpers import answering

from flows import prefect_server
from flows.prefect_server import PrefectError, embed, join
from perennial.core.home import Home
from perennial.scheduling.prefect_api import ADDRESS, fault_of, running_server


def parent_of(number: int) -> int:
    return int((Path("/proc") / str(number) / "stat").read_text().rpartition(")")[2].split()[1])


def read_some(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_server_that_is_named_is_used(tmp_path: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    assert embed(Home(tmp_path)) is None
    assert os.environ["PREFECT_API_URL"] == prefect_api


def test_a_server_that_is_named_and_is_none_is_told(make_place: Callable[..., Place]) -> None:
    place = make_place(schedule={"cron": "0 3 * * *"})
    named = {"PREFECT_API_URL": f"http://ann:hunter2@127.0.0.1:{free_port()}/api"}
    for command in (("run", "tiny"), ("schedule",), ("schedule", "--list"), ("schedule", "--pause")):
        said = place.command(*command, **named)
        assert_explained(said, 1, "Prefect at http://***@127.0.0.1", "connection refused", "unset it")
        assert "hunter2" not in said.text
    with answering(200, b"{}", "application/json") as address:
        said = place.command("schedule", "--list", PREFECT_API_URL=address)
        assert_explained(said, 1, "what answers there is no Prefect server")


def test_an_address_that_another_has_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / ADDRESS
    path.write_text("http://127.0.0.1:2/api\n")
    prefect_server._forget(path, "http://127.0.0.1:1/api")
    assert path.exists()
    prefect_server._forget(path, "http://127.0.0.1:2/api")
    assert not path.exists()


def test_a_second_schedule_on_a_home_is_refused_and_one_whose_server_ended_says_so(
    make_place: Callable[..., Place], prefect_api: str
) -> None:
    place = make_place(schedule={"cron": "0 3 * * *"})
    place.prefect_api = None
    place.home.prefect.mkdir(parents=True)
    (place.home.prefect / ADDRESS).write_text(f"{prefect_api}\n")
    assert_explained(place.command("schedule"), 1, "serves on", "already", "PREFECT_API_URL=")
    gone = prefect_server.ended(subprocess.Popen(["false"], text=True), place.home)
    assert "Prefect's embedded server, which makes the scheduled runs, has ended (exit code 1)" in gone.problem
    assert "again" in gone.remedy


@pytest.mark.soak(
    twin="tests/flows/test_prefect_server.py::"
    "test_a_second_schedule_on_a_home_is_refused_and_one_whose_server_ended_says_so"
)
def test_a_schedule_ends_with_its_server_and_is_the_only_one_on_its_home(make_place: Callable[..., Place]) -> None:
    place = make_place(schedule={"cron": "0 3 * * *"})
    place.prefect_api = None
    serving = place.start("schedule")
    try:
        wait_for(lambda: running_server(place.home), serving)
        second = place.apart("schedule")
        assert_explained(second, 1, "serves on", "already", "PREFECT_API_URL=")
        wait_for(lambda: b"Ctrl-C ends it" in read_some(serving), serving)
        servers = [number for number in processes_with("flows.prefect_server") if parent_of(number) == serving.pid]
        for number in servers:
            os.kill(number, signal.SIGKILL)
        said = ended(serving, 60)
        assert_explained(said, 1, "Prefect's embedded server, which makes the scheduled runs, has ended", "again")
    finally:
        serving.kill()


def test_an_embedded_server_answers_and_ends_with_who_started_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.prefect.mkdir(parents=True)
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setenv("PREFECT_HOME", str(home.prefect))
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    server = embed(home)
    assert server is not None
    assert server.stdin is not None
    try:
        assert fault_of(os.environ["PREFECT_API_URL"]) == ""
        assert (home.prefect / "prefect.db").is_file()
        # As the system does when a process ends, however that ends.
        server.stdin.close()
        server.wait(120)
        assert processes_with(str(home.prefect)) == []
    finally:
        server.kill()


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
    assert running_server(home) is None
    home.prefect.mkdir(parents=True)
    # One that was killed leaves its address behind.
    (home.prefect / ADDRESS).write_text("http://127.0.0.1:9/api\n")
    assert running_server(home) is None
    (home.prefect / ADDRESS).write_text(f"{prefect_api}\n")
    assert running_server(home) == prefect_api
    monkeypatch.setenv("PREFECT_API_URL", "")
    join(home)
    assert os.environ["PREFECT_API_URL"] == prefect_api


def test_two_that_start_at_once_have_ports_of_their_own() -> None:
    with prefect_server._server_socket(free_port()) as first:
        port = first.getsockname()[1]
        with prefect_server._server_socket(port) as second:
            assert second.getsockname()[1] != port

"""A server follows the alias, whatever the registry does, and ends well."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faulty_proxy
from place import flip
from serving_helpers import Serving, promote, serving

from perennial import digest
from perennial.home import Home
from perennial.registry import rollback

FAST = ("--set", "serving.poll_seconds=0.1")


@contextmanager
def asked_all_the_time(server: Serving) -> Iterator[list[tuple[int, str | None]]]:
    """Status and version of each answer to requests that never stop."""
    told: list[tuple[int, str | None]] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            answer = server.predict(texts=["excellent soup", "bread"])
            told.append((answer.status, answer.json.get("version")))

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        yield told
    finally:
        enough.set()
        for client in clients:
            client.join()


def test_promotions_and_rollbacks_take_effect_and_no_request_is_dropped(home: Home) -> None:
    with serving(home, "tiny", "--wait", *FAST) as server:
        server.until(lambda: server.figure("perennial_champion_problem", problem="missing"))
        for answer in (server.predict(texts=["soup"]), server.ask("/readyz"), server.ask("/")):
            assert (answer.status, answer.json["code"]) == (503, "no_champion")
            assert answer.headers["retry-after"]
        promote(home, "a", None)
        server.until(lambda: server.ask("/readyz").status == 200)
        with asked_all_the_time(server) as told:
            promote(home, "b", "1")
            server.until(lambda: server.version() == "2")
            rollback.rollback(home, "tiny", None, "A test.")
            server.until(lambda: server.version() == "1")
        assert {status for status, _ in told} == {200}
        assert list(dict.fromkeys(version for _, version in told)) == ["1", "2"]
        assert server.figure("perennial_champion_version", version="1") == 1
        assert server.figure("perennial_champion_version", version="2") == 0
        for name in ("registry", "missing", "package"):
            assert server.figure("perennial_champion_problem", problem=name) == 0
        assert "Version 2 of tiny serves; before it was version 1." in server.text
        assert server.end() == 0


def spoil(files: Path, home: Home, key: str) -> None:
    expected = digest.of_file(home.store.root / "export" / (key * 64) / "package.json")
    [found] = [file for file in files.rglob("package/package.json") if digest.of_file(file) == expected]
    flip(found.with_name("model.onnx"))


def test_a_registry_that_is_down_and_a_tampered_champion_change_nothing(
    remote: tuple[str, Path], tmp_path: Path
) -> None:
    address, files = remote
    home = Home(tmp_path / "trainer").with_mlflow_at(address)
    promote(home, "a", None, "remote")
    elsewhere = Home(tmp_path / "elsewhere")
    elsewhere.root.mkdir()
    with (
        faulty_proxy.before(address) as proxy,
        serving(elsewhere, "remote", *FAST, MLFLOW_TRACKING_URI=proxy.address) as server,
    ):

        def problem(name: str) -> bool:
            return server.figure("perennial_champion_problem", problem=name) == 1

        assert server.version() == "1"
        proxy.spoil(lambda *_: True)
        server.until(lambda: problem("registry"))
        assert "it answered with HTTP status 500" in server.text
        assert "Version 1 goes on serving." in server.text
        # While it can't see it, another one becomes champion, whose package is then changed.
        promote(home, "b", "1", "remote")
        spoil(files, home, "b")
        assert server.version() == "1"
        assert server.ask("/readyz").json["problem"] == "registry"
        proxy.heal()
        server.until(lambda: problem("package"))
        assert not problem("registry")
        assert "package of version 2" in server.text
        assert "model.onnx has sha256" in server.text
        assert server.version() == "1"
        rollback.rollback(home, "remote", None, "Tampered with.")
        server.until(lambda: not problem("package"))
        assert "all is well again" in server.text
        assert server.version() == "1"


def test_requests_under_way_are_answered_when_it_is_told_to_end(champion: Home) -> None:
    with serving(champion, "tiny", "--version", "1") as server:
        body = json.dumps({"texts": ["excellent soup"]}).encode()
        with socket.create_connection(("127.0.0.1", server.port), 30) as client:
            head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body[:5])
            server.until(lambda: server.ask("/healthz").status == 200)
            server.process.send_signal(signal.SIGTERM)
            # It has begun to end as soon as nobody else is let in.
            server.until(lambda: refuses(server.port))
            client.sendall(body[5:])
            answer = client.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"version":"1"' in answer
        assert server.process.wait(30) == 0
    assert "Ended" in server.text


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return True
    return False

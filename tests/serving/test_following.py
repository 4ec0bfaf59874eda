"""A server follows the alias, whatever the registry does, and ends well."""

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import faulty_proxy
import pytest
from place import flip
from serving_helpers import Serving, promote, serving

from perennial.core import digest
from perennial.core.errors import RegistryError
from perennial.core.home import Home
from perennial.promotion import rollback
from perennial.promotion.serving_champion import bring
from perennial.records.package import Champion
from perennial.serving.current import CurrentVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.versions import last_served
from perennial.serving.versions.following import Follower
from perennial.settings.serving import ServingSpec

FAST = ("--set", "serving.poll_seconds=0.1")


@contextmanager
def asked_all_the_time(server: Serving) -> Iterator[list[tuple[int, str | None]]]:
    """Status and version of each answer to requests that never stop."""
    answers: list[tuple[int, str | None]] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            answer = server.predict(texts=["excellent soup", "bread"])
            answers.append((answer.status, answer.json.get("version")))

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        yield answers
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
        with asked_all_the_time(server) as answers:
            promote(home, "b", "1")
            server.until(lambda: server.version() == "2")
            rollback.rollback(home, "tiny", None, "A test.")
            server.until(lambda: server.version() == "1")
        assert {status for status, _ in answers} == {200}
        assert list(dict.fromkeys(version for _, version in answers)) == ["1", "2"]
        server.until(lambda: server.figure("perennial_champion_version", version="1") == 1)
        server.until(lambda: server.figure("perennial_champion_version", version="2") == 0)
        for name in ("registry", "missing", "package"):
            server.until(lambda name=name: server.figure("perennial_champion_problem", problem=name) == 0)
        assert "Version 2 of tiny serves; before it was version 1." in server.text
        assert server.end() == 0


def spoil(files: Path, home: Home, key: str) -> None:
    expected = digest.of_file(home.store.root / "export" / (key * 64) / "package.json")
    [file] = [file for file in files.rglob("package/package.json") if digest.of_file(file) == expected]
    flip(file.with_name("model.onnx"))


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


@contextmanager
def behind(proxy: faulty_proxy.Proxy, home: Home, *arguments: str) -> Iterator[Serving]:
    with serving(home, "kept", *FAST, *arguments, MLFLOW_TRACKING_URI=proxy.address) as server:
        yield server


def test_a_server_started_again_while_the_registry_is_down_goes_on_with_what_it_served(
    remote: tuple[str, Path], tmp_path: Path
) -> None:
    address, _ = remote
    trainer, here = Home(tmp_path / "trainer").with_mlflow_at(address), Home(tmp_path / "here")
    here.root.mkdir()
    promote(trainer, "a", None, "kept")
    with faulty_proxy.before(address) as proxy:
        with behind(proxy, here) as server:
            assert server.version() == "1"
        proxy.spoil(lambda *_: True)
        with behind(proxy, here, "--version", "1") as server:
            assert server.version() == "1"
            server.until(lambda: server.figure("perennial_champion_problem", problem="registry") == 0)
        with behind(proxy, here, "--wait") as server:
            server.until(lambda: server.version() == "1")
        with behind(proxy, here) as server:
            assert server.version() == "1"
            server.until(lambda: server.figure("perennial_champion_problem", problem="registry") == 1)
            assert "it answered with HTTP status 500" in server.text
            assert "Version 1 goes on serving." in server.text
            promote(trainer, "b", "1", "kept")
            proxy.heal()
            server.until(lambda: server.version() == "2")
            server.until(lambda: server.figure("perennial_champion_problem", problem="registry") == 0)


def note_of(home: Home) -> Path:
    return home.served / "tiny.json"


DISTRUSTED: dict[str, Callable[[Home, Champion], object]] = {
    "nothing noted": lambda down, _: note_of(down).unlink(),
    "damaged note": lambda down, _: note_of(down).write_text(note_of(down).read_text()[:-9]),
    "another registry": lambda down, whole: last_served.note_served(
        down.with_mlflow_at("http://127.0.0.1:8"), "tiny", whole
    ),
    "another version": lambda down, whole: last_served.note_served(
        down, "tiny", whole.model_copy(update={"version": "2"})
    ),
    "damaged package": lambda down, whole: flip(down.store.root / whole.path / "model.onnx"),
}


@pytest.mark.parametrize("doubt", [None, *DISTRUSTED])
def test_what_was_not_served_from_this_registry_or_is_damaged_is_not_gone_on_with(
    home: Home, doubt: str | None
) -> None:
    promote(home, "a", None)
    whole = bring(home, "tiny").package
    down = home.with_mlflow_at("http://127.0.0.1:9")
    last_served.note_served(down, "tiny", whole)
    stage = CurrentVersion()
    follower = Follower(down, "tiny", "1", ServingSpec(), stage, ServingMetrics("tiny"))
    if doubt is None:
        follower.load()
        assert stage.served
        assert (stage.served.version, stage.served.digest) == ("1", whole.package_digest)
        return
    DISTRUSTED[doubt](down, whole)
    with pytest.raises(RegistryError, match=r"MLflow at http://127\.0\.0\.1:\d can't be used"):
        follower.load()
    assert stage.served is None


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

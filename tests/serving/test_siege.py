"""A server under load, while everything around it goes wrong. SIEGE_SECONDS=600 makes it ten minutes."""

import asyncio
import itertools
import json
import os
import string
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faulty_proxy
import numpy as np
import promoting
import psutil
import pytest
from place import flip
from registry_helpers import WORDS, make_run
from serving_helpers import Serving, serving, tiny_spec
from siege import Siege

from perennial.core import digest
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.records.decision import Outcome
from perennial.serving.access.api_keys import Limits, add_key, revoke_key
from perennial.signing import keys
from perennial.signing.keys import KeyPair

SECONDS = float(os.environ.get("SIEGE_SECONDS", 60))
CLIENTS = 8
SHARE = 0.8
TEXTS = [" ".join(words) for length in (1, 2, 3) for words in itertools.product(WORDS[2:], repeat=length)]
FAST = ("--set", "serving.poll_seconds=0.2")
KEYS = string.ascii_letters + string.digits


class Versions:
    """Versions of one model, each of which answers otherwise than all others."""

    def __init__(self, home: Home, model: str, siege: Siege | None = None) -> None:
        self._home, self._model, self.siege = home, model, siege
        self._keys = iter(KEYS)
        self.newest: str | None = None

    def promote(self) -> str:
        """The next one, champion now."""
        key = next(self._keys)
        bias = np.random.default_rng(ord(key)).normal(size=4).astype(np.float32) * 2
        run = make_run(self._home, tiny_spec(self._model), key * 64, bias=bias).judged(Outcome.PROMOTE, self.newest)
        registered = run.register()
        folder = self._home.store.root / "export" / (key * 64)
        if self.siege:
            self.siege.expect(registered.version, Predictor(folder, threads=1))
        assert promoting.promote(self._home, registered, "A test.")
        self.newest, self._newest_package = registered.version, folder
        return self.newest

    def damage_newest(self, files: Path) -> None:
        """Change what the registry, whose files lie under `files`, has of the newest."""
        expected = digest.of_file(self._newest_package / "package.json")
        [file] = [one for one in files.rglob("package/package.json") if digest.of_file(one) == expected]
        flip(file.with_name("model.onnx"))


class Around:
    """The server, its registry and what goes wrong with it, in turns."""

    def __init__(self, server: Serving, proxy: faulty_proxy.Proxy, versions: Versions, files: Path) -> None:
        self.server, self.proxy, self.versions, self.files = server, proxy, versions, files
        self.expected: list[str] = []

    def swap(self) -> None:
        """A new champion, that the server comes to serve."""
        newest = self.versions.promote()
        self.expected.append(newest)
        self.server.until(lambda: self.server.figure("perennial_champion_version", version=newest) == 1)

    def stop_registry(self, seconds: float) -> None:
        """No registry for so long; meanwhile another version becomes champion, whose package is tampered with: it must
        never serve."""
        self.proxy.spoil(lambda *_: True)
        self.server.until(lambda: self._problem("registry"))
        self.versions.promote()
        self.versions.damage_newest(self.files)
        time.sleep(seconds)
        self.proxy.heal()
        self.server.until(lambda: self._problem("package"))

    def let_a_stranger_sign(self, strange: KeyPair, ours: KeyPair, environment: pytest.MonkeyPatch) -> None:
        """A champion that another key signed: it must never serve."""
        environment.setenv(keys.VARIABLE, str(strange.private))
        self.versions.promote()
        environment.setenv(keys.VARIABLE, str(ours.private))
        self.server.until(lambda: self._problem("signature"))

    def revoke(self, key_file: Path, name: str, key: str) -> None:
        """A key that was good is so no more, without a restart."""
        body, header = json.dumps({"texts": ["soup"]}).encode(), {"Authorization": f"Bearer {key}"}
        assert self.server.ask("/predict", body, **header).status == 200
        revoke_key(key_file, name)
        self.server.until(lambda: self.server.ask("/predict", body, **header).status == 401)

    def _problem(self, name: str) -> bool:
        return self.server.figure("perennial_champion_problem", problem=name) == 1


@contextmanager
def asking(siege: Siege, rate: float) -> Iterator[None]:
    """For the block, clients ask at that rate."""
    ended = threading.Event()
    clients = threading.Thread(target=lambda: asyncio.run(siege.ask(CLIENTS, rate, ended.is_set)))
    clients.start()
    try:
        yield
    finally:
        ended.set()
        clients.join()


def resident(server: Serving) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def besieged(remote: tuple[str, Path], folder: Path, seconds: float, environment: pytest.MonkeyPatch) -> Siege:
    """What clients with a good key saw of a server whose champion changed all the time."""
    address, files = remote
    trainer, here = Home(folder / "trainer").with_mlflow_at(address), Home(folder / "here")
    here.root.mkdir()
    ours, strange = keys.new_pair(folder / "release"), keys.new_pair(folder / "stranger")
    environment.setenv(keys.VARIABLE, str(ours.private))
    key_file = folder / "api-keys.json"
    good, bad = (add_key(key_file, name, ["predict"], None, Limits())[1] for name in ("good", "bad"))
    versions = Versions(trainer, folder.name)
    first = versions.promote()
    guarded = ("--keys", str(key_file), "--trusted-key", str(ours.public), "--set", "serving.open_metrics=true")
    with (
        faulty_proxy.before(address) as proxy,
        serving(here, folder.name, *FAST, *guarded, MLFLOW_TRACKING_URI=proxy.address) as server,
    ):
        siege = versions.siege = Siege(server.port, TEXTS, {"Authorization": f"Bearer {good}"})
        siege.expect(first, Predictor(trainer.store.root / "export" / (KEYS[0] * 64), threads=1))
        enough = time.monotonic() + 2
        asyncio.run(siege.ask(CLIENTS, None, lambda: time.monotonic() > enough))
        capacity = siege.seen.statuses[200] / 2
        around = Around(server, proxy, versions, files)
        around.swap()
        before = resident(server)
        with asking(siege, SHARE * capacity):
            end = time.monotonic() + seconds
            around.let_a_stranger_sign(strange, ours, environment)
            around.revoke(key_file, "bad", bad)
            around.stop_registry(seconds / 10)
            while time.monotonic() < end or len(around.expected) < 2:
                around.swap()
                time.sleep(seconds / 30)
        assert siege.seen.versions == [first, *around.expected]
        assert resident(server) < 1.05 * before
        assert good not in server.text
        assert bad not in server.text
        assert server.end() == 0
    return siege


@pytest.mark.soak(
    twin="tests/serving/test_following.py::test_a_registry_that_is_down_and_a_tampered_champion_change_nothing"
)
def test_a_minute_of_everything(remote: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    siege = besieged(remote, tmp_path, SECONDS, monkeypatch)
    assert set(siege.seen.statuses) == {200}
    assert siege.seen.lost == 0
    assert siege.seen.wrong == []

"""Several workers answer on one address: one that dies is replaced, figures are summed, all drain when told to end."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import psutil
import pytest
from serving_helpers import REPOSITORY, Serving, promote, serving

from perennial.core.home import Home


@pytest.fixture(scope="module")
def pair(champion: Home) -> Iterator[Serving]:
    """Two workers, which count in one place."""
    with serving(champion, "tiny", "--workers", "2") as server:
        server.until(lambda: server.figure("perennial_workers") == 2)
        yield server


def workers(server: Serving) -> list[int]:
    return sorted(child.pid for child in psutil.Process(server.process.pid).children())


def test_figures_are_those_of_all_workers(pair: Serving) -> None:
    before = pair.figure("perennial_rows_total")
    for _ in range(30):
        assert pair.predict(texts=["soup", "bread"]).status == 200
    assert pair.figure("perennial_rows_total") - before == 60
    assert pair.figure("perennial_champion_version", version="1") == 1
    assert pair.figure("perennial_queue_rows") == 0


def test_a_worker_that_dies_is_replaced_and_what_it_counted_stays(pair: Serving) -> None:
    counted, [first, *_] = pair.figure("perennial_rows_total"), workers(pair)
    psutil.Process(first).send_signal(signal.SIGKILL)
    pair.until(lambda: first not in workers(pair) and len(workers(pair)) == 2)
    pair.until(lambda: pair.figure("perennial_workers") == 2)
    assert pair.figure("perennial_rows_total") >= counted
    assert "A worker ended" in pair.text
    assert pair.predict(texts=["soup"]).status == 200


def test_all_workers_take_up_a_new_champion_and_all_drain(home: Home) -> None:
    promote(home, "a", None)
    with serving(home, "tiny", "--workers", "2", "--set", "serving.poll_seconds=0.2") as server:
        server.until(lambda: server.figure("perennial_workers") == 2)
        promote(home, "b", "1")
        server.until(lambda: server.figure("perennial_champion_version", version="1") == 0)
        server.until(lambda: {server.version() for _ in range(20)} == {"2"})
        processes = workers(server)
        body = json.dumps({"texts": ["soup"] * 500}).encode()
        statuses: list[int] = []
        asked = [
            threading.Thread(target=lambda: statuses.append(server.ask("/predict", body).status)) for _ in range(4)
        ]
        for thread in asked:
            thread.start()
        server.until(
            lambda: server.figure("perennial_queue_rows") > 0 or not any(map(threading.Thread.is_alive, asked))
        )
        assert server.end() == 0
        for thread in asked:
            thread.join()
        assert statuses == [200] * 4
        assert not any(map(psutil.pid_exists, processes))


def test_what_keeps_the_first_worker_from_serving_ends_all(champion: Home) -> None:

    command = [sys.executable, "-m", "flows.cli", "serve", "nobody", "--port", "0", "--workers", "2"]
    settings = os.environ | {"PERENNIAL_HOME": str(champion.root), "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(
        command, env=settings, capture_output=True, text=True, timeout=120, cwd=champion.root, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.count("nobody") >= 1
    assert "Traceback" not in ended.stderr

"""Serving: requests a second, how long each waits, and what it costs: `perennial serve` of this build and of an earlier
one, `mlflow models serve` of the same version and of MLflow's transformers flavour, and infinity. All are up at once
and take turns, so that whatever else this machine does meets all.

Each request asks one text. The clients run on the same cores as the server; what the load itself takes of them is said.
BENCH_HOME names a home that has a champion of the sentiment pipeline; without it one is trained first. BENCH_DATA: real
texts of mixed lengths in place of generated headlines. BENCH_AGAINST: the earlier commit (874b2b4); BENCH_CLIENTS
(1,8,64,256), BENCH_ROUNDS (3), BENCH_SECONDS (4) of each turn; BENCH_PEERS=no leaves out all but Perennial's builds.
BENCH_INFINITY: a virtual environment that has infinity-emb; without it one is made, and where that can't be, infinity
is left out and the reason is said.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.builds import build
from benchmarks.common.command import home_with_champion, memory_mb
from benchmarks.common.own_rows import size, sizes
from benchmarks.serving import classifier, servers
from benchmarks.serving.servers import Running, Server
from perennial.core.home import Home
from perennial.inference.tokenization import Tokenizer

GENERATED = Path("pipelines/sentiment/data")
REAL = ("financial_phrasebank/train.jsonl", "sst2/train.jsonl", "bbc_business/headlines_2022.jsonl")
TEXTS = 2048
WARM_UP = 8
"""Clients of the turn in which each server warms up; it is not counted."""
LOAD = Path(__file__).with_name("load.py")


@dataclass(frozen=True)
class Turn:
    """What one server did for some clients."""

    rate: float
    """Requests answered a second."""
    seconds: list[float]
    """Of each."""
    cost: float
    """Processor seconds that the server took for each."""
    load: float
    """Share of one core that the clients took."""
    failed: int


def measure(scratch: Path) -> dict[str, object]:
    """Figures of each server at each number of clients, and this build's over each of the others'."""
    home, texts = home_with_champion(scratch).absolute(), _texts()
    against = build.earlier(os.environ.get("BENCH_AGAINST", "874b2b4"), scratch)
    wanted = [servers.of_build(build.ours(), home), servers.of_build(against, home)]
    measured: dict[str, object] = {"tokens a text": (tokens := _tokens(home, texts))}
    if os.environ.get("BENCH_PEERS") != "no":
        wanted += _peers(home, scratch, measured)
    with ExitStack() as stack:
        up = [stack.enter_context(servers.running(server, scratch)) for server in wanted]
        turns = dict(_turns(up, texts, scratch))
        measured |= {f"{one.server.name}, MB": round(memory_mb(one.process.pid)) for one in up}
    return measured | _figures(wanted, turns, tokens)


def _peers(home: Path, scratch: Path, measured: dict[str, object]) -> list[Server]:
    """The others' servers; why one is left out is noted in `measured`."""
    classifier.write_classifier(Home(home), scratch / "classifier")
    classifier.write_flavour(scratch / "classifier", scratch / "flavour")
    peers = [
        servers.of_mlflow("the same version", "models:/sentiment@champion", home, _record),
        servers.of_mlflow("transformers flavour", str(scratch / "flavour"), home, lambda text: {"inputs": [text]}),
    ]
    try:
        peers.append(servers.of_infinity(_infinity(scratch), scratch / "classifier"))
    except (OSError, subprocess.SubprocessError) as error:
        measured["infinity is left out"] = f"{error}"
    return peers


def _texts() -> list[str]:
    data = os.environ.get("BENCH_DATA")
    files = [Path(data) / name for name in REAL] if data else sorted(GENERATED.glob("*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [text for row in rows for text in (row["text"], row.get("description")) if text]
    random.Random(0).shuffle(texts)  # noqa: S311
    return texts[:TEXTS]


def _record(text: str) -> dict[str, Any]:
    return {"dataframe_records": [{"text": text}]}


def _tokens(home: Path, texts: list[str]) -> float:
    file = next((home / "store" / "export").glob("*/package/tokenizer.json"))
    return float(np.mean([len(ids) for ids in Tokenizer(file, 128).encode(texts)[0]]))


def _infinity(scratch: Path) -> Path:
    if given := os.environ.get("BENCH_INFINITY"):
        return Path(given).absolute()
    made = scratch / "infinity"
    subprocess.run([sys.executable, "-m", "venv", str(made)], check=True, capture_output=True)
    install = [str(made / "bin" / "pip"), "install", "--quiet", "infinity-emb[server,torch]"]
    subprocess.run(install, check=True, capture_output=True, timeout=1800)
    return made


def _turns(up: list[Running], texts: list[str], scratch: Path) -> Iterator[tuple[tuple[str, int], list[Turn]]]:
    """What each server did for each number of clients, round for round."""
    given: dict[tuple[str, int], list[Turn]] = {}
    for one in up:
        _turn(one, texts, WARM_UP, scratch)
    for _ in range(size("BENCH_ROUNDS", 3)):
        for clients in sizes("BENCH_CLIENTS", "1,8,64,256"):
            for one in up:
                given.setdefault((one.server.name, clients), []).append(_turn(one, texts, clients, scratch))
    yield from given.items()


def _turn(one: Running, texts: list[str], clients: int, scratch: Path) -> Turn:
    bodies = scratch / "bodies"
    bodies.write_text("\n".join(json.dumps(one.server.body(text)) for text in texts), encoding="utf-8")
    seconds = os.environ.get("BENCH_SECONDS", "4")
    before = one.cpu_seconds()
    command = [sys.executable, str(LOAD), str(one.port), one.server.path, str(bodies), str(clients), seconds]
    said = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    answered = len(said["seconds"])
    return Turn(
        rate=answered / said["wall"],
        seconds=said["seconds"],
        cost=(one.cpu_seconds() - before) / max(1, answered),
        load=said["cpu"] / said["wall"],
        failed=said["refused"] + said["lost"],
    )


def _figures(wanted: list[Server], turns: dict[tuple[str, int], list[Turn]], tokens: float) -> dict[str, object]:
    figures: dict[str, object] = {}
    for (name, clients), given in turns.items():
        waits = [second for turn in given for second in turn.seconds] or [float("nan")]
        p50, p99 = np.percentile(waits, [50, 99]) * 1000
        rate = statistics.median(turn.rate for turn in given)
        said = {
            "requests/s": rate,
            "tokens/s": rate * tokens,
            "p50 ms": p50,
            "p99 ms": p99,
            "cpu ms a request": 1000 * statistics.median(turn.cost for turn in given),
            "load's share of a core": statistics.median(turn.load for turn in given),
        }
        figures[f"{name}, {clients} clients"] = {what: round(float(value), 2) for what, value in said.items()} | {
            "failed": sum(turn.failed for turn in given)
        }
    return figures | _ratios(wanted, turns)


def _ratios(wanted: list[Server], turns: dict[tuple[str, int], list[Turn]]) -> dict[str, object]:
    """The median, within a round, of this build's requests/s over each other's."""
    ours = wanted[0].name
    ratios: dict[str, object] = {}
    for (name, clients), given in turns.items():
        if name != ours:
            within = [one.rate / max(other.rate, 1e-9) for one, other in zip(turns[ours, clients], given, strict=True)]
            ratios[f"this build : {name}, {clients} clients"] = round(statistics.median(within), 2)
    return ratios

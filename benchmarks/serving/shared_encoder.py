"""Many heads on one encoder: memory and rows a second of one process with ten models, beside one with a single model.

The ten are the champion of `sentiment` with other numbers in their heads, as they come of a frozen encoder. Each of
the processes answers over HTTP; clients ask one headline a request and, of ten models, each in turn. The processes take
turns, so that what else the machine does meets all. BENCH_HOME names a home that has a champion; without it one is
trained first.
"""

import asyncio
import dataclasses
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.command import MODEL, home_with_champion, memory_mb
from benchmarks.serving import clients

MODELS, CLIENTS, ROUNDS, SECONDS = 10, 64, 5, 2.0
ALONE = "--alone"


def measure(scratch: Path) -> dict[str, object]:
    """Figures of one model, ten that share their encoder, and ten that don't."""
    heads = [_with_head(_champion(scratch), scratch / f"head-{number}", number) for number in range(MODELS)]
    cases = {
        "one model": heads[:1],
        f"{MODELS} models, one encoder": heads,
        f"{MODELS} models, each its own": [ALONE, *heads],
    }
    with ExitStack() as stack:
        running = {name: stack.enter_context(_server([str(one) for one in given])) for name, given in cases.items()}
        rates: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(ROUNDS):
            for name, (port, _) in running.items():
                rates[name].append(_rate(port, min(len(cases[name]), MODELS)))
        memory = {name: memory_mb(process.pid) for name, (_, process) in running.items()}
    return dict(_compared(rates, memory))


def _compared(rates: Mapping[str, Sequence[float]], memory: Mapping[str, float]) -> Iterator[tuple[str, object]]:
    first = next(iter(rates))
    for name, each in rates.items():
        ratios = [rate / beside for rate, beside in zip(each, rates[first], strict=True)]
        yield (
            name,
            {
                "MB": round(memory[name]),
                "times the memory of one": round(memory[name] / memory[first], 2),
                "requests/s": round(statistics.median(each)),
                "share of one's requests/s": round(statistics.median(ratios), 2),
            },
        )


def _champion(scratch: Path) -> Path:
    from perennial.core.home import Home
    from perennial.promotion import serving_champion

    home = Home(home_with_champion(scratch))
    return home.store.root / serving_champion.bring(home, MODEL, None).package.path


def _with_head(package: Path, folder: Path, number: int) -> Path:
    """A copy of `package` whose head has other numbers for another `number`."""
    import onnx
    from onnx import numpy_helper

    from perennial.inference.package import DESCRIPTION, MODEL, PackageInfo, render, sha256

    shutil.copytree(package, folder)
    model = onnx.load(folder / MODEL)
    draw = np.random.default_rng(number)
    for tensor in model.graph.initializer:
        if tensor.name.startswith("head.") and tensor.data_type == onnx.TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            other = values * (1 + 0.1 * draw.random(values.shape, np.float32))
            tensor.CopyFrom(numpy_helper.from_array(other, tensor.name))
    onnx.save(model, folder / MODEL)
    content = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    info = PackageInfo(
        **{field.name: content[field.name] for field in dataclasses.fields(PackageInfo) if field.name in content}
    )
    files = dict(info.files) | {MODEL: sha256(folder / MODEL)}
    (folder / DESCRIPTION).write_bytes(render(dataclasses.replace(info, files=files)))
    return folder


@contextmanager
def _server(arguments: Sequence[str]) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    port = clients.free_port()
    command = [sys.executable, "-m", "benchmarks.serving.shared_encoder", str(port), *arguments]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())}, start_new_session=True)
    try:
        clients.await_answer(f"http://127.0.0.1:{port}/readyz", process)
        yield port, process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _rate(port: int, models: int) -> float:
    """Requests a second."""
    bodies = [json.dumps({"texts": [text]}).encode() for text in clients.headlines()]

    async def all_clients() -> int:
        until = time.perf_counter() + SECONDS
        paths = [f"/models/m{number % models}/predict" for number in range(CLIENTS)]
        asked = [
            clients.client(port, path, bodies[number:] + bodies[:number], until) for number, path in enumerate(paths)
        ]
        return sum(len(latencies) for latencies in await asyncio.gather(*asked))

    started = time.perf_counter()
    return asyncio.run(all_clients()) / (time.perf_counter() - started)


def _serve(port: int, folders: Sequence[Path], *, alone: bool) -> None:
    """Answer for the packages in `folders`, called m0, m1 and so on, until told to end."""
    import uvicorn

    from perennial.inference.predictor import Predictor
    from perennial.inference.sharing.pool import GraphPool
    from perennial.serving import memory
    from perennial.serving.app import make_app
    from perennial.serving.current import CurrentVersion, LoadedVersion
    from perennial.serving.host import Host, HostedModel
    from perennial.serving.metrics import ServingMetrics
    from perennial.settings.serving import ServingSpec

    memory.use_few_arenas()  # as a server does
    pool = None if alone or len(folders) == 1 else GraphPool()
    hosted: list[Any] = []
    for number, folder in enumerate(folders):
        current = CurrentVersion()
        current.served = LoadedVersion(f"m{number}", "1", Predictor(folder, pool=pool))
        figures = ServingMetrics(f"m{number}", hosted[0].figures if hosted else None)
        hosted.append(HostedModel(f"m{number}", current, figures, {}))
    memory.give_back()
    uvicorn.run(make_app(Host(hosted, ServingSpec())), port=port, log_config=None, access_log=False)


if __name__ == "__main__":
    given = sys.argv[2:]
    _serve(int(sys.argv[1]), [Path(one) for one in given if one != ALONE], alone=ALONE in given)

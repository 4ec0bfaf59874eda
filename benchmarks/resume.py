"""`kill -9` in the middle of training, then the same command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.common.command import perennial

DEADLINE_SECONDS = 600


def measure(scratch: Path) -> dict[str, object]:
    """Kill the sentiment run after its first checkpoint, run it again, and say what the second run did."""
    home = scratch / "home"
    command = [str(Path(sys.executable).with_name("perennial")), "run", "sentiment"]
    environment = {**os.environ, "PERENNIAL_HOME": str(home)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    step = _first_checkpoint(home, process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1)
    left = [child.pid for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    again = perennial("run", "sentiment", "--json", home=home)
    return {
        "killed after": step,
        "processes it left behind": len(left),
        "run again: status": f"{again.answer['status']} (exit {again.code})",
        "run again, seconds of steps": again.answer["seconds"],
    }


def _first_checkpoint(home: Path, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        checkpoints = sorted(home.glob("checkpoints/*/step-*"))
        if checkpoints:
            return checkpoints[0].name
        time.sleep(0.2)
    raise RuntimeError(f"no checkpoint within {DEADLINE_SECONDS} s; the run ended with {process.poll()}")

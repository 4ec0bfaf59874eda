"""Running a command as a user would, and measuring it: seconds, and memory of it and all its children."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

MODEL = "sentiment"
SAMPLE_SECONDS = 0.1
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Measured:
    """What a command took and gave."""

    seconds: float
    peak_mb: float
    """Resident memory of the command and its children together, sampled."""
    code: int
    output: str

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON object it printed."""
        answer: dict[str, Any] = json.loads(self.output.splitlines()[-1])
        return answer


def perennial(*arguments: str, home: Path, folder: Path | None = None) -> Measured:
    """Run `perennial` with `arguments`, its home in `home`, in `folder`."""
    return run(str(Path(sys.executable).with_name("perennial")), *arguments, home=home, folder=folder)


def home_with_champion(scratch: Path) -> Path:
    """The home that BENCH_HOME names, or one in `scratch` where MODEL was trained just now."""
    if given := os.environ.get("BENCH_HOME"):
        return Path(given)
    home = scratch / "home"
    made = perennial("run", MODEL, "--json", home=home)
    assert made.code == 0, made.output
    return home


def run(*command: str, home: Path, folder: Path | None = None) -> Measured:
    """Run `command` with Perennial's home in `home`, in `folder`."""
    environment = {**os.environ, "PERENNIAL_HOME": str(home)}
    started = time.monotonic()
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    peak = 0.0
    while not _ended(process):
        peak = max(peak, memory_mb(process.pid))
    seconds = time.monotonic() - started
    return Measured(seconds, peak, process.returncode, process.stdout.read() if process.stdout else "")


def _ended(process: subprocess.Popen[str]) -> bool:
    """Whether `process` ends within SAMPLE_SECONDS; known at once."""
    try:
        process.wait(SAMPLE_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def memory_mb(pid: int) -> float:
    """Resident memory of the process `pid` and its children now; what they share counts for each."""
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0
    return sum(_resident(process) for process in family) / MEGABYTE


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0

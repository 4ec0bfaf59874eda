"""How long a person waits for nothing: `--help` from a cold process."""

import statistics
from pathlib import Path

from benchmarks.command import perennial

REPETITIONS = 7


def measure(scratch: Path) -> dict[str, float]:
    """Median seconds of `perennial --help`."""
    seconds = [perennial("--help", home=scratch).seconds for _ in range(REPETITIONS)]
    return {"perennial --help, seconds": statistics.median(seconds)}

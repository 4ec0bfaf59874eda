"""A whole run: the seconds of each step, what orchestration takes beside them, and a rerun with nothing new.

BENCH_EPOCHS: epochs of training, which are most of a run.
"""

import shutil
import statistics
from pathlib import Path

from benchmarks import own_rows
from benchmarks.command import perennial
from benchmarks.main_job import PIPELINE

RERUNS = 3


def measure(scratch: Path) -> dict[str, object]:
    """Run the sentiment pipeline, and again with nothing new."""
    pipeline, home = scratch / PIPELINE.name, scratch / "home"
    shutil.copytree(PIPELINE, pipeline)
    command = ("run", str(pipeline), "--json", "--set", f"training.epochs={own_rows.size('BENCH_EPOCHS', 4)}")
    ran = perennial(*command, home=home)
    again = [perennial(*command, home=home) for _ in range(RERUNS)]
    steps: dict[str, float] = ran.answer["seconds"]
    outside = ran.seconds - sum(steps.values())
    return {
        "status": f"{ran.answer['status']} (exit {ran.code})",
        "seconds": ran.seconds,
        **{f"step {name}, seconds": seconds for name, seconds in steps.items()},
        "outside of steps (Python's and Prefect's start, orchestration), seconds": outside,
        "outside of steps, share": outside / ran.seconds,
        "again, nothing new: status": again[0].answer["status"],
        "again, nothing new, seconds": statistics.median(each.seconds for each in again),
    }

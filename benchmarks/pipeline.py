"""A whole run: the seconds of each step, what orchestration takes beside them, and a rerun with nothing new.

The run that is measured is not the first on its home, which makes the databases of Prefect and MLflow.
BENCH_EPOCHS: epochs of training, which are most of a run.
"""

import shutil
import statistics
from pathlib import Path

from benchmarks.common import own_rows
from benchmarks.common.command import Measured, perennial
from benchmarks.main_job import PIPELINE

RERUNS = 3


def measure(scratch: Path) -> dict[str, object]:
    """Run the sentiment pipeline on another's home, and again with nothing new."""
    home, pipeline = scratch / "home", _named(scratch, "measured")
    first = perennial("run", str(_named(scratch, "first")), "--json", "--set", "training.epochs=1", home=home)
    command = ("run", str(pipeline), "--json", "--set", f"training.epochs={own_rows.size('BENCH_EPOCHS', 4)}")
    # Its first rows are others, so that no step finds its work done.
    for part in (pipeline / "data").glob("*.jsonl"):
        part.write_text("".join(part.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    ran = perennial(*command, home=home)
    again = [perennial(*command, home=home) for _ in range(RERUNS)]
    return {
        "status": f"{ran.answer['status']} (exit {ran.code})",
        "seconds": ran.seconds,
        **{f"step {name}, seconds": seconds for name, seconds in ran.answer["seconds"].items()},
        "outside of steps (Python's and Prefect's start, orchestration), seconds": _outside(ran),
        "outside of steps, share": _outside(ran) / ran.seconds,
        "outside of steps in the first run on the home, seconds": _outside(first),
        "again, nothing new: status": again[0].answer["status"],
        "again, nothing new, seconds": statistics.median(each.seconds for each in again),
    }


def _outside(ran: Measured) -> float:
    return ran.seconds - sum(ran.answer["seconds"].values())


def _named(scratch: Path, name: str) -> Path:
    """A copy of the pipeline under another name."""
    folder = Path(shutil.copytree(PIPELINE, scratch / name))
    file = folder / "pipeline.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("name: sentiment", f"name: {name}", 1), encoding="utf-8")
    return folder

"""Measure and print: `make bench`, or `python -m benchmarks startup main-job` for some of it.

Figures go to benchmarks/results/ as JSON, too. BENCH_DATA names a folder with data sets; without it, train, time-to,
infer and data measure on generated rows, and own-data, kinds and active-learning are left
out. BENCH_HOME names a home with a champion
of `sentiment`, for serving. BENCH_ROWS, BENCH_EPOCHS, BENCH_ROUNDS and what else each benchmark's first lines name make
it shorter or longer.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    annotation,
    data,
    history,
    infer,
    kinds,
    live_stream,
    main_job,
    many_rows,
    months,
    own_data,
    pipeline,
    reading,
    resume,
    scheduled,
    seeds,
    smaller,
    startup,
    train,
    use_cases,
)
from benchmarks.common import machine
from benchmarks.copies import joining
from benchmarks.deciding import canary, clusters, gates, slices, year
from benchmarks.health import live_accuracy
from benchmarks.labels import active_learning
from benchmarks.serving import comparison, explanations, operations, shared_encoder
from benchmarks.surges import bbc_alarms, comparing

RESULTS = Path("benchmarks/results")
DATA = os.environ.get("BENCH_DATA")

BENCHMARKS: dict[str, Callable[[Path], dict[str, object]]] = {
    "startup": lambda scratch: dict(startup.measure(scratch)),
    "infer": infer.measure,
    "smaller": smaller.measure,
    "train": train.measure,
    "time-to": train.time_to,
    "data": data.measure,
    "reading": reading.measure,
    "annotation": annotation.measure,
    "pipeline": pipeline.measure,
    "gates": gates.measure,
    "clusters": clusters.measure,
    "slices": slices.measure,
    "canary": canary.measure,
    "many-rows": lambda scratch: many_rows.measure(),
    "main-job": main_job.measure,
    "use-cases": use_cases.measure,
    "seeds": seeds.measure,
    "year": year.measure,
    "resume": resume.measure,
    "scheduled": scheduled.measure,
    "history": history.measure,
    "serving": lambda scratch: comparison.measure(scratch) | operations.measure(scratch),
    "explanations": explanations.measure,
    "serving-operations": operations.measure,
    "shared-encoder": shared_encoder.measure,
    "months": months.measure,
    "surges": comparing.measure,
    "monitor": live_stream.measure,
    "live-accuracy": live_accuracy.measure,
    "copies": joining.measure,
    "active-learning": lambda scratch: (
        active_learning.measure(scratch, Path(DATA)) if DATA else {"left out": "no BENCH_DATA"}
    ),
    "bbc-alarms": lambda scratch: bbc_alarms.measure(scratch, Path(DATA)) if DATA else {"left out": "no BENCH_DATA"},
    "own-data": lambda scratch: own_data.measure(scratch, Path(DATA)) if DATA else {"left out": "no BENCH_DATA"},
    "kinds": lambda scratch: kinds.measure(scratch, Path(DATA)) if DATA else {"left out": "no BENCH_DATA"},
}


def main() -> None:
    """Run the benchmarks named on the command line, or all, one after the other."""
    console = Console()
    chosen = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in chosen if name not in BENCHMARKS]:
        sys.exit(f"There is no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}.")
    described = machine.describe()
    results: dict[str, object] = {"machine": described}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.json"
    console.print(machine.in_words(described), soft_wrap=True)
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as scratch, console.status(f"{name} …"):
            figures = BENCHMARKS[name](Path(scratch))
        results[name] = figures
        console.print(_table(name, figures))
        # After each, so that one that fails takes none of the others along.
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(f"Written to {path}")


def _table(name: str, figures: dict[str, object]) -> Table:
    table = Table(title=name, title_justify="left", show_header=False, box=None, pad_edge=False)
    for what, value in figures.items():
        shown = f"{value:,.4g}" if isinstance(value, float) else value
        table.add_row(what, json.dumps(shown) if isinstance(shown, dict | list) else str(shown))
    return table


if __name__ == "__main__":
    main()

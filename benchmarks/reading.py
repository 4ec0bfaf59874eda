"""Plain CSV and JSONL read into a snapshot by this build and by an earlier one, in turns.

BENCH_AGAINST: the earlier commit (874b2b4); BENCH_ROWS (200,000) and BENCH_ROUNDS (7). Each reading has a process of
its own and a fresh home, and begins once its libraries are loaded.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.builds import build
from benchmarks.builds.build import Build
from benchmarks.common import own_rows, turns

PIPELINE = """\
name: reading
kind: text-classification
data:
  source: {type: file, path: few.csv}
  labels: [negative, neutral, positive]
gates:
  - {metric: accuracy, min: 0.5}
"""


def measure(scratch: Path) -> dict[str, object]:
    """Rows/s of each build and the ratio, for each form of file."""
    rows = own_rows.size("BENCH_ROWS", 200_000)
    _write(scratch, "few", 100)
    _write(scratch, "many", rows)
    (scratch / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    builds = [build.ours(), build.earlier(os.environ.get("BENCH_AGAINST", "874b2b4"), scratch)]
    figures: dict[str, object] = {"rows": rows}
    for form in ("csv", "jsonl"):
        contenders: dict[str, Callable[[], float]] = {
            f"{form}, {one.name}": partial(_rows_per_second, one, form, scratch) for one in builds
        }
        given = turns.take(contenders, own_rows.size("BENCH_ROUNDS", 7))
        figures |= turns.figures(given, f"{form}, {builds[0].name}", "rows/s")
    return figures


def _rows_per_second(one: Build, form: str, folder: Path) -> float:
    read = one.run("read_file.py", f"many.{form}", f"few.{form}", folder=folder)
    return float(read["rows"] / read["seconds"])


def _write(folder: Path, name: str, rows: int) -> None:
    """The labelled rows over and over, each text told apart by a number."""
    labelled = list(itertools.islice(itertools.cycle(own_rows.labelled()), rows))
    for number, row in enumerate(labelled):
        labelled[number] = {**row, "text": f"{row['text']} ({number})"}
    with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in labelled)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(labelled)

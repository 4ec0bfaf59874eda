"""Other kinds of task on real data: `init`, `run`, then the champion on a file that none of it has seen.

The held-out file is answered by `perennial predict`, as a user would, and judged by the metrics that gates use.
BENCH_SETS names some of the sets.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.command import perennial
from perennial import kinds

SETS = {
    "conll2003": ("token-classification", "conll2003/train.jsonl", "conll2003/validation.jsonl"),
    "sst2": ("text-classification", "sst2/train.jsonl", "sst2/dev.jsonl"),
}

# The other file judges, so that fewer rows of this one need be kept from training.
SPLITS = ("--set", "data.splits.validation=0.05", "--set", "data.splits.test=0.05", "--reason", "A benchmark.")


def measure(scratch: Path, data: Path) -> dict[str, object]:
    """Each data set there is under `data`; nothing for those that are not there."""
    figures: dict[str, object] = {}
    for name in os.environ.get("BENCH_SETS", " ".join(SETS)).split():
        kind, train, held = SETS[name]
        if (data / train).is_file() and (data / held).is_file():
            figures |= _one(scratch, name, kind, (data / train).resolve(), (data / held).resolve())
    return figures


def _one(scratch: Path, name: str, kind: str, train: Path, held: Path) -> dict[str, object]:
    home = scratch / "home"
    perennial("init", name, "--data", str(train), home=home, folder=scratch)
    ran = perennial("run", name, "--json", *SPLITS, home=home, folder=scratch)
    exact = perennial("run", name, "--json", *SPLITS, "--set", "export.precision=fp32", home=home, folder=scratch)
    metric = kinds.kind_named(kind).headline_metric
    package = ran.answer["package"]
    return {
        f"{name}: status": f"{ran.answer['status']} (exit {ran.code})",
        f"{name}, run seconds": ran.seconds,
        f"{name}, seconds of steps": ran.answer["seconds"],
        f"{name}, peak MB": ran.peak_mb,
        f"{name}, package": f"{package['precision']}, {package['size_bytes'] / 1e6:.1f} MB",
        f"{name}, {metric} on its own test rows": ran.answer["metrics"][metric],
        f"{name}, {metric} on {held.name}, {package['precision']}": _held(scratch, name, kind, held, ran.answer),
        f"{name}, {metric} on {held.name}, fp32": _held(scratch, name, kind, held, exact.answer),
    }


def _held(scratch: Path, name: str, kind: str, held: Path, run: dict[str, Any]) -> dict[str, float]:
    out = scratch / f"{name}-{run['version']}.jsonl"
    asked = ("predict", name, "--version", str(run["version"]), "--data", str(held), "--out", str(out))
    perennial(*asked, home=scratch / "home", folder=scratch)
    task = kinds.kind_named(kind)
    labels = list(run["metrics"]["support"])
    return task.measure(_targets(kind, _lines(held)), _lines(out), labels).values


def _targets(kind: str, rows: Sequence[dict[str, Any]]) -> list[Any]:
    """The target column of the rows of a file with the columns that `SETS` have."""
    import pyarrow as pa

    from perennial.rows.batch import Batch
    from perennial.settings.data import ColumnsSpec

    task = kinds.kind_named(kind)
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    named = ColumnsSpec(tokens="tokens" if "tokens" in columns else None)
    canonical = task.canonical(Batch("held out", "line", range(len(rows)), columns), named)
    return list(pa.table(canonical)[task.target_column].to_pylist())


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

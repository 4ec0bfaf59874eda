"""What one new part of 1,000 rows costs beside 10 and beside 1,000 parts of history, up to training; and a run that
finds nothing new. BENCH_PARTS names other numbers of parts, for example "10 100".

The history is built through the library: its parts are written and encoded as a run does it, but only the first is
judged by Great Expectations; its findings stand for those of the others, which would take an hour.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from perennial.core.home import Home
from perennial.ingest import snapshot_heads
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.findings import PartSummary

ROWS = 1_000
ROUNDS = 3
SIZES = tuple(int(size) for size in os.environ.get("BENCH_PARTS", "10 1000").split())
LABELS = ("bad", "good")
STEPS = ("ingest", "validate", "encode")
IDS = {"id": "key", "time": "at"}


def measure(scratch: Path) -> dict[str, object]:
    """Build each history, add parts to it one by one, and ask for news once more; each in a process of its own."""
    figures: dict[str, object] = {}
    totals, nothing = [], []
    for size in SIZES:
        folder = scratch / str(size)
        build(folder, size)
        runs = []
        for number in range(size, size + 1 + ROUNDS):
            _write(folder, number)
            runs.append(_asked(folder, "part"))
        # The first makes the indexes that the later ones keep up.
        figures[f"{size:,} parts, the first new part: seconds"] = round(runs[0]["seconds"], 2)
        for step in (*STEPS, "seconds", "peak MB"):
            figures[f"{size:,} parts, a new part: {step}"] = round(_median(runs[1:], step), 2)
        idle = [_asked(folder, "nothing") for _ in range(ROUNDS)]
        for what in ("seconds", "peak MB"):
            figures[f"{size:,} parts, nothing new: {what}"] = round(_median(idle, what), 2)
        totals.append(_median(runs[1:], "seconds"))
        nothing.append(_median(idle, "seconds"))
    figures["ratio of a new part, most to fewest parts"] = round(totals[-1] / totals[0], 3)
    figures["ratio of nothing new"] = round(nothing[-1] / nothing[0], 3)
    return figures


def build(folder: Path, parts: int) -> None:
    """A home in `folder` with so many parts of ROWS rows, read, validated and encoded."""
    from perennial.core import store
    from perennial.inference import tokenization
    from perennial.training.encoding import row_encoding

    # Nothing of it has to outlive a loss of power, and one tokenizer serves all parts.
    with patch.object(store, "_fsync"), patch.object(row_encoding, "Tokenizer", lru_cache(tokenization.Tokenizer)):
        _build(folder, parts)


def _build(folder: Path, parts: int) -> None:
    from perennial.ingest import snapshots
    from perennial.training.encoding import row_encoding
    from perennial.validation import part_validation, snapshot_validation

    spec, home = _spec(folder), Home(folder / "home")
    for number in range(parts):
        _write(folder, number)
        if number == 0:
            made = snapshots.ingest(spec, home)
            snapshot_validation.validate(spec, made, home)
    made = _grown(spec, home, parts)
    keys = snapshot_validation._part_keys(spec, made, [{} for _ in made.parts])
    first = home.store.get(part_validation.STEP, keys[0], PartSummary)
    for number in range(1, parts):
        _as_validated(home, first, made.parts[number], keys[number])
    data = snapshot_validation.validate(spec, made, home)
    snapshots.accept(spec, made, home)
    row_encoding.encode(spec, data, home)


def add_part(folder: Path) -> dict[str, float]:
    """Take in what is new, up to training."""
    from perennial.ingest import snapshots
    from perennial.training.encoding import row_encoding
    from perennial.validation import snapshot_validation

    spec, home, times = _spec(folder), Home(folder / "home"), [time.perf_counter()]
    made = snapshots.ingest(spec, home)
    times.append(time.perf_counter())
    data = snapshot_validation.validate(spec, made, home)
    snapshots.accept(spec, made, home)
    times.append(time.perf_counter())
    row_encoding.encode(spec, data, home)
    times.append(time.perf_counter())
    if made.new_rows != ROWS:
        raise RuntimeError(f"{made.new_rows:,} new rows were read, {ROWS:,} expected")
    return {step: end - start for step, (start, end) in zip(STEPS, pairwise(times), strict=True)}


def look_for_news(folder: Path) -> dict[str, float]:
    """What a scheduled run does where nothing is new."""
    from perennial.ingest import snapshots
    from perennial.runs import enough_new

    spec, home = _spec(folder), Home(folder / "home")
    made = snapshots.ingest(spec, home)
    if enough_new.too_few(spec, made, home) is None:
        enough_new.note_trained(spec, made, home)
    if enough_new.too_few(spec, made, home) is None:
        raise RuntimeError("nothing is new, and yet the run would not be skipped")
    return {}


def _spec(folder: Path) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "history",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*.csv"}, "columns": IDS, "labels": LABELS},
            "gates": [{"metric": "accuracy", "min": 0.5}],
            "schedule": {"cron": "0 3 * * *"},
        }
    ).located(folder)


def _write(folder: Path, number: int) -> None:
    path = folder / "data" / f"{number:05}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    first = number * ROWS
    rows = (
        f"{key},shares of firm {key} moved,{LABELS[key % 2]},{1_700_000_000 + key}\n"
        for key in range(first, first + ROWS)
    )
    path.write_text("key,text,label,at\n" + "".join(rows), encoding="utf-8")


def _grown(spec: PipelineSpec, home: Home, count: int):
    """A snapshot with a part for each file, its head waiting to be accepted."""
    from perennial.core.store import write_atomically
    from perennial.ingest import canonical_rows, parts, retirements, snapshots, sources

    states, written = {}, []
    for piece in sources.pieces(spec, {}):
        batches = [canonical_rows.canonical_rows(batch, spec) for batch in piece.read(None)]
        written += parts.write_parts(iter(batches), home.store)
        states[piece.name] = snapshot_heads.PieceState(stamp=piece.stamp, contents=piece.contents(), watermark=None)
    made = snapshots.ingest(spec, home).model_copy(
        update={
            "parts": tuple(written),
            "digest": retirements.digest_of_parts([part.sha256 for part in written], ()),
            "rows": count * ROWS,
            "new_rows": ROWS,
        }
    )
    head = snapshot_heads.Head(snapshot=made, pieces=states)
    write_atomically(
        snapshot_heads.head_path(spec, home).with_suffix(snapshot_heads.READ), head.model_dump_json(indent=1) + "\n"
    )
    return made


def _as_validated(home: Home, first: PartSummary, part, key: str) -> None:
    """Store `part` as validation passes it when every row is good."""
    import shutil

    from perennial.core import digest
    from perennial.validation import part_validation

    def make(folder: Path) -> PartSummary:
        shutil.copyfile(home.store.root / part.path, folder / part_validation.ROWS)
        shutil.copyfile(
            home.store.folder(part_validation.STEP, Path(first.checked.path).parent.name) / part_validation.PAGE,
            folder / part_validation.PAGE,
        )
        path = f"{part_validation.STEP}/{key}/{part_validation.ROWS}"
        checked = first.checked.model_copy(
            update={"source": part, "path": path, "sha256": digest.of_file(folder / part_validation.ROWS)}
        )
        return first.model_copy(update={"checked": checked})

    home.store.get_or_make(part_validation.STEP, key, PartSummary, make)


def _asked(folder: Path, what: str) -> dict[str, float]:
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.history", what, str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return {**figures, "seconds": time.perf_counter() - started}


def _median(runs: list[dict[str, float]], what: str) -> float:
    return statistics.median(run[what] for run in runs)


if __name__ == "__main__":
    figures = {"part": add_part, "nothing": look_for_news}[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({**figures, "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}))

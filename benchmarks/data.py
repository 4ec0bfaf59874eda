"""Many rows read, validated, split and encoded: rows/s and peak memory, beside pandas, `datasets.map` and one frame.

BENCH_ROWS: how many, several parted by commas; the first number is measured before and after each other, and before and
after the peer, for a machine's speed drifts in minutes. BENCH_PEER_ROWS: up to how many the peer, which holds all of
them in memory, is asked for. Each measurement has a process of its own, so that its peak of memory is its own, and
libraries are loaded before its clock starts.
"""

from __future__ import annotations

import itertools
import json
import random
import re
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.common import own_rows
from perennial.core.home import Home
from perennial.inference.cost import peak_memory

OURS, PLAIN = "perennial", "plain"
PEAK = "peak MB"
USUAL_ROWS = "1000000,10000000"
USUAL_PEER_ROWS = 1_000_000
MAX_TOKENS = 128
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Measured:
    """What one way took for so many rows."""

    who: str
    rows: int
    seconds: dict[str, float]
    """Of each step."""
    peak_mb: float

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return sum(self.seconds.values())


def measure(scratch: Path) -> dict[str, object]:
    """Seconds of each step, rows/s, peak memory; other numbers of rows and the peer beside the first number of rows."""
    first, *others = own_rows.sizes("BENCH_ROWS", USUAL_ROWS)
    peer = [(PLAIN, plain, first)] if first <= own_rows.size("BENCH_PEER_ROWS", USUAL_PEER_ROWS) else []
    beside = [*peer, *((OURS, ours, rows) for rows in others)]
    asked = [(OURS, ours, first), *(one for other in beside for one in (other, (OURS, ours, first)))]
    measured = [_measured(scratch / str(number), *one) for number, one in enumerate(asked)]
    figures: dict[str, object] = {
        "rows": f"halves of the texts of {own_rows.source()}, joined anew, their numbers drawn anew"
    }
    for who, rows in dict.fromkeys((one.who, one.rows) for one in measured):
        figures |= _figures(who, rows, [one for one in measured if (one.who, one.rows) == (who, rows)])
    for before, other, after in zip(measured[:-2:2], measured[1::2], measured[2::2], strict=True):
        ratio = other.total / statistics.fmean([before.total, after.total])
        figures[f"seconds, {other.who}, {other.rows:,} rows : {OURS}, {first:,} rows"] = ratio
    return figures


def _figures(who: str, rows: int, measured: list[Measured]) -> dict[str, object]:
    name = f"{who}, {rows:,} rows"
    return {
        **{
            f"{name}, {step}, seconds": statistics.median(one.seconds[step] for one in measured)
            for step in measured[0].seconds
        },
        f"{name}, rows/s": rows / statistics.median(one.total for one in measured),
        f"{name}, peak MB": max(one.peak_mb for one in measured),
    }


def _measured(folder: Path, who: str, way: Callable[[Path], dict[str, float]], rows: int) -> Measured:
    _write(folder, rows)
    with get_context("spawn").Pool(1) as pool:
        seconds = pool.apply(way, (folder,))
    shutil.rmtree(folder)
    peak = seconds.pop(PEAK)
    return Measured(who, rows, seconds, peak)


def ours(folder: Path) -> dict[str, float]:
    """Seconds of Perennial's steps on the rows in `folder`, and the peak of memory."""
    from perennial.core import telemetry

    telemetry.off()
    import duckdb  # noqa: F401 - loaded before the clock starts, as what the peer needs is
    import great_expectations  # noqa: F401
    from transformers import AutoTokenizer  # noqa: F401

    from perennial.ingest import snapshots
    from perennial.training.encoding import row_encoding
    from perennial.validation import snapshot_validation

    spec, home = own_rows.pipeline(folder, "rows.jsonl"), Home(folder / "home")
    clock = _Clock()
    snapshot = snapshots.ingest(spec, home)
    clock.lap("read")
    validated = snapshot_validation.validate(spec, snapshot, home)
    clock.lap("validate and split")
    row_encoding.encode(spec, validated, home)
    clock.lap("encode")
    return clock.laps | {PEAK: peak_memory()}


def plain(folder: Path) -> dict[str, float]:
    """Seconds of pandas, Great Expectations on one frame, `train_test_split` and `map`, and the peak of memory."""
    from perennial.core import telemetry

    telemetry.off()
    import great_expectations  # noqa: F401 - `_expect` uses it
    import pandas as pd
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoTokenizer

    from perennial.training import base_model

    disable_progress_bars()
    base = base_model.find_base_model(own_rows.pipeline(folder, "rows.jsonl")).folder
    tokenizer = AutoTokenizer.from_pretrained(base, local_files_only=True)
    clock = _Clock()
    frame = pd.read_json(folder / "rows.jsonl", lines=True)
    clock.lap("read")
    _expect(frame)
    frame = frame.drop_duplicates("text")
    clock.lap("validate")
    parts = Dataset.from_pandas(frame, preserve_index=False).train_test_split(test_size=0.3, seed=0)
    clock.lap("split")
    rows = parts["train"].map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=MAX_TOKENS), batched=True
    )
    rows.save_to_disk(str(folder / "encoded"))
    clock.lap("encode")
    return clock.laps | {PEAK: peak_memory()}


def _expect(frame: object) -> None:
    """The checks that Perennial makes of such rows, as far as Great Expectations alone has them."""
    import great_expectations as gx
    from great_expectations import expectations as expected

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    batch = context.data_sources.add_pandas("rows").add_dataframe_asset("rows").add_batch_definition_whole_dataframe("")
    suite = gx.ExpectationSuite(
        name="rows",
        expectations=[
            expected.ExpectColumnValuesToNotBeNull(column="text"),
            expected.ExpectColumnValuesToNotBeNull(column="label"),
            expected.ExpectColumnValuesToMatchRegex(column="text", regex=r"\S"),
            expected.ExpectColumnValueLengthsToBeBetween(column="text", min_value=1, max_value=100_000),
            expected.ExpectColumnValuesToBeInSet(column="label", value_set=list(own_rows.LABELS)),
        ],
    )
    outcome = batch.get_batch({"dataframe": frame}).validate(suite, result_format="SUMMARY")
    if not outcome.success:
        raise RuntimeError("the rows that were made for it did not pass")


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


def _write(folder: Path, rows: int) -> None:
    folder.mkdir(parents=True)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(itertools.islice(_lines(), rows))


def _lines() -> Iterator[str]:
    """Texts without end: the beginning of a labelled row and the end of another, never the same two again, with
    other digits in their numbers."""
    draw = random.Random(7)  # noqa: S311 - not for secrets
    halves = [_halves(row["text"]) for row in own_rows.labelled()]
    labels = [row["label"] for row in own_rows.labelled()]
    count = len(halves)
    for number in itertools.count():
        index, other = number % count, (number + number // count) % count
        text = DIGITS.sub(lambda digits: str(draw.randrange(10 ** len(digits[0]))), halves[index][0] + halves[other][1])
        yield json.dumps({"text": text, "label": labels[index]}) + "\n"


def _halves(text: str) -> tuple[str, str]:
    middle = text.find(" ", len(text) // 2)
    return (text[:middle], text[middle:]) if middle > 0 else (text, "")

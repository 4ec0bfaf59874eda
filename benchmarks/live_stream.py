"""A stream of short texts through `perennial monitor`'s own steps: read, answered, copies told, stored, trended.

Rows/s beside those of the bare predictor on the same texts, and memory after every 100,000. BENCH_ROWS texts (a
million); BENCH_HOME a home with a champion of `sentiment`, else BENCH_EPOCHS of training make a model.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path

from benchmarks.common import own_rows
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.taking_in import WINDOW_TEXTS, GivenTexts, Reader

STEP = 100_000
"""Texts after which memory is looked at."""
RAW_WINDOWS = 4
"""Windows of texts that the bare predictor answers before the stream, and as many after it."""
COPIES, RETOLD = 0.1, 0.1
"""Of the texts, those that are there before word by word, and with another figure at their end."""
TOPICS = ("banks", "energy", "retail", "telecoms")


@dataclass
class Watched:
    """A reader that notes time and memory whenever another `STEP` texts are stored."""

    reader: Reader
    texts: int = 0
    megabytes: list[float] = field(default_factory=list)

    def batches(self) -> Iterator[GivenTexts]:
        """Those of the reader, counted."""
        for batch in self.reader.batches():
            self.texts += len(batch.texts)
            yield batch

    def committed(self, position: str) -> None:
        """As the reader; memory is looked at."""
        self.reader.committed(position)
        while len(self.megabytes) < self.texts // STEP:
            self.megabytes.append(resident())


def measure(scratch: Path) -> dict[str, object]:
    """Rows/s and memory, of a process of its own."""
    count = own_rows.size("BENCH_ROWS", 1_000_000)
    package = _package(scratch / "model")
    _write_stream(scratch / "live", count)
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(streamed, (scratch, package, count))


def streamed(scratch: Path, package: Path, count: int) -> dict[str, object]:
    """As `measure`, in this process."""
    from perennial.monitoring.alarms.looking import look_for_surges
    from perennial.stream.answering import ChampionAnswerer
    from perennial.stream.copies import CopyFinder
    from perennial.stream.sources import open_source
    from perennial.stream.store import StreamStore
    from perennial.stream.taking_in import take_in

    spec, home, predictor = _spec(scratch), Home(scratch / "home"), Predictor(package)
    assert spec.monitor is not None
    before = _raw(scratch, predictor)
    started, spent = time.perf_counter(), time.process_time()
    with closing(StreamStore.open(home, spec.name)) as store, store.alone():
        with closing(open_source(spec, store.position())) as reader:
            watched = Watched(reader)
            finder = CopyFinder(spec.monitor.copies)
            intake = take_in(watched, store, ChampionAnswerer("1", predictor), finder, spec.monitor.redaction)
        taken, spent = time.perf_counter() - started, time.process_time() - spent
        store.tend(spec.monitor.keep_days, datetime.now(UTC))
        look = look_for_surges(spec, home, store.tables(), datetime.now(UTC))
        seconds = time.perf_counter() - started
        after = _raw(scratch, predictor)
        raw = (before[0] + after[0]) / 2
        size = sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file())
    return {
        "texts": count,
        "stored": intake.stored,
        "tellings": dict(intake.tellings),
        "bare predictor, rows/s": raw,
        "read, answered, copies told, stored, rows/s": count / taken,
        "read, answered, copies told, stored : bare predictor": count / taken / raw,
        "milliseconds of all cores' time a text": 1e3 * spent / count,
        "of these the bare predictor's": 1e3 * (before[1] + after[1]) / 2,
        "and trended, rows/s": count / seconds,
        "and trended : bare predictor": count / seconds / raw,
        "buckets looked at": look.buckets,
        f"MB of the process after every {STEP:,} texts": watched.megabytes,
        "MB of the process at the end": resident(),
        "bytes of a stored text on the disk": size / max(intake.stored, 1),
    }


def resident() -> float:
    """MB of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _raw(scratch: Path, predictor: Predictor) -> tuple[float, float]:
    """The bare predictor's rows/s and seconds of all cores' time a text, given as many at once as the monitor gives."""
    with next((scratch / "live").iterdir()).open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in itertools.islice(lines, WINDOW_TEXTS * RAW_WINDOWS)]
    predictor.predict(texts[:64])
    started, spent = time.perf_counter(), time.process_time()
    for start in range(0, len(texts), WINDOW_TEXTS):
        predictor.predict(texts[start : start + WINDOW_TEXTS])
    return len(texts) / (time.perf_counter() - started), (time.process_time() - spent) / len(texts)


def _package(scratch: Path) -> Path:
    if named := os.environ.get("BENCH_HOME"):
        from perennial.registry import versions

        home = Home(Path(named).resolve())
        return home.store.root / versions.package(home, "sentiment").path
    work = own_rows.work(scratch)
    return work.folder(work.pack(work.train(epochs=own_rows.size("BENCH_EPOCHS", 1)), "int8").path)


def _spec(scratch: Path) -> PipelineSpec:
    said = own_rows.pipeline(scratch, "rows.jsonl").model_dump(mode="json", exclude_none=True)
    said["monitor"] = {
        "source": {"type": "file", "path": "live/*.jsonl"},
        "columns": {"id": "id", "time": "time", "source": "source", "kept": ["topic"]},
        "trends": {"by": ["topic", "source"]},
    }
    return PipelineSpec.model_validate(said).located(scratch)


def _write_stream(folder: Path, count: int) -> None:
    """Sixty days of texts up to now, some of which are copies of one before."""
    folder.mkdir()
    draw, pool = random.Random(5), [row["text"] for row in own_rows.labelled()]  # noqa: S311 - not for secrets
    start, apart, told_before = datetime.now(UTC) - timedelta(days=60), timedelta(days=60) / count, [pool[0]]
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            text = _text(draw, pool, told_before, number)
            row = {"id": str(number), "text": text, "time": (start + number * apart).isoformat()}
            row |= {"source": f"outlet {draw.randrange(20)}", "topic": TOPICS[draw.randrange(4)]}
            file.write(json.dumps(row) + "\n")


def _text(draw: random.Random, pool: list[str], told_before: list[str], number: int) -> str:
    chance = draw.random()
    if chance < COPIES:
        return draw.choice(told_before)
    if chance < COPIES + RETOLD:
        return f"{draw.choice(told_before)} {draw.randrange(100)}"
    # Words of two texts and a number of its own: as long as a headline, and no copy of another.
    one, other = draw.choice(pool).split(), draw.choice(pool).split()
    text = " ".join([*one[: len(one) // 2], *other[len(other) // 2 :], f"{number:,}"])
    told_before.append(text)
    del told_before[:-1000]
    return text

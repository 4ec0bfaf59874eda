"""What it takes to judge 100,000 test rows once three models have answered them: seconds and memory, step by step."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perennial import kinds
from perennial.core.home import Home
from perennial.metrics.prediction import Prediction
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from perennial.evaluation.stored_answers import Answers
    from perennial.records.data import ValidatedData
    from perennial.records.decision import Decision
    from perennial.records.evaluation import Evaluation
    from perennial.records.run import Evidence

ROWS = 100_000
SLICES = 30
MARGIN = 0.02
LABELS = ("common", "usual", "rare")
PLACE = "evaluate/x"
PART = "validate/x/rows.parquet"


def measure() -> dict[str, object]:
    """Seconds of each step, and MB of the process."""
    # A process of its own, so that its peak of memory is its own.
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(measured)


def measured() -> dict[str, object]:
    """As `measure`, in this process."""
    with tempfile.TemporaryDirectory(prefix="many-rows-") as scratch:
        home, spec = Home(Path(scratch)), _spec()
        _write(home, spec)
        before = _peak()
        seconds = dict(_steps(home, spec))
    total = sum(seconds.values())
    what = f"{ROWS:,} rows, 3 models, {SLICES} slices, {spec.evaluation.resamples:,} resamples"
    return {
        f"{what}: seconds": total,
        **{f"of these {name}": spent for name, spent in seconds.items()},
        f"{what}: peak MB": _peak(),
        "of these MB to make up the answers": before,
    }


def _steps(home: Home, spec: PipelineSpec) -> Iterator[tuple[str, float]]:
    from perennial.evaluation import from_answers, gates, label_errors, stored_answers
    from perennial.evaluation.report import material, page
    from perennial.records.evaluation import EvaluationContext

    folder = home.store.root / PLACE
    times = [time.perf_counter()]

    def spent() -> float:
        times.append(time.perf_counter())
        return times[-1] - times[-2]

    given = stored_answers.read_answers(folder)
    context = EvaluationContext(champion_version="1", champion_labels=LABELS)
    evaluation = from_answers.evaluation_of(
        spec, given, context, digest="0" * 64, predictions_path=f"{PLACE}/{stored_answers.PREDICTIONS}"
    )
    yield "every figure and interval", spent()
    rows = _rows(given)
    doubted = label_errors.find_label_errors(spec, rows, given.candidate, folder)
    yield "label errors", spent()
    decision = gates.decide(spec, evaluation)
    yield "the decision", spent()
    evidence = _evidence(evaluation.model_copy(update={"label_errors": doubted}), decision)
    page.render_page(material.gather(spec, evidence, home))
    yield "the report", spent()


def _spec() -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "big",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "rows.jsonl"}, "labels": LABELS},
            "gates": [
                {"metric": "accuracy", "versus": "champion", "margin": MARGIN},
                {"metric": "accuracy", "per": "slice", "versus": "champion", "margin": MARGIN},
            ],
        }
    )


def _write(home: Home, spec: PipelineSpec) -> None:
    """Answers and rows in the store, as the steps before leave them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from perennial.evaluation import stored_answers
    from perennial.evaluation.stored_answers import Answers

    draw = np.random.default_rng(0)
    true = draw.integers(0, len(LABELS), ROWS)
    ours, theirs, base = (_scored(true, noise, draw) for noise in (1.2, 1.2, 2.0))
    inside = {f"slice {number}": draw.random(ROWS) < 0.25 for number in range(SLICES)}
    targets = pa.chunked_array([pa.array([LABELS[label] for label in true])])
    given = Answers([str(row) for row in range(ROWS)], targets, ours, theirs, {"tfidf": base}, inside)
    for folder in (PLACE, Path(PART).parent):
        (home.store.root / folder).mkdir(parents=True)
    stored_answers.write_answers(home.store.root / PLACE, given, kinds.kind_named(spec.kind))
    pq.write_table(_rows(given), home.store.root / PART)


def _rows(given: Answers) -> pa.Table:
    import pyarrow as pa

    texts = [f"A text of row {row}, as long as a headline is, or a little longer" for row in given.row_ids]
    times = pa.array(range(len(texts)), pa.timestamp("us", tz="UTC"))
    columns = {"row_id": given.row_ids, "split": ["test"] * len(texts), "time": times, "text": texts}
    return pa.table({**columns, "label": given.targets})


def _evidence(evaluation: Evaluation, decision: Decision) -> Evidence:
    from perennial.records.data import Snapshot
    from perennial.records.package import OnnxPackage
    from perennial.records.run import Evidence
    from perennial.records.training import TrainedModel

    sha = "0" * 64
    validated = _validated(sha)
    return Evidence(
        snapshot=Snapshot(
            pipeline="big", digest=sha, parts=tuple(part.source for part in validated.parts), rows=ROWS, new_rows=ROWS,
            repeated_rows=0, late_rows=0, watermark=None,
        ),
        validated=validated,
        trained=TrainedModel(
            digest=sha, path="finetune/x", base="none", base_revision=sha, pooling="mean", precision="fp32", epochs=1,
            best_epoch=1, train_rows=0, validation={}, seconds=0,
        ),
        package=OnnxPackage(digest=sha, path="export/x", precision="fp32", fallback=None, size_bytes=0, parity={}),
        evaluation=evaluation,
        decision=decision,
        seconds={},
    )  # fmt: skip


def _validated(sha: str) -> ValidatedData:
    from perennial.records.data import CheckedPart, Part, ValidatedData

    source = Part(path=PART, sha256=sha, rows=ROWS)
    part = CheckedPart(source=source, path=PART, sha256=sha, rows=ROWS, quarantined=0, quarantine_path=None)
    return ValidatedData(
        digest=sha, parts=(part,), rows={"test": ROWS}, label_rows={}, quarantined=0, warnings=(), report_path="none",
    )  # fmt: skip


def _peak() -> float:
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6


def _scored(true: np.ndarray, noise: float, draw: np.random.Generator) -> list[Prediction]:
    logits = draw.normal(size=(len(true), len(LABELS))) * noise
    logits[np.arange(len(true)), true] += 3
    shares = np.exp(logits)
    shares /= shares.sum(axis=1, keepdims=True)
    return list(_predictions(shares.argmax(axis=1).tolist(), shares.tolist()))


def _predictions(labels: Sequence[int], shares: Sequence[Sequence[float]]) -> Iterator[dict[str, Any]]:
    for label, row in zip(labels, shares, strict=True):
        yield {"label": LABELS[label], "score": row[label], "scores": dict(zip(LABELS, row, strict=True))}

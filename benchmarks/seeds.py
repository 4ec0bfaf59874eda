"""Whether each pipeline of the repository is promoted by every seed, in fp32 and in bf16: a use case must not fail by
chance.

Each is trained with BENCH_SEEDS seeds (5) in BENCH_PRECISIONS ("fp32,bf16"), packed, judged as a first version and
decided, step by step in this process; BENCH_PIPELINES names some of them. BENCH_SEEDS_HOME names a home that is kept:
what was trained there is judged again, by the gates and behavioural tests as they are now.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common import own_rows
from benchmarks.common.bf16 import bf16_products
from perennial.core.home import Home
from perennial.records.decision import Decision, Outcome, Verdict
from perennial.runs import candidate_steps
from perennial.settings.pipeline import PipelineSpec

PIPELINES = Path("pipelines")


@dataclass(frozen=True)
class Judged:
    """What came of one seed."""

    seed: int
    steps: int
    decision: Decision


def measure(scratch: Path) -> dict[str, object]:
    """Of each pipeline in each precision: how many seeds were promoted, and why others were not."""
    every = sorted(path.parent.name for path in PIPELINES.glob("*/pipeline.yaml"))
    chosen = os.environ.get("BENCH_PIPELINES", ",".join(every)).split(",")
    home = Home(Path(os.environ.get("BENCH_SEEDS_HOME", scratch / "home")))
    figures: dict[str, object] = {}
    for precision in os.environ.get("BENCH_PRECISIONS", "fp32,bf16").split(","):
        for pipeline in chosen:
            figures |= _figures(f"{pipeline}, {precision}", list(_judged(pipeline, precision, home)))
    return figures


def _judged(pipeline: str, precision: str, home: Home) -> Iterator[Judged]:
    from perennial.pipeline_file import loader

    path = loader.find_pipeline(pipeline)
    for seed in range(1, own_rows.size("BENCH_SEEDS", 5) + 1):
        spec = loader.read_pipeline(path, [f"training.seed={seed}", f"training.precision={precision}"])
        judged = _one(spec, seed, home)
        print(f"{pipeline}, {precision}, seed {seed}: {_in_words(judged)}", flush=True)
        yield judged


def _one(spec: PipelineSpec, seed: int, home: Home) -> Judged:
    """The chain of a run, without the registry: there is no champion."""
    from perennial.ingest import snapshots

    validated = candidate_steps.validate(spec, snapshots.ingest(spec, home), home)
    encoded = candidate_steps.encode(spec, validated, home)
    with _computing(spec.training.precision):
        trained = candidate_steps.finetune(spec, encoded, validated, home, None)
    package = candidate_steps.export(spec, trained, validated, home)
    evaluation = candidate_steps.evaluate(spec, package, validated, None, None, home)
    return Judged(seed, trained.steps or 0, candidate_steps.decide(spec, evaluation))


def _computing(precision: str) -> AbstractContextManager[object]:
    return bf16_products() if precision == "bf16" else nullcontext()


def _figures(name: str, judged: list[Judged]) -> dict[str, object]:
    promoted = sum(one.decision.outcome is Outcome.PROMOTE for one in judged)
    closest = sorted((room, what) for one in judged for room, what in _room(one.decision))
    figures: dict[str, object] = {
        f"{name}: promoted": f"{promoted} of {len(judged)} seeds, after {judged[0].steps:,} steps",
        f"{name}: closest to its limit": f"{closest[0][1]}, {closest[0][0]:+.3f}" if closest else "nothing",
    }
    for one in judged:
        if one.decision.outcome is not Outcome.PROMOTE:
            figures[f"{name}: seed {one.seed}"] = _in_words(one)
    return figures


def _room(decision: Decision) -> Iterator[tuple[float, str]]:
    """How far each check that passed is from its limit."""
    for check in decision.checks:
        if check.value is not None and check.limit is not None and check.verdict is Verdict.PASS:
            yield abs(check.value - check.limit), check.gate


def _in_words(one: Judged) -> str:
    failing = [check.reason for check in one.decision.checks if check.verdict in (Verdict.FAIL, Verdict.UNDECIDED)]
    return f"{one.decision.outcome.value}. {' '.join(failing)}".strip()

"""A run that measured everything, made up: for reports."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import tiny_pipeline

from perennial.evaluation.report.drift import DataDrift, Side
from perennial.evaluation.report.material import Material
from perennial.kinds import kind_named
from perennial.metrics import near_copy_figures
from perennial.metrics.calibration import Bin
from perennial.records.data import CheckedPart, Part, Snapshot, ValidatedData
from perennial.records.decision import Check, Decision, Outcome, Verdict
from perennial.records.evaluation import (
    BehaviourFigures,
    Comparison,
    Difference,
    Evaluation,
    GroupFigures,
    LabelErrors,
    Metrics,
    NearCopies,
    ServingFigures,
    SliceFigures,
)
from perennial.records.interval import Interval
from perennial.records.package import OnnxPackage
from perennial.records.run import Evidence
from perennial.records.training import TrainedModel
from perennial.settings.pipeline import PipelineSpec

EVIL = "<script>alert('label')</script>"
LABELS = ("negative", "neutral", "positive")
PLAIN = ("accuracy", "macro_f1", "micro_f1", "weighted_f1", "macro_precision", "macro_recall")


def spec(labels: Sequence[str] = LABELS, **changes: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(tiny_pipeline.settings("base", data__labels=list(labels), **changes))


def metrics(labels: Sequence[str], level: float, n: int = 1200) -> Metrics:
    """Plausible figures around `level`, with intervals."""
    values = dict.fromkeys(PLAIN, level) | {"log_loss": 1.2 - level, "calibration_error": 0.04}
    share = max(n // len(labels), 1)
    wrong = round(share * (1 - level) / max(len(labels) - 1, 1))
    confusion = tuple(
        tuple(share - wrong * (len(labels) - 1) if true == given else wrong for given in range(len(labels)))
        for true in range(len(labels))
    )
    per_label = {
        label: dict.fromkeys(("precision", "recall", "f1"), level - 0.01 * number % 0.3)
        for number, label in enumerate(labels)
    }
    return Metrics(
        n=n,
        values=values,
        per_label=per_label,
        support=dict.fromkeys(labels, share),
        confusion=confusion,
        intervals={name: Interval(low=value - 0.02, high=value + 0.02) for name, value in values.items()},
        label_intervals={
            label: {name: Interval(low=value - 0.04, high=min(value + 0.04, 1)) for name, value in figures.items()}
            for label, figures in per_label.items()
        },
    )


def comparison(n: int = 1200) -> Comparison:
    moved = dict.fromkeys(PLAIN, 0.012) | {"log_loss": -0.03, "calibration_error": 0.002}
    return Comparison(
        n=n,
        values={
            name: Difference(
                value=value, interval=Interval(low=value - 0.015, high=value + 0.015), standard_error=0.008, worse_p=0.9
            )
            for name, value in moved.items()
        },
        mcnemar_p=0.0312,
        negative_flips=31,
        positive_flips=52,
        worst=tuple(f"{number:032x}" for number in range(20)),
    )


def evaluation(labels: Sequence[str] = LABELS) -> Evaluation:
    names = ["sector=banks", "sector=energy", *(f"length: {one} quarter" for one in ("shortest", "longest"))]
    names += [f"time: {one} quarter" for one in ("oldest", "newest")]
    return Evaluation(
        digest="1" * 64,
        candidate=metrics(labels, 0.871),
        champion=metrics(labels, 0.859),
        champion_version="7",
        champion_problem=None,
        baselines={"majority": metrics(labels, 0.41), "tfidf": metrics(labels, 0.80)},
        comparison=comparison(),
        slices=tuple(
            SliceFigures(
                name=name, by=name.split(":")[0].split("=")[0], candidate=metrics(labels, 0.83 + 0.015 * number, 300),
                champion=metrics(labels, 0.84, 300), comparison=comparison(300),
            )
            for number, name in enumerate(names)
        ),
        behaviours=(
            behaviour("negation of praise", "minimum", 48, 50),
            behaviour("typos change nothing", "invariance", 171, 200),
            behaviour("sharply lower profit", "direction", 40, 40),
        ),
        champion_behaviours=(behaviour("negation of praise", "minimum", 41, 50),),
        label_errors=LabelErrors(n=2400, found=2),
        fairness=tuple(
            GroupFigures(group=group, n=400, flips=flips, mean_shift=0.004 * (flips + 1))
            for group, flips in (("names", 3), ("genders", 0), ("nationalities", 9), ("companies", 5))
        ),
        serving=serving(4.1, 23.5),
        champion_serving=serving(4.4, 23.4),
        predictions_path="evaluate/x/predictions.parquet",
    )  # fmt: skip


def copied(evidence: Evidence) -> Evidence:
    """`evidence` in which 400 of 1,200 test rows were near copies of train rows."""
    counted = NearCopies(test=1200, near=400, validation=800, validation_near=9, train=9600, compared=9600)
    without = SliceFigures(
        name=near_copy_figures.NONE, by=near_copy_figures.NEAR_COPIES, candidate=metrics(LABELS, 0.75, 800)
    )
    judged = evidence.evaluation
    changes = {"near_copies": counted, "slices": (*judged.slices, without)}
    return evidence.model_copy(update={"evaluation": judged.model_copy(update=changes)})


COPIED = "400 of 1,200 test rows are near copies of train rows; accuracy without them: 0.7500 (0."


def behaviour(name: str, kind: Any, passed: int, n: int) -> BehaviourFigures:
    failing = tuple(f"{name} {number}" for number in range(min(n - passed, 20)))
    return BehaviourFigures(
        name=name, capability="robustness", type=kind, n=n, passed=passed, min_pass_rate=0.9, failing=failing
    )


def serving(latency: float, size: float) -> ServingFigures:
    return ServingFigures(
        batch_flips=1, padding_flips=0, n=512, latency_p50=latency, latency_p95=latency * 1.6, throughput=1240.0,
        peak_memory=212.0, size=size,
    )  # fmt: skip


def decision(outcome: Outcome = Outcome.REJECT) -> Decision:
    checks = (
        check("accuracy at least 0.8", 0.871, 0.8, Verdict.PASS),
        check("recall of 'negative' at least 0.7", 0.861, 0.7, Verdict.PASS),
        check("accuracy of sector=banks at least 0.85", 0.83, 0.85, Verdict.UNDECIDED),
        check("pass_rate of 'typos change nothing' at least 0.9", 0.855, 0.9, Verdict.FAIL),
        check("accuracy of time: newest quarter at least the champion's - 0.01", None, None, Verdict.SKIPPED),
    )
    reasons = tuple(one.reason for one in checks if one.verdict in (Verdict.FAIL, Verdict.UNDECIDED))
    return Decision(digest="2" * 64, outcome=outcome, reasons=reasons, checks=checks, champion_version="7")


def check(gate: str, value: float | None, limit: float | None, verdict: Verdict) -> Check:
    interval = Interval(low=value - 0.02, high=value + 0.02) if value is not None else None
    reason = f"{gate}: {value} was measured on 1,200 rows, {limit} was required, and that is what there is to say."
    return Check(
        gate=gate, metric="accuracy", label=None, value=value, limit=limit, interval=interval, n=1200, verdict=verdict,
        reason=reason,
    )  # fmt: skip


def evidence(labels: Sequence[str] = LABELS, **changes: Any) -> Evidence:
    parts = tuple(Part(path=f"parts/{number}/rows.parquet", sha256=f"{number}" * 64, rows=4000) for number in range(3))
    rows = {"train": 9600, "validation": 1200, "test": 1200}
    made: dict[str, Any] = {
        "snapshot": Snapshot(
            pipeline="tiny", digest="c" * 64, parts=parts, rows=12000, new_rows=4000, repeated_rows=12, late_rows=3,
            watermark="2026-09-30T12:00:00Z",
        ),
        "validated": ValidatedData(
            digest="d" * 64,
            parts=tuple(
                CheckedPart(
                    source=part, path=part.path, sha256=part.sha256, rows=3990, quarantined=10, quarantine_path=None
                )
                for part in parts
            ),
            rows=rows,
            label_rows={split: dict.fromkeys(labels, count // len(labels)) for split, count in rows.items()},
            quarantined=30,
            warnings=("the label shares of the new rows are further than 0.25 from those of the older ones",),
            report_path="validation-report/x/report",
        ),
        "trained": TrainedModel(
            digest="e" * 64, path="finetune/x", base="sentence-transformers/all-MiniLM-L6-v2", base_revision="f" * 64,
            pooling="mean", precision="bf16", epochs=4, best_epoch=3, train_rows=9600,
            validation={"macro_f1": 0.86}, seconds=83.2,
        ),
        "package": OnnxPackage(
            digest="a" * 64, path="export/x/package", precision="int8", fallback=None, size_bytes=23_500_000, parity={},
        ),
        "evaluation": evaluation(labels),
        "decision": decision(),
        "seconds": {"ingest": 0.8, "validate": 3.3, "encode": 3.9, "finetune": 83.2, "export": 10.8, "evaluate": 12.1},
        "libraries": {"perennial": "0.1.0", "onnxruntime": "1.31.1"},
    }  # fmt: skip
    return Evidence(**(made | changes))


def material(labels: Sequence[str] = LABELS, **changes: Any) -> Material:
    """All a report can show."""
    bins = tuple(Bin(p / 15, (p + 1) / 15, 40 + 20 * p, (p + 0.5) / 15, min((p + 0.2) / 15, 1)) for p in range(5, 15))
    later = tuple(Bin(b.low, b.high, b.n, b.mean_score, b.accuracy * 0.94) for b in bins)
    shares = [(30 - abs(number - 9)) / 500 for number in range(30)]
    new = Side(4000, {label: 1000 + 300 * number for number, label in enumerate(labels)}, 84, tuple(shares))
    old = Side(8000, dict.fromkeys(labels, 2600), 71, tuple(shares[3:] + shares[:3]))
    metric = kind_named("text-classification").selection_metric
    history = [{"epoch": step / 10, "loss": 1.1 / (1 + step / 9), "step": step} for step in range(1, 41)]
    history += [
        {"epoch": e, f"eval_{metric}": 0.7 + 0.05 * e - (e > 3) * 0.06, "eval_log_loss": 0.9 / e} for e in (1, 2, 3, 4)
    ]
    given: dict[str, Any] = {
        "spec": spec(labels),
        "evidence": evidence(labels),
        "reliability": {"candidate": bins, "champion": later},
        "history": history,
        "set_aside": {"text is blank": 17, "label is not in data.labels": 13},
        "drift": DataDrift(new, old, tuple(float(10 * number) for number in range(31))),
        "bounds": {
            "length: shortest quarter": "3 to 41 characters",
            "time: oldest quarter": "June to July",
        },
        "doubts": (
            {"row_id": "a" * 32, "given": labels[0], "suggested": labels[-1], "score": 0.0123},
            {"row_id": "b" * 32, "given": labels[-1], "suggested": labels[0], "score": 0.2},
        ),
        "made": datetime(2026, 10, 1, 8, 30, tzinfo=UTC),
    }
    return Material(**(given | changes))

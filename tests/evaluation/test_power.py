"""What is said of gates before a training holds afterwards, and no rows are wasted on what they can't decide."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.deciding import slices
from perennial.evaluation.power import gate_power
from perennial.evaluation.power.gate_power import GatePower, PlannedTest
from perennial.evaluation.power.power_curve import PlannedComparison, joint_power, times_needed
from perennial.ingest.canonical_rows import canonical_rows
from perennial.records.evaluation import Comparison, Difference, Evaluation, Metrics
from perennial.records.interval import Interval
from perennial.rows.batch import Batch
from perennial.settings.pipeline import PipelineSpec

LABELS = ("a", "b")
START = datetime(2026, 1, 1, tzinfo=UTC)
VERSUS = {"metric": "accuracy", "versus": "champion", "margin": 0.02}
PER_SLICE = {**VERSUS, "per": "slice", "margin": 0.1, "min_n": 50, "small": "skip"}


def planned(
    *gates: dict[str, Any], rows: int = 3000, copies: int = 1, champion: Evaluation | None = None
) -> PlannedTest:
    spec = PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {
                "source": {"type": "file", "path": "a.csv"},
                "labels": LABELS,
                "columns": {"slices": ["sector"], "time": "at"},
            },
            "gates": gates,
        }
    )
    columns: dict[str, list[object]] = {
        "text": [f"text {row // copies}" for row in range(rows)],
        "label": [LABELS[row // copies % 2] for row in range(rows)],
        "sector": [f"s{row % 30:02}" for row in range(rows)],
        "at": [START + timedelta(hours=row) for row in range(rows)],
    }
    batch = canonical_rows(Batch("a.csv", "line", range(1, rows + 1), columns), spec)
    return PlannedTest(spec, pa.Table.from_batches([batch]), champion)


def power(*gates: dict[str, Any], **more: Any) -> GatePower:
    [found] = gate_power.power_of_gates(planned(*gates, **more))
    return found


def judged(error: float, rows: int) -> Evaluation:
    """What was found when the champion was judged."""
    difference = Difference(value=0, interval=Interval(low=0, high=0), standard_error=error, worse_p=0.5)
    return Evaluation(
        digest="e", candidate=Metrics(n=rows, values={}), champion=None, champion_version="1", champion_problem=None,
        baselines={}, comparison=Comparison(n=rows, values={"accuracy": difference}), predictions_path="p",
    )  # fmt: skip


def test_the_slice_gate_of_many_small_slices_is_said_to_decide_next_to_nothing() -> None:
    found = power(PER_SLICE)
    assert found.power is not None
    assert found.power < 0.05
    assert not found.is_enough
    assert found.needed is not None
    assert found.needed > 3000
    assert "`slices: pooled`" in found.reason
    pooled = power({**PER_SLICE, "slices": "pooled"})
    assert pooled.is_enough
    assert pooled.power is not None
    assert pooled.power > 0.9


@pytest.mark.parametrize(("count", "rows"), [(5, 200), (10, 100)])
def test_what_is_said_is_what_comes(count: int, rows: int) -> None:
    """Against the gate's own interval, by slices."""
    seen = slices.promotions(count, rows, "equal", pairs=150)
    comparison = PlannedComparison(rows=rows, variance=2 * slices.ALONE)
    assert joint_power([comparison] * count, slices.MARGIN, 0.95) == pytest.approx(seen.each, abs=0.12)


def test_the_rows_that_are_said_to_be_enough_are() -> None:
    few = [PlannedComparison(rows=300, variance=0.08)]
    times = times_needed(few, 0.02, 0.95)
    assert times is not None
    assert joint_power(few, 0.02, 0.95) < 0.5
    assert joint_power(few, 0.02, 0.95, times) == pytest.approx(0.8, abs=0.02)
    assert times_needed([PlannedComparison(rows=300, variance=0.08)], 0.0, 0.95) is None


def test_a_margin_of_nothing_is_said_to_ask_for_a_better_one() -> None:
    found = power({**VERSUS, "margin": 0.0})
    assert (found.needed, found.is_enough) == (None, False)
    assert found.power is not None
    assert found.power < 0.03
    assert "shown to be better" in found.reason


def test_copies_give_no_power() -> None:
    alone, copied = power(VERSUS), power(VERSUS, copies=10)
    assert alone.power is not None
    assert copied.power is not None
    assert copied.power < 0.5 * alone.power
    assert (copied.n, copied.clusters) == (3000, 300)
    assert "3,000 test rows of 300 texts" in copied.reason
    assert "texts to test on" in copied.reason


def test_how_much_models_differ_is_learned_from_the_champion() -> None:
    assumed, known = power(VERSUS), power(VERSUS, champion=judged(np.sqrt(0.02 / 2000), 2000))
    assert assumed.assumed
    assert not known.assumed
    assert "differ on" not in known.reason
    assert known.power is not None
    assert assumed.power is not None
    assert known.power > assumed.power


def test_a_metric_that_is_no_share_is_known_after_a_first_comparison() -> None:
    found = power({"metric": "log_loss", "versus": "champion", "margin": 0.02})
    assert found.power is None
    assert found.is_enough
    assert "once two were compared" in found.reason


@pytest.mark.parametrize(("rows", "min_n", "is_enough"), [(20, 1, False), (200, 1, True), (200, 300, False)])
def test_a_floor_on_a_few_rows_is_told(rows: int, min_n: int, is_enough: bool) -> None:
    found = power({"metric": "recall", "per": "label", "min": 0.7, "min_n": min_n}, rows=rows)
    assert found.is_enough is is_enough
    assert found.n == rows // 2
    assert found.power is None


def test_a_slice_that_is_too_small_holds_every_candidate() -> None:
    found = power({**PER_SLICE, "small": "hold", "min_n": 500})
    assert found.power == 0
    assert "holds every candidate" in found.reason
    assert gate_power.power_of_gates(planned({**PER_SLICE, "min_n": 5000})) == ()


def test_the_anchor_is_planned_for_as_the_champion_is() -> None:
    champion, anchor = power(VERSUS), power({**VERSUS, "versus": "anchor"})
    assert (anchor.power, anchor.needed) == (champion.power, champion.needed)
    assert "of candidates as good as the anchor would pass" in anchor.reason

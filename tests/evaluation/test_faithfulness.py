"""Whether explanations are faithful is measured on few test rows, said wherever a run is told, and can be a gate."""

from pathlib import Path

import pytest
import report_data
from hypothesis import given, settings
from hypothesis import strategies as st
from report_data import evaluation
from tiny_model import tiny_texts

from flows.summary import run_as_json
from perennial.core.home import Home
from perennial.evaluation import faithfulness, gates
from perennial.evaluation.faithfulness import FEWEST_ROWS, MOST_ROWS, measure_faithfulness
from perennial.evaluation.report import page
from perennial.inference.predictor import Predictor
from perennial.kinds.gate_problems import metric_problems
from perennial.kinds.registry import kind_named
from perennial.records.decision import Outcome
from perennial.records.faithfulness import DeletionPoint, Faithfulness
from perennial.records.interval import Interval
from perennial.records.package import OnnxPackage
from perennial.records.run import RunResult, Status
from perennial.registry.model_card import model_card_of
from perennial.settings.pipeline import PipelineSpec

MEASURED = Faithfulness(
    method="shapley",
    n=60,
    asked=64,
    value=0.31,
    interval=Interval(low=0.25, high=0.37),
    curve=(DeletionPoint(share=0.1, explained=0.4, random=0.1),),
)
SENTENCE = (
    "Explanations (shapley) are faithful by 0.310 (0.250 to 0.370), n = 60: that much further the score drops when "
    "words are left out in their order than in random order."
)


@pytest.fixture(scope="module")
def predictor(_tiny_package: tuple[Path, OnnxPackage]) -> Predictor:
    return Predictor(_tiny_package[0], threads=1)


def spec(**gate: object) -> PipelineSpec:
    data = {"source": {"type": "file", "path": "a.csv"}, "labels": ["a", "b"]}
    asked = [{"metric": "faithfulness", **gate}]
    return PipelineSpec.model_validate({"name": "t", "kind": "text-classification", "data": data, "gates": asked})


def test_explanations_of_a_real_model_tell_more_than_chance(predictor: Predictor) -> None:
    texts = tiny_texts(40)
    measured = measure_faithfulness(predictor, texts, texts, 0.95)
    assert measured == measure_faithfulness(predictor, texts, texts, 0.95)
    assert measured.value is not None
    assert measured.interval is not None
    assert 0 < measured.interval.low < measured.value < measured.interval.high
    assert len(measured.curve) == 5


@settings(max_examples=10)
@given(rows=st.integers(1, 300), length=st.integers(1, 400))
def test_the_sample_is_bounded_and_of_different_texts(predictor: Predictor, rows: int, length: int) -> None:
    keys = [str(number % max(1, rows // 2)) for number in range(rows)]
    chosen = faithfulness._sample(predictor, ["x" * length] * rows, keys)
    assert len({keys[index] for index in chosen}) == len(chosen)
    assert min(len(set(keys)), FEWEST_ROWS) <= len(chosen) <= MOST_ROWS


def test_rows_of_one_word_leave_it_unknown(predictor: Predictor) -> None:
    measured = measure_faithfulness(predictor, ["profit", ""], ["a", "b"], 0.95)
    assert (measured.n, measured.value, measured.asked) == (0, None, 2)
    assert "none of 2 test rows" in measured.sentence


@pytest.mark.parametrize(
    ("measured", "outcome"),
    [
        (MEASURED, Outcome.PROMOTE),
        (MEASURED.model_copy(update={"value": 0.05}), Outcome.REJECT),
        (Faithfulness(method="shapley", n=0, asked=3), Outcome.HOLD),
        (None, Outcome.HOLD),
    ],
)
def test_a_gate_can_ask_for_faithful_explanations(measured: Faithfulness | None, outcome: Outcome) -> None:
    judged = evaluation().model_copy(update={"faithfulness": measured, "behaviours": ()})
    assert gates.decide(spec(min=0.2), judged).outcome is outcome


@pytest.mark.parametrize("gate", [{"max": 0.2}, {"versus": "champion"}, {"versus": "baseline"}])
def test_a_gate_that_a_figure_of_explanations_can_not_answer_is_refused(gate: dict[str, object]) -> None:
    [(_, text)] = metric_problems(kind_named("text-classification"), spec(**gate))
    assert "say min" in text


def test_report_model_card_and_summary_say_it() -> None:
    evidence = report_data.evidence(evaluation=evaluation().model_copy(update={"faithfulness": MEASURED}))
    assert MEASURED.sentence == SENTENCE
    shown = page.render_page(report_data.material(evidence=evidence))
    assert SENTENCE in shown
    assert "in random order" in shown
    assert "faithful by 0.310" in model_card_of(report_data.spec(), evidence)
    snapshot = evidence.snapshot
    result = RunResult(
        status=Status.HELD, model="news", version="1", run_id=None, reasons=(), snapshot=snapshot, evidence=evidence,
        seconds={},
    )  # fmt: skip
    assert run_as_json(result, Home(Path("nowhere")))["faithfulness"] == MEASURED.model_dump(mode="json")

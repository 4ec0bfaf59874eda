"""Rows longer than the model reads are counted, said, and can be held against a candidate."""

from pathlib import Path

import pytest
import report_data
from report_data import evaluation
from tiny_model import write_tiny_tokenizer

from flows.summary import run_as_json
from perennial.core.home import Home
from perennial.evaluation import gates
from perennial.evaluation.judged_rows.lost_ends import count_lost_ends
from perennial.evaluation.report import page
from perennial.records.decision import Outcome
from perennial.records.evaluation import CutRows, LostEnds
from perennial.records.run import RunResult, Status
from perennial.registry.model_card import model_card_of
from perennial.settings.pipeline import PipelineSpec

LENGTH = 12
SHORT, LONG = "profit profit", "profit " * 28


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tiny_tokenizer(path)
    return path


def test_rows_and_tokens_that_are_never_read_are_counted_by_split(tokenizer: Path) -> None:
    lost = count_lost_ends("text-classification", tokenizer, LENGTH, {"train": [SHORT], "test": [LONG, SHORT, LONG]})
    # 28 words and two special tokens, of which 12 are read; 2 and 2 of the short one.
    assert lost.splits["test"] == CutRows(rows=3, cut=2, tokens=64, tokens_cut=36)
    assert (lost.splits["train"].cut, lost.any) == (0, True)
    assert lost.sentence == (
        "Rows longer than 12 tokens (model.max_length) lose their ends: test 2 of 3 (66.7%; 56.2% of their tokens)."
    )


def test_of_a_pair_both_texts_count(tokenizer: Path) -> None:
    # The tiny tokenizer puts nothing around pairs.
    lost = count_lost_ends("text-pair", tokenizer, LENGTH, {"test": [(SHORT, LONG), (SHORT, SHORT)]})
    assert lost.splits["test"] == CutRows(rows=2, cut=1, tokens=30 + 4, tokens_cut=30 - LENGTH)


def test_a_kind_that_reads_windows_loses_nothing(tokenizer: Path) -> None:
    lost = count_lost_ends("token-classification", tokenizer, LENGTH, {"test": [LONG.split()]})
    assert (lost.any, lost.sentence) == (False, "No row is longer than 12 tokens (model.max_length).")


@pytest.mark.parametrize(
    ("cut", "outcome"), [(0, Outcome.PROMOTE), (4, Outcome.PROMOTE), (90, Outcome.REJECT), (None, Outcome.HOLD)]
)
def test_a_gate_holds_lost_ends_against_a_candidate(cut: int | None, outcome: Outcome) -> None:
    settings = {"source": {"type": "file", "path": "a.csv"}, "labels": ["a", "b"]}
    asked = [{"metric": "truncated_share", "max": 0.2}]
    spec = PipelineSpec.model_validate({"name": "t", "kind": "text-classification", "data": settings, "gates": asked})
    rows = None if cut is None else CutRows(rows=100, cut=cut, tokens=1, tokens_cut=0)
    lost = LostEnds(max_length=12, splits={"test": rows}) if rows else None
    judged = evaluation().model_copy(update={"lost_ends": lost, "behaviours": ()})
    assert gates.decide(spec, judged).outcome is outcome


def test_report_model_card_and_summary_say_it() -> None:
    rows = CutRows(rows=100, cut=4, tokens=1000, tokens_cut=30)
    lost = LostEnds(max_length=12, splits={"test": rows})
    evidence = report_data.evidence(evaluation=evaluation().model_copy(update={"lost_ends": lost}))
    assert lost.sentence in page.render_page(report_data.material(evidence=evidence))
    assert "4 of 100 (4.0%; 3.0% of their tokens)" in model_card_of(report_data.spec(), evidence)
    result = RunResult(
        status=Status.HELD,
        model="news",
        version="1",
        run_id=None,
        reasons=(),
        snapshot=evidence.snapshot,
        evidence=evidence,
        seconds={},
    )
    data = run_as_json(result, Home(Path("nowhere")))["data"]
    assert data["truncated"] == {"test": {"rows": 100, "cut": 4, "tokens": 1000, "tokens_cut": 30}}
    assert (data["outvoted"], data["superseded"]) == (0, 0)

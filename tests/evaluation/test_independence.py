"""What is independent: which rows belong together, and that gates count it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from perennial import kinds
from perennial.core import digest
from perennial.core.errors import SpecError
from perennial.evaluation import from_answers, stored_answers
from perennial.evaluation.gates import decide
from perennial.evaluation.judged_rows import independence
from perennial.evaluation.stored_answers import Answers
from perennial.ingest.canonical_rows import canonical_rows, part_schema
from perennial.metrics.clusters import Clusters
from perennial.pipeline_file import loader
from perennial.records.decision import Decision, Outcome, Verdict
from perennial.records.evaluation import EvaluationContext
from perennial.rows.batch import Batch
from perennial.settings.gates import GateSpec
from perennial.settings.pipeline import PipelineSpec

LABELS = ("a", "b")


def spec(kind: str = "text-classification", gates: list[dict[str, Any]] | None = None, **columns: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": kind,
            "data": {"source": {"type": "file", "path": "a.csv"}, "labels": LABELS, "columns": columns},
            "evaluation": {"resamples": 1000},
            "gates": gates or [{"metric": "accuracy", "min": 0.5}],
        }
    )


def clusters(made: PipelineSpec, **columns: list[str | None]) -> Clusters:
    """Of rows that a source holds in these columns."""
    count = len(columns["text"])
    batch = Batch("a.csv", "line", range(1, count + 1), {"label": ["a"] * count, **columns})
    return independence.clusters_of_rows(made, pa.Table.from_batches([canonical_rows(batch, made)]))


def same(found: np.ndarray, expected: str) -> bool:
    """Whether rows are together as equal letters are."""
    return bool(((found[:, None] == found) == np.array([[x == y for y in expected] for x in expected])).all())


def test_copies_of_a_text_are_together_however_they_are_spelled() -> None:
    found = clusters(spec(), text=["Great!", "great!", "bad", " GREAT! ", "worse"])
    assert found.unit == "text"
    assert same(found.first, "aabac")
    assert found.count() == 3


def test_rows_of_a_group_are_together_and_one_without_is_alone() -> None:
    groups: list[str | None] = ["x", "y", "x", None, ""]
    found = clusters(spec(group="customer"), text=["1", "2", "3", "4", "5"], customer=groups)
    assert found.unit == "group"
    assert same(found.first, "abacd")


def test_copies_of_one_text_in_several_groups_are_together_too() -> None:
    found = clusters(spec(group="customer"), text=["yes", "yes", "yes", "no"], customer=["x", "x", "y", "y"])
    assert same(found.numbers["text"], "aaab")
    assert same(found.numbers["group"], "aabb")
    assert len(found.ways) == 3


def test_pairs_are_together_by_either_text() -> None:
    found = clusters(spec("text-pair"), text=["p", "p", "q", "r"], text_pair=["one", "two", "One", "three"])
    assert same(found.numbers["text"], "aabc")
    assert same(found.numbers["text_pair"], "abac")


def read(made: PipelineSpec, **columns: list[str | None]) -> pa.Table:
    count = len(columns["text"])
    batch = Batch("a.csv", "line", range(1, count + 1), {"label": ["a"] * count, **columns})
    return pa.Table.from_batches([canonical_rows(batch, made)])


def split_by(by: str, kind: str = "text-classification", **columns: Any) -> PipelineSpec:
    made = spec(kind, **columns)
    data = made.data.model_copy(update={"splits": made.data.splits.model_copy(update={"by": by})})
    return made.model_copy(update={"data": data})


def test_texts_that_splits_fold_to_one_are_one_observation() -> None:
    texts: list[str | None] = ["Great product 1", "great, product!", "<b>Great</b> product", "bad"]
    folding = split_by("folded_text")
    assert same(independence.clusters_of_rows(folding, read(folding, text=texts)).first, "aaab")
    assert same(clusters(spec(), text=texts).first, "abcd")


def test_looks_count_what_rows_are_split_by() -> None:
    texts: list[str | None] = ["One.", "one", "two", "three"]
    groups: list[str | None] = ["x", "y", "x", None]
    ways = {"text": spec(group="customer"), "folded_text": split_by("folded_text")}
    ways["group"] = split_by("group", group="customer")
    rows = {by: read(made, text=texts, customer=groups) for by, made in ways.items()}
    found = {by: independence.units_of_rows(made, rows[by]) for by, made in ways.items()}
    assert {by: len(set(units)) for by, units in found.items()} == {"text": 4, "folded_text": 3, "group": 3}
    assert found["group"][0] == found["group"][2]
    assert found["text"] == rows["text"]["text_key"].to_pylist(), "as an older build counted"
    for made in (spec(), split_by("group", group="customer"), split_by("first_text", "text-pair")):
        assert set(independence.unit_columns(made)) <= set(part_schema(made).names)


def test_a_group_is_in_one_split_whatever_its_texts_are() -> None:
    made = split_by("group", group="customer")
    rows = read(made, text=[f"text {n}" for n in range(400)], customer=[f"c{n % 40}" for n in range(400)])
    splits_of = {(row["customer"], row["split"]) for row in rows.to_pylist()}
    assert len(splits_of) == 40
    assert {split for _, split in splits_of} == {"train", "validation", "test"}


def test_a_group_that_is_not_named_changes_no_key_and_no_row() -> None:
    plain, grouped = spec(slices=["sector"]), spec(slices=["sector"], group="customer")
    assert "group" not in plain.model_dump(mode="json")["data"]["columns"]
    assert grouped.model_dump(mode="json")["data"]["columns"]["group"] == "customer"
    assert set(part_schema(grouped).names) - set(part_schema(plain).names) == {"customer"}
    assert part_schema(spec(slices=["sector"], group="sector")) == part_schema(plain)
    # As a Perennial that knew of no groups wrote it, and keyed stores and runs by it.
    older = {"text": "text", "text_pair": "text_pair", "label": "label", "tokens": None, "tags": "tags",
             "spans": "spans", "time": None, "id": None, "deleted": None, "slices": ["sector"]}  # fmt: skip
    assert plain.data.columns.model_dump(mode="json") == older
    assert digest.of_values(columns=plain.data.columns) == digest.of_values(columns=older)


@pytest.mark.parametrize("columns", ["slices: [time]", "slices: [sector, label]", "group: text", "group: split"])
def test_a_column_that_is_named_as_one_of_perennials_own_is_refused(columns: str, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(
        "name: news\nkind: text-classification\ndata:\n  source: {type: file, path: a.csv}\n  labels: [a, b]\n"
        f"  columns:\n    {columns}\ngates:\n  - {{metric: accuracy, min: 0.5}}\n"
    )
    with pytest.raises(SpecError, match="a column of its own") as error:
        loader.read_pipeline(path)
    assert ":7:" in str(error.value), "the line is named"


def answers(texts: np.ndarray, lost: int, together: bool = True) -> Answers:
    """Two models' answers to rows of these texts; the candidate errs on all rows of the first `lost` texts."""
    kind = kinds.kind_named("text-classification")
    assert kind
    right = [{"label": "a", "score": 0.9, "scores": {"a": 0.9, "b": 0.1}} for _ in texts]
    wrong = {"label": "b", "score": 0.9, "scores": {"a": 0.1, "b": 0.9}}
    return Answers(
        row_ids=[str(row) for row in range(len(texts))],
        targets=pa.chunked_array([pa.array(["a" if text % 2 else "b" for text in texts])]),
        candidate=[wrong if (text % 2 == 1) == (text < lost) else one for text, one in zip(texts, right, strict=True)],
        champion=[one if text % 2 else wrong for text, one in zip(texts, right, strict=True)],
        baselines={},
        slices={"all of them": np.ones(len(texts), bool)},
        clusters=Clusters.by_numbers({"text": texts}) if together else None,
    )


def decision(given: Answers, *gates: dict[str, Any]) -> Decision:
    made = spec(gates=list(gates))
    context = EvaluationContext(champion_version="7", champion_labels=LABELS)
    return decide(
        made, from_answers.evaluation_of(made, given, context, digest="e" * 64, predictions_path="evaluate/x")
    )


TEXTS = np.repeat(np.arange(60), 50)
VERSUS = {"metric": "accuracy", "versus": "champion", "margin": 0.1}


def test_three_thousand_rows_of_sixty_texts_decide_what_sixty_texts_can() -> None:
    assert decision(answers(TEXTS, 2, together=False), VERSUS).outcome is Outcome.PROMOTE, "as if each row counted"
    held = decision(answers(TEXTS, 2), VERSUS)
    assert held.outcome is Outcome.HOLD
    [reason] = held.reasons
    assert "n = 3,000 of 60 texts" in reason
    assert "such texts would be needed" in reason
    [check] = held.checks
    assert (check.n, check.clusters, check.clustered_by) == (3000, 60, "text")


@pytest.mark.parametrize(("least", "verdict"), [(60, Verdict.PASS), (61, Verdict.UNDECIDED)])
@pytest.mark.parametrize("about", [{}, {"slice": "all of them"}])
def test_min_n_counts_texts(least: int, verdict: Verdict, about: dict[str, Any]) -> None:
    [check] = decision(answers(TEXTS, 0), {"metric": "accuracy", "min": 0.9, "min_n": least, **about}).checks
    assert check.verdict is verdict
    if verdict is Verdict.UNDECIDED:
        assert "has 3,000 test rows of 60 texts, 61 texts are needed to judge it" in check.reason


def test_min_n_of_a_label_counts_its_texts() -> None:
    gate = {"metric": "recall", "per": "label", "min": 0.5}
    verdicts = [[check.verdict for check in decision(answers(TEXTS, 0), {**gate, "min_n": n}).checks] for n in (30, 31)]
    assert verdicts == [[Verdict.PASS] * 2, [Verdict.UNDECIDED] * 2]


def test_what_belongs_together_is_kept_with_the_answers(tmp_path: Path) -> None:
    kind = kinds.kind_named("text-classification")
    for given in (answers(TEXTS, 2), answers(TEXTS, 2, together=False)):
        stored_answers.write_answers(tmp_path, given, kind)
        assert decision(stored_answers.read_answers(tmp_path), VERSUS) == decision(given, VERSUS)


def test_a_decision_on_rows_that_are_all_alone_is_digested_as_it_was() -> None:
    alone = np.arange(60)
    one, other = (decision(answers(alone, 2, together), VERSUS) for together in (True, False))
    assert one == other
    assert "clusters" not in one.checks[0].model_dump(mode="json")
    assert GateSpec.model_validate(VERSUS).model_dump(mode="json").keys() == {
        "metric", "per", "slice", "min", "max", "versus", "margin", "ratio", "min_n", "small",
    }  # fmt: skip

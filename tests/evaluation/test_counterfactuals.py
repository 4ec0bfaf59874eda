"""Counterfactual swaps of test rows: which rows are asked again, and what is counted."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_model import TINY_LABELS, tiny_spec, tiny_texts

from perennial.core import digest
from perennial.core.home import Home
from perennial.evaluation.behaviours import counterfactuals
from perennial.evaluation.package_evaluation import evaluate
from perennial.inference.predictor import Predictor
from perennial.records.data import CheckedPart, Part, ValidatedData
from perennial.records.package import OnnxPackage
from perennial.rows.folding import normalise
from perennial.rows.splits import text_key
from perennial.settings.pipeline import PipelineSpec

GATES = {"regression": {"metric": "rmse", "max": 1}, "token-classification": {"metric": "f1", "min": 0.5}}
NAMES = {"names": [["Ann", "Bea", "Cleo"]]}


def spec_of(kind: str = "text-classification", **settings: Any) -> PipelineSpec:
    given = {"groups": ["names"], "terms": NAMES, **settings}
    return PipelineSpec.model_validate(
        {
            "name": "tiny",
            "kind": kind,
            "data": {
                "source": {"type": "file", "path": "a.csv"},
                "labels": [] if kind == "regression" else list(TINY_LABELS),
            },
            "evaluation": {"counterfactuals": given},
            "gates": [GATES.get(kind, {"metric": "accuracy", "min": 0.5})],
        }
    )


class Listening(Predictor):
    """Answers by a rule, and keeps what it was asked."""

    def __init__(self, rule: Any) -> None:
        self.rule = rule
        self.asked: list[Any] = []

    def predict(self, inputs: Any, **_: Any) -> list[dict[str, Any]]:
        self.asked += inputs
        return [self.rule(text) for text in inputs]


def by_name(text: str) -> dict[str, Any]:
    """Gives Ann a worse answer than all others."""
    score = 0.9 if "Ann" in text else 0.6
    label = "negative" if "Ann" in text else "positive"
    return {"label": label, "score": score, "scores": {**dict.fromkeys(TINY_LABELS, 1 - score), label: score}}


def table(*texts: str, **more: list[Any]) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.string()), **more})


def test_flips_and_shifts_are_counted_over_rows_with_a_term() -> None:
    model = Listening(by_name)
    [figures] = counterfactuals.measure_counterfactuals(
        spec_of(), table("Ann rose", "nobody", "Annie fell", "It was ANN"), model
    )
    assert (figures.group, figures.n, figures.flips) == ("names", 2, 1)
    # "ANN" is not "Ann" to this model: the answer stays, and so does its score.
    assert figures.mean_shift == pytest.approx((0.9 - 0.4) / 2)
    assert len(model.asked) == 4
    assert "nobody" not in model.asked


def test_as_many_rows_as_asked_for_are_drawn_the_same_each_time() -> None:
    rows = table(*(f"Ann sells {number}" for number in range(50)))
    asked = []
    for seed in (0, 0, 1):
        model = Listening(by_name)
        [figures] = counterfactuals.measure_counterfactuals(spec_of(max_rows=7, seed=seed), rows, model)
        assert figures.n == 7
        asked.append(model.asked)
    assert asked[0] == asked[1] != asked[2]


def test_a_group_without_rows_is_told_with_none_and_no_group_asks_nothing() -> None:
    model = Listening(by_name)
    [figures] = counterfactuals.measure_counterfactuals(spec_of(), table("nobody", None), model)
    assert (figures.n, figures.flips, figures.mean_shift) == (0, 0, 0.0)
    assert counterfactuals.measure_counterfactuals(spec_of(groups=[]), table("Ann"), model) == ()
    assert model.asked == []


def test_both_texts_of_a_pair_are_about_the_same_one() -> None:
    model = Listening(lambda pair: by_name(pair[0]))
    counterfactuals.measure_counterfactuals(spec_of("text-pair"), table("Ann rose", text_pair=["Did Ann rise?"]), model)
    (one, other), (first, second) = model.asked
    assert (one, other) == ("Ann rose", "Did Ann rise?")
    name = first.split()[0]
    assert name in {"Bea", "Cleo"}
    assert second == f"Did {name} rise?"


def test_a_span_that_moved_with_its_name_has_not_changed() -> None:
    def finds(text: str) -> dict[str, Any]:
        end = text.index(" ")
        return {"spans": [{"start": 0, "end": end, "label": "positive", "score": 0.9, "text": text[:end]}]}

    spec = spec_of("token-classification", terms={"names": [["Ann", "Katarzyna"]]})
    [figures] = counterfactuals.measure_counterfactuals(spec, table("Ann quits", "Katarzyna quits"), Listening(finds))
    assert (figures.n, figures.flips, figures.mean_shift) == (2, 0, 0.0)


def test_numbers_have_no_flips_but_shifts() -> None:
    model = Listening(lambda text: {"value": 3.0 if "Ann" in text else 1.0})
    [figures] = counterfactuals.measure_counterfactuals(spec_of("regression"), table("Ann rose"), model)
    assert (figures.flips, figures.mean_shift) == (0, 2.0)


@pytest.fixture
def packed(_tiny_package: tuple[Path, OnnxPackage], tmp_path: Path) -> tuple[Home, OnnxPackage]:
    """A home of the test's own with the tiny model's package."""
    home = Home(tmp_path / "home")
    shutil.copytree(_tiny_package[0], home.store.root / "export" / "tiny")
    return home, _tiny_package[1].model_copy(update={"path": "export/tiny"})


def validated(home: Home, count: int) -> ValidatedData:
    """Rows of which every other is a test row, and every eighth names Ann."""
    texts = [f"{'Ann ' if number % 8 == 0 else ''}{text} {number}" for number, text in enumerate(tiny_texts(count))]
    rows = pa.table(
        {
            "row_id": [str(number) for number in range(count)],
            "text_key": [text_key(normalise(text)) for text in texts],
            "text": texts,
            "label": [TINY_LABELS[number % 3] for number in range(count)],
            "time": pa.nulls(count, pa.timestamp("us", tz="UTC")),
            "split": ["test" if number % 2 == 0 else "train" for number in range(count)],
        }
    )
    path = home.store.root / "part.parquet"
    pq.write_table(rows, path)
    sha256 = digest.of_file(path)
    part = CheckedPart(
        source=Part(path="part.parquet", sha256=sha256, rows=count),
        path="part.parquet",
        sha256=sha256,
        rows=count,
        quarantined=0,
        quarantine_path=None,
    )
    rows_by_split = {"train": count // 2, "validation": 0, "test": count // 2}
    return ValidatedData(
        digest=sha256, parts=(part,), rows=rows_by_split, label_rows={}, quarantined=0, warnings=(), report_path=""
    )


def test_an_evaluation_holds_both_and_is_made_again_when_they_change(packed: tuple[Home, OnnxPackage]) -> None:
    home, package = packed
    data = validated(home, 64)
    tests = [{"name": "rises", "type": "minimum", "texts": "profit rose", "expect": {"label": "positive"}}]

    def spec(behaviours: list[dict[str, Any]], **given: Any) -> PipelineSpec:
        made = tiny_spec().model_dump(mode="json")
        counterfactual = {"groups": ["names"], "terms": NAMES, **given}
        changes = {"behaviours": {"tests": behaviours}, "evaluation": {"counterfactuals": counterfactual}}
        return PipelineSpec.model_validate({**made, **changes})

    found = evaluate(spec(tests), package, data, None, home)
    assert [(one.name, one.n) for one in found.behaviours] == [("rises", 1)]
    assert [(one.group, one.n) for one in found.fairness] == [("names", 8)]
    contest = json.loads((home.store.folder("evaluate", found.digest) / "contest.json").read_text())
    assert [one["name"] for one in contest["behaviours"]] == ["rises"]
    assert "Ann" not in json.dumps(contest)
    assert evaluate(spec(tests), package, data, None, home) == found
    assert evaluate(spec([]), package, data, None, home).behaviours == ()
    assert evaluate(spec(tests, groups=[]), package, data, None, home).fairness == ()

"""Settings: good defaults, frozen, and contradictions caught when the spec is built."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from perennial import kinds
from perennial.core import digest
from perennial.settings.data import DataSpec, SplitsSpec
from perennial.settings.gates import GateSpec
from perennial.settings.model import ModelSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.training import TrainingSpec

FILE_SOURCE = {"type": "file", "path": "a.csv"}


def pipeline(**settings: Any) -> dict[str, Any]:
    return {
        "name": "news",
        "kind": "text-classification",
        "data": {"source": FILE_SOURCE, "labels": ["a", "b"]},
        "gates": [{"metric": "accuracy", "min": 0.5}],
        **settings,
    }


def test_the_smallest_pipeline_is_whole() -> None:
    spec = PipelineSpec.model_validate(pipeline())
    assert spec.model.base == "sentence-transformers/all-MiniLM-L6-v2"
    assert spec.export.precision == "int8"
    assert spec.schedule is None
    assert spec.data.columns.text == "text"


def test_settings_are_frozen() -> None:
    spec = PipelineSpec.model_validate(pipeline())
    with pytest.raises(ValidationError):
        spec.training.epochs = 1  # type: ignore[misc]


def test_a_single_path_is_a_list_of_one() -> None:
    assert DataSpec.model_validate({"source": FILE_SOURCE}).source.path == ("a.csv",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("written", "label"), [("no", "no"), (0, "0"), (1, "1"), (2.5, "2.5"), ("ja ", "ja "), ("中性", "中性")]
)
def test_labels_are_texts(written: object, label: str) -> None:
    assert DataSpec.model_validate({"source": FILE_SOURCE, "labels": [written]}).labels == (label,)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([True, "b"], "True is YAML's truth value; put the label in quotes"),
        (["a", "b", "a"], "label 'a' is there more than once"),
        ([1, "1"], "label '1' is there more than once"),
        (["", "b"], "at least 1 character"),
    ],
)
def test_bad_labels(labels: list[object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataSpec.model_validate({"source": FILE_SOURCE, "labels": labels})


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ({}, "exactly one of min, max and versus; this one has none of them"),
        ({"min": 0.5, "max": 0.9}, "this one has min and max"),
        ({"min": 0.5, "versus": "champion"}, "this one has min and versus"),
        ({"min": 0.5, "margin": 0.1}, "margin goes with versus"),
        ({"versus": "world"}, "'champion', 'anchor' or 'baseline'"),
        ({"versus": "anchor", "per": "slice"}, "versus: anchor is about all test rows"),
        ({"versus": "anchor", "slice": "sector=banks"}, "versus: anchor is about all test rows"),
        ({"versus": "champion", "days": 30}, "days goes with versus: anchor"),
        ({"versus": "anchor", "days": 0}, "greater than or equal to 1"),
        ({"min": 0.5, "min_n": 0}, "greater than or equal to 1"),
        ({"min": 0.5, "per": "row"}, "'label', 'slice', 'behaviour' or 'group'"),
        ({"min": 0.5, "per": "label", "slice": "sector=banks"}, "slice and per: label exclude each other"),
        ({"min": 0.5, "per": "label", "small": "skip"}, "small: skip goes with slice"),
        ({"max": 0.5, "ratio": 1.5}, "ratio goes with versus: champion"),
        ({"versus": "baseline", "ratio": 1.5}, "ratio goes with versus: champion"),
        ({"per": "slice"}, "this one has none of them"),
    ],
)
def test_bad_gates(gate: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        GateSpec.model_validate({"metric": "accuracy", **gate})


@pytest.mark.parametrize(
    "gate",
    [
        {"min": 0.0},
        {"max": 0},
        {"versus": "champion", "margin": -0.02},
        {"versus": "champion", "ratio": 1.5},
        {"versus": "anchor", "margin": 0.02, "days": 90},
        {"per": "behaviour"},
        {"per": "slice", "min": 0.5, "min_n": 30, "small": "skip"},
        {"slice": "sector=banks", "versus": "champion", "margin": 0.1},
    ],
)
def test_good_gates(gate: dict[str, object]) -> None:
    GateSpec.model_validate({"metric": "accuracy", **gate})


def test_there_is_one_anchor() -> None:
    gates = [{"metric": name, "versus": "anchor", "days": days} for name, days in (("accuracy", 30), ("log_loss", 90))]
    with pytest.raises(ValidationError, match="gates name different days"):
        PipelineSpec.model_validate(pipeline(gates=gates))


def test_what_came_later_is_in_no_key_where_nobody_set_it() -> None:
    """Else a home that an older Perennial made would train again."""
    dumped = PipelineSpec.model_validate(pipeline()).model_dump(mode="json")
    assert "test_budget" not in dumped["evaluation"]
    assert all("days" not in gate for gate in dumped["gates"])
    other = PipelineSpec.model_validate(pipeline(evaluation={"test_budget": None}))
    assert other.model_dump(mode="json")["evaluation"]["test_budget"] is None


def test_a_pipeline_without_gates_is_refused() -> None:
    with pytest.raises(ValidationError, match="at least 1 item"):
        PipelineSpec.model_validate(pipeline(gates=[]))


@pytest.mark.parametrize("name", ["sentiment", "a", "0", "de-news_2", "x" * 63])
def test_good_names(name: str) -> None:
    assert PipelineSpec.model_validate(pipeline(name=name)).name == name


@pytest.mark.parametrize("name", ["", "Sentiment", "-a", "a b", "a/b", "../a", "ä", "x" * 64, "a\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(ValidationError):
        PipelineSpec.model_validate(pipeline(name=name))


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (SplitsSpec, {"test": 0}),
        (SplitsSpec, {"validation": 0.5}),
        (TrainingSpec, {"epochs": 0}),
        (TrainingSpec, {"learning_rate": 1}),
        (TrainingSpec, {"learning_rate": "fast"}),
        (TrainingSpec, {"dropout": 1}),
        (TrainingSpec, {"warmup": 1.1}),
        (TrainingSpec, {"epochs": float("nan")}),
        (ModelSpec, {"max_length": 7}),
        (ModelSpec, {"max_length": 100_000}),
    ],
)
def test_numbers_out_of_range_are_refused(model: Any, settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(settings)


@pytest.mark.parametrize(
    ("training", "problem"),
    [
        ({"replay": 0.5}, "replay goes with start_from: champion"),
        ({"half_life_days": 30}, "half_life_days goes with max_rows or replay"),
        ({"half_life_days": 30, "max_rows": 9}, r"training\.half_life_days needs data\.columns\.time"),
        ({"max_rows": 0}, "greater than or equal to 1"),
        ({"start_from": "champion", "replay": 1}, "less than 1"),
        ({"hold": "ewc"}, "'none' or 'l2-sp'"),
        ({"hold_strength": 0}, "greater than 0"),
    ],
)
def test_ways_to_go_on_that_contradict_each_other_are_refused(training: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PipelineSpec.model_validate(pipeline(training=training))


def test_an_expectation_keeps_its_own_arguments() -> None:
    data = DataSpec.model_validate(
        {"source": FILE_SOURCE, "expectations": [{"type": "expect_x", "column": "text", "min_value": 3, "mostly": 0.9}]}
    )
    assert data.expectations[0].arguments == {"min_value": 3, "mostly": 0.9}


def test_the_folder_is_no_setting() -> None:
    spec = PipelineSpec.model_validate(pipeline())
    moved = spec.located(Path("elsewhere"))
    assert moved.folder == Path("elsewhere")
    assert spec.folder == Path()
    assert digest.of_values(spec=moved) == digest.of_values(spec=spec)


@pytest.mark.parametrize("name", kinds.names())
def test_every_kind_says_what_it_measures(name: str) -> None:
    kind = kinds.kind_named(name)
    assert kind.name == name
    assert kind.headline_metric in kind.metrics
    assert kind.lower_is_better <= set(kind.metrics)
    assert not {kind.headline_metric, kind.selection_metric} & kind.lower_is_better

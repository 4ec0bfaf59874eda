"""The kind regression: numbers in any unit, learned and answered alike."""

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import kind_helpers
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.core.errors import TrainingError
from perennial.inference.decoders import Encoded, Meaning, decoder_named
from perennial.kinds.regression.kind import KIND
from perennial.settings.training import TrainingSpec

NOBODY = Encoded([], 0)
NUMBERS = np.array([-2.0, -1.0, 0.5, 0.5, 3.0, 4.0])


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (3, 3.0),
        ("3.5", 3.5),
        (" -1e3 ", -1000.0),
        (Decimal("0.25"), 0.25),
        (0, 0.0),
        (None, None),
        ("", None),
        ("many", None),
        ("1,5", None),
        ("nan", None),
        (math.inf, None),
        ("-inf", None),
        (True, None),
        ([1], None),
        ({"value": 1}, None),
        pytest.param(10**400, None, id="beyond-float"),
    ],
)
def test_cells_are_numbers_or_none(cell: Any, number: float | None) -> None:
    assert kind_helpers.cells(KIND, [cell]) == [number]


def test_bad_rows_are_set_aside_and_two_numbers_for_a_text_are_not(tmp_path: Path) -> None:
    bad = [{"text": "one", "label": None}, {"text": "two", "label": "high"}, {"text": "three", "label": [1]}]
    legal = [{"text": "four", "label": 3}, {"text": "four", "label": "4"}]
    rest = [{"text": f"headline {n}", "label": n / 7} for n in range(60)]
    made = kind_helpers.spec("regression", {"metric": "rmse", "max": 1}, max_quarantined=0.9)
    data = kind_helpers.validated(made, tmp_path, [*bad, *legal, *rest])
    assert kind_helpers.set_aside(data, tmp_path) == dict.fromkeys((1, 2, 3), "label holds no number")
    assert [row["label"] for row in kind_helpers.good(data, tmp_path)[:3]] == [3.0, 4.0, 0.0]


def test_labels_are_a_problem() -> None:
    gate = {"metric": "rmse", "max": 1}
    assert KIND.spec_problems(kind_helpers.spec("regression", gate)) == []
    [(setting, problem)] = KIND.spec_problems(kind_helpers.spec("regression", gate, labels=["low", "high"]))
    assert setting == ("data", "labels")
    assert "regression has no labels" in problem
    [(setting, problem)] = KIND.spec_problems(kind_helpers.spec("regression", {"metric": "rsme", "max": 1}))
    assert setting == ("gates", 0, "metric")
    assert "did you mean 'rmse'?" in problem
    [(setting, problem)] = KIND.spec_problems(
        kind_helpers.spec("regression", {"metric": "mae", "max": 1, "per": "label"})
    )
    assert "There are none" in problem


UNITS = [(1e-3, 0.0), (1.0, 0.0), (1e6, 0.0), (1e6, 1e9), (-1e-3, 5.0), (1e-30, 0.0)]


@pytest.mark.parametrize(("factor", "shift"), UNITS)
def test_the_unit_does_not_touch_what_is_learned(factor: float, shift: float) -> None:
    import torch

    given_ = NUMBERS * factor + shift
    statistics = KIND.statistics(given_, (), TrainingSpec())
    tensors = {name: torch.from_numpy(value) for name, value in statistics.items()}
    answers = torch.tensor([[0.1], [-0.2], [0.3], [0.0], [1.0], [1.5]])
    standard = (NUMBERS - NUMBERS.mean()) / NUMBERS.std() * np.sign(factor)
    expected = np.square(answers.squeeze(1).numpy() - standard).mean()
    loss = KIND.loss(answers, torch.from_numpy(given_), tensors, TrainingSpec())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("factor", "shift"), UNITS)
def test_decoding_gives_back_the_unit(factor: float, shift: float) -> None:
    given_ = NUMBERS * factor + shift
    decoding = KIND.decoding([], NOBODY, [], (), KIND.statistics(given_, (), TrainingSpec()))
    assert all(type(value) is float for value in decoding.values()), "written as JSON"
    standard = (given_ - given_.mean()) / given_.std()
    outputs = [np.array([value], np.float32) for value in standard]
    answers = decoder_named("regression").decode(outputs, NOBODY, Meaning((), decoding))
    values = [answer["value"] for answer in answers]
    assert values == pytest.approx(given_.tolist(), abs=1e-5 * given_.std())
    metrics, turned = KIND.measure(given_.tolist(), answers, ()), KIND.measure(given_.tolist(), answers[::-1], ())
    assert metrics.values["r2"] == pytest.approx(1)
    wrong = np.sqrt(np.square(NUMBERS - NUMBERS[::-1]).mean())
    assert turned.values["rmse"] == pytest.approx(abs(factor) * wrong, rel=1e-3)


@given(factor=st.sampled_from([1e-6, 1e-3, 1.0, 1e6]), shift=st.sampled_from([0.0, 1e3, -1e6]))
def test_only_what_differs_by_rounding_is_collapsed(factor: float, shift: float) -> None:
    decoding = {"mean": shift, "scale": factor}

    def answers(*outputs: float) -> list[dict[str, Any]]:
        return decoder_named("regression").decode(
            [np.array([x], np.float32) for x in outputs], NOBODY, Meaning((), decoding)
        )

    # The same output, but for what a row's neighbours in its batch change.
    assert KIND.collapsed(answers(0.25, 0.25 + 3e-8, 0.25 - 3e-8)) is not None
    assert KIND.collapsed(answers(0.25, 0.26, 0.25)) is None
    assert KIND.collapsed(answers(0.25)) is None
    assert KIND.collapsed([]) is None


@pytest.mark.parametrize("number", [0.0, 0.1, -3.0, 1e9])
def test_equal_numbers_are_told_before_training(number: float) -> None:
    with pytest.raises(TrainingError, match=re.escape(f"All 100 train rows have the number {number:g}: there")):
        KIND.statistics(np.full(100, number), (), TrainingSpec())
    table = pa.table({"text": [f"text {n}" for n in range(10)], "label": [number] * 10})
    for predictions in KIND.baselines(table, table, ()).values():
        assert [row["value"] for row in predictions] == pytest.approx([number] * 10)


def test_the_rest_of_the_kind() -> None:
    assert KIND.labels_in(pa.array([1.0])) is None
    assert KIND.outputs(()) == 1
    assert KIND.encode_targets(pa.array([1.0, 2.5]), NOBODY, ()).to_pylist() == [1.0, 2.5]
    assert KIND.same_answer({"value": 1.0}, {"value": 2.0})
    assert KIND.shared([1.0], [{"value": 2.0}], ()) == ([1.0], [{"value": 2.0}])
    assert not KIND.contradicts
    assert decoder_named("regression").in_words({"value": -0.123456}) == "-0.1235"
    assert set(KIND.measure([1.0, 2.0], [{"value": 1.0}, {"value": 2.0}], ()).values) == set(KIND.metrics)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_baselines_learn_in_any_unit(unit: float) -> None:
    texts = ["profit soared", "profit rose", "profit fell", "profit collapsed"] * 10
    numbers = np.array([2.0, 1.0, -1.0, -2.0] * 10) * unit
    table = pa.table({"text": texts, "label": numbers})
    baselines = KIND.baselines(table, table, ())
    assert set(baselines) == {"mean", "tfidf"}
    measured = {name: KIND.measure(numbers.tolist(), answers, ()).values for name, answers in baselines.items()}
    assert measured["mean"]["r2"] == pytest.approx(0, abs=1e-9)
    assert measured["tfidf"]["r2"] == pytest.approx(0.99029, abs=1e-5), "the same in every unit"

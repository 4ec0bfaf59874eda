"""Krippendorff's alpha, against his own worked example and what must be so of any such figure."""

import numpy as np
import pytest

from perennial.metrics.agreement import alpha, word_values

# Example C of Krippendorff (2011): four people, twelve things, some not seen by all.
EXAMPLE = list(
    zip(
        (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
        (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
        (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
        (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
        strict=True,
    )
)


@pytest.mark.parametrize(("as_value", "expected"), [(str, 0.743), (float, 0.849), (lambda v: frozenset({v}), 0.743)])
def test_it_is_his_own_figure(as_value: type, expected: float) -> None:
    texts = [[[as_value(value) for value in unit if value is not None]] for unit in EXAMPLE]
    figure = alpha(texts)
    assert figure is not None
    value, low, high = figure
    assert value == pytest.approx(expected, abs=0.0005)
    assert low <= value <= high <= 1


def test_chance_is_zero_and_its_interval_holds_it() -> None:
    draw = np.random.default_rng(1)
    texts = [[[str(label) for label in draw.integers(0, 3, 2)]] for _ in range(2_000)]
    figure = alpha(texts)
    assert figure is not None
    assert figure[1] < 0 < figure[2]
    assert abs(figure[0]) < 0.05


def test_all_agree_is_one_and_nothing_to_tell_apart_is_no_figure() -> None:
    assert alpha([[["a", "a"]], [["b", "b"]]]) == (1.0, 1.0, 1.0)
    assert alpha([[["a", "a"]], [["a", "a"]]]) is None
    assert alpha([[["a"]], [["b"]]]) is None
    assert alpha([]) is None


def test_sets_that_share_a_label_are_nearer_than_sets_that_share_none() -> None:
    def figure(one: set[str], other: set[str]) -> float:
        rest = [[[frozenset(label), frozenset(label)]] for label in "abcd" * 3]
        value = alpha([[[frozenset(one), frozenset(other)]], *rest])
        assert value is not None
        return value[0]

    assert figure({"a"}, {"b"}) < figure({"a", "b"}, {"b", "c"}) < figure({"a"}, {"a", "b"}) < figure({"a"}, {"a"})


def test_words_have_the_label_of_the_span_they_lie_in() -> None:
    words = [(0, 4), (5, 11), (12, 18)]
    assert word_values(words, [{"start": 5, "end": 18, "label": "X"}]) == ["", "X", "X"]

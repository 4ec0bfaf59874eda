"""What each word adds is found exactly where theory says so, in no more rows than were allowed."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.inference.explanations.games import METHODS, Game, Weighted, even_units, occlusion, shapley

Value = Callable[[np.ndarray], float]
SIZES = st.integers(0, 60)
ROWS = st.integers(6, 60)


def played(game: Game, value: Value) -> Weighted:
    masks = next(game)
    while True:
        try:
            masks = game.send(np.array([[value(kept)] for kept in masks]).reshape(len(masks), 1))
        except StopIteration as ended:
            found: Weighted = ended.value
            return found


def in_twos(words: int, seed: int) -> tuple[Value, np.ndarray]:
    """A value of words that act by themselves and in twos, and the Shapley value of each word."""
    draw = np.random.default_rng(seed)
    alone, together = draw.normal(size=words), np.triu(draw.normal(size=(words, words)), 1)

    def value(kept: np.ndarray) -> float:
        there = kept.astype(float)
        return float(there @ alone + there @ together @ there)

    return value, alone + (together.sum(0) + together.sum(1)) / 2


@pytest.mark.parametrize("method", sorted(METHODS))
@given(words=SIZES, rows=ROWS, seed=st.integers(0, 99), second=SIZES)
def test_every_word_is_in_one_unit_and_no_more_rows_are_asked_than_allowed(
    method: str, words: int, rows: int, seed: int, second: int
) -> None:
    value, _ = in_twos(words, seed)
    starts = [0, second] if 0 < second < words else [0]
    found = played(METHODS[method](starts, words, rows), value)
    assert [word for first, behind in found.units for word in range(first, behind)] == list(range(words))
    assert found.rows <= max(rows, 6)
    assert not any(first < start < behind for first, behind in found.units for start in starts)


@given(words=st.integers(1, 9), rows=ROWS.filter(lambda rows: rows >= 18), seed=st.integers(0, 99))
def test_shapley_values_are_exact_for_words_that_act_alone_and_in_twos(words: int, rows: int, seed: int) -> None:
    value, expected = in_twos(words, seed)
    found = played(shapley([0], words, rows), value)
    assert found.weights[:, 0] == pytest.approx(expected, abs=1e-9)


@given(words=SIZES, rows=ROWS, seed=st.integers(0, 99))
def test_shapley_weights_add_up_to_what_all_words_add(words: int, rows: int, seed: int) -> None:
    value, _ = in_twos(words, seed)
    found = played(shapley([0], words, rows), value)
    whole, none = value(np.ones(words, bool)), value(np.zeros(words, bool))
    assert found.weights.sum() == pytest.approx(whole - none, abs=1e-6)


def test_few_units_are_asked_in_all_combinations() -> None:
    """Three words that act only together share what they do."""
    found = played(shapley([0], 3, 18), lambda kept: float(kept.all()))
    assert found.weights[:, 0] == pytest.approx([1 / 3] * 3)
    assert found.rows == 8


@given(words=st.integers(40, 400), place=st.integers(0, 399))
def test_the_one_word_of_a_long_text_that_matters_is_found(words: int, place: int) -> None:
    place %= words
    found = played(occlusion([0], words, 40), lambda kept: float(kept[place]))
    unit = found.units[int(found.weights[:, 0].argmax())]
    assert unit[0] <= place < unit[1]
    assert unit[1] - unit[0] <= max(1, words // 40)


@given(first=st.integers(0, 40), second=st.integers(0, 40), count=st.integers(2, 30))
def test_units_are_of_like_sizes(first: int, second: int, count: int) -> None:
    starts = [0, first] if first and second else [0]
    sizes = [behind - start for start, behind in even_units(starts, first + second, count)]
    assert sum(sizes) == first + second
    assert len(sizes) <= max(count, len(starts))

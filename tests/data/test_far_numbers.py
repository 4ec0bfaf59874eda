"""Numbers that stand for something else, told by how far they are from the rest; long tails are none."""

import numpy as np
import pytest

from perennial.rows.far_numbers import far_numbers

CHOOSER = np.random.default_rng(5)
PRICES = CHOOSER.uniform(11, 330, 800)


FAR = [(9999999, "9900000"), (999, "660"), (-1, "12"), (-9999, "10000"), (2147483647, "2100000000")]


@pytest.mark.parametrize(("sentinel", "distance"), FAR)
def test_a_number_for_none_is_far(sentinel: float, distance: str) -> None:
    prices = np.where(np.arange(800) % 160 == 5, sentinel, PRICES)
    far = far_numbers(prices)
    assert far is not None
    assert (far.count, far.commonest) == (5, ((sentinel, 5),))
    assert far.in_words.startswith(f"5 of 800 numbers are more than {distance} from the rest (11.")
    assert far.in_words.endswith(f", 5 of them {sentinel}")


def test_both_sides_and_stars() -> None:
    both = np.where(np.arange(800) % 80 == 5, -9999999.0, np.where(np.arange(800) % 80 == 6, 9999999.0, PRICES))
    far = far_numbers(both)
    assert far is not None
    assert (far.count, far.commonest) == (20, ((-9999999, 10), (9999999, 10)))
    assert "value_set: [-9999999, 9999999]" in far.expectation("label")
    stars = np.where(np.arange(800) % 50 == 0, -1, CHOOSER.integers(1, 6, 800))
    assert getattr(far_numbers(stars), "commonest", None) == ((-1, 16),)


def test_an_expectation_names_the_exact_number() -> None:
    far = far_numbers(np.where(np.arange(800) % 160 == 5, 99999.99, PRICES))
    assert far is not None
    assert "value_set: [99999.99]" in far.expectation("label")


def test_long_tails_zeros_and_classes_are_not_far() -> None:
    for _ in range(20):
        assert far_numbers(np.exp(CHOOSER.normal(0, 1.5, 800))) is None
        assert far_numbers(np.round(np.exp(CHOOSER.normal(3, 1.5, 800)))) is None
        assert far_numbers(CHOOSER.standard_t(3, 800)) is None
    assert far_numbers(np.r_[np.zeros(700), CHOOSER.integers(1, 50, 100)]) is None
    assert far_numbers(CHOOSER.integers(-1, 2, 800)) is None
    assert far_numbers(CHOOSER.integers(0, 2, 800)) is None
    assert far_numbers([1.0, 2.0, 9999999.0]) is None

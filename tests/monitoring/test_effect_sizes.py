"""Effect sizes: nothing where nothing differs, whatever the size of the sample, and growing with the difference."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.spatial.distance import jensenshannon

from perennial.monitoring import effect_sizes

SHARES = (0.1, 0.2, 0.3, 0.4)
COUNTS = st.lists(st.integers(0, 2000), min_size=2, max_size=12).filter(any)


def drawn(random: np.random.Generator, count: int, shares: Sequence[float] = SHARES) -> np.ndarray:
    return random.multinomial(count, shares).astype(float)


@given(COUNTS, st.integers(1, 50))
def test_the_same_shares_are_no_shift(counts: list[int], times: int) -> None:
    old = np.array(counts, float)
    assert effect_sizes.psi(old, old) == 0
    assert effect_sizes.psi(old * 1000, old * 1000 * times) < 0.01


@given(COUNTS, COUNTS)
def test_a_shift_is_a_finite_number_the_same_in_any_order_of_bins(old: list[int], new: list[int]) -> None:
    size = max(len(old), len(new))
    one, other = (np.array([*lot, *[0] * (size - len(lot))], float) for lot in (old, new))
    value = effect_sizes.psi(one, other)
    assert np.isfinite(value)
    assert value >= 0
    assert effect_sizes.psi(one[::-1], other[::-1]) == pytest.approx(value)


def test_the_index_is_the_textbook_one_on_many_rows() -> None:
    old, new = np.array([50.0, 30.0, 20.0]) * 1e6, np.array([30.0, 30.0, 40.0]) * 1e6
    expected = (0.3 - 0.5) * np.log(0.3 / 0.5) + (0.4 - 0.2) * np.log(0.4 / 0.2)
    assert effect_sizes.psi(old, new) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rows", [100, 500, 5000])
def test_chance_alone_is_taken_off_whatever_the_size(rows: int) -> None:
    random = np.random.default_rng(3)
    shares = [0.1] * 10
    sizes_drawn = [effect_sizes.psi(drawn(random, 5000, shares), drawn(random, rows, shares)) for _ in range(400)]
    assert np.mean(sizes_drawn) < 4 / rows
    assert np.mean(np.array(sizes_drawn) > 0.2) <= 0.005


@pytest.mark.parametrize("rows", [300, 3000])
def test_a_true_shift_is_as_large_in_a_small_window_as_in_a_large_one(rows: int) -> None:
    random = np.random.default_rng(4)
    new = (0.2, 0.3, 0.3, 0.2)
    true = sum((n - o) * np.log(n / o) for n, o in zip(new, SHARES, strict=True))
    sizes_drawn = [effect_sizes.psi(drawn(random, 5000), drawn(random, rows, new)) for _ in range(200)]
    assert np.mean(sizes_drawn) == pytest.approx(true, rel=0.1)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200))
def test_every_value_is_in_one_bin(values: list[int]) -> None:
    some = np.array(values, float)
    cuts = effect_sizes.edges(some, 500)
    assert len(cuts) < effect_sizes.BINS
    assert effect_sizes.binned(some, cuts).sum() == len(values)
    assert len(effect_sizes.binned(np.empty(0), cuts)) == len(cuts) + 1


@given(COUNTS, COUNTS)
def test_the_divergence_is_scipys(one: list[int], other: list[int]) -> None:
    size = max(len(one), len(other))
    p, q = (np.array([*lot, *[0] * (size - len(lot))], float) for lot in (one, other))
    assert effect_sizes.js_divergence(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-9)


def bursty(random: np.random.Generator, rows: int, tokens: int = 400) -> csr_array:
    """Counts by row, a row's few tokens repeated: no independent draws."""
    counts = np.zeros((rows, tokens))
    shares = 1 / np.arange(1, tokens + 1)
    for row in range(rows):
        for token in random.choice(tokens, size=4, p=shares / shares.sum()):
            counts[row, token] += random.integers(1, 8)
    return csr_array(counts)


@pytest.mark.parametrize("rows", [100, 400])
def test_what_the_tokens_of_one_text_have_in_common_is_no_distance(rows: int) -> None:
    random = np.random.default_rng(5)
    reference = bursty(random, 1000)
    chance = effect_sizes.chance_of(reference, rows)
    distances = [effect_sizes.distance(reference, bursty(random, rows), chance) for _ in range(20)]
    assert max(distances) < 0.15
    assert effect_sizes.distance(reference, bursty(random, rows), 0.0) > 0.15


def test_distances_of_nothing() -> None:
    nothing, something = csr_array(np.zeros((3, 5))), csr_array(np.ones((3, 5)))
    assert effect_sizes.distance(nothing, nothing, 0.0) == 0
    assert effect_sizes.distance(something, nothing, 0.0) == 1
    assert effect_sizes.chance_of(nothing, 10) == 0
    apart = csr_array(np.eye(2))
    assert effect_sizes.distance(apart[[0]], apart[[1]], 0.0) == 1


def texts(random: np.random.Generator, count: int, words: Sequence[str]) -> list[str]:
    return [" ".join(random.choice(words, size=6)) + f" {number}" for number in random.integers(0, 10**6, count)]


OLD = [f"{a}{b}" for a in ("ba", "ke", "lo", "mi", "nu") for b in "bcdfghjklm"]


def test_a_classifier_can_not_tell_rows_of_one_sort_apart() -> None:
    random = np.random.default_rng(6)
    aucs = [effect_sizes.domain_auc(texts(random, 400, OLD), texts(random, 200, OLD)) for _ in range(6)]
    assert max(aucs) < 0.6
    assert 0.45 < float(np.mean(aucs)) < 0.55


def test_a_classifier_tells_new_words_but_no_numbers_capitals_or_copies() -> None:
    random = np.random.default_rng(7)
    old = texts(random, 300, OLD)
    assert effect_sizes.domain_auc(old, texts(random, 150, [*OLD[:40], *(f"zz{word}" for word in OLD[:20])])) > 0.8
    same = [text.upper().replace("1", "2") for text in texts(random, 150, OLD)]
    assert effect_sizes.domain_auc(old, same) < 0.6
    assert effect_sizes.domain_auc(old, ["one text"] * 150) == 0.5, "one text is too few to judge by"

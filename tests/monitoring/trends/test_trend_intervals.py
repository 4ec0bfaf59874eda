"""Intervals hold on few texts as on many, counted on draws."""

import numpy as np
import pytest

from perennial.monitoring.trends.intervals import count_interval, index_interval, share_interval

DRAWS = 4000


@pytest.mark.parametrize("texts", [1, 3, 10, 50, 400])
def test_the_index_is_in_its_interval_as_often_as_said(texts: int) -> None:
    random = np.random.default_rng(texts)
    shares = random.dirichlet([2, 4, 2], DRAWS)
    drawn = random.multinomial(texts, shares)
    _, low, high = index_interval(drawn[:, 0], drawn[:, 2], np.full(DRAWS, texts))
    true = shares[:, 0] - shares[:, 2]
    assert np.mean((low <= true) & (true <= high)) > 0.93


@pytest.mark.parametrize("texts", [2, 10, 100])
def test_a_share_of_texts_that_hang_together_has_a_wider_interval_that_holds(texts: int) -> None:
    random = np.random.default_rng(texts)
    shares = random.uniform(0.1, 0.5, DRAWS)
    size = 1 / 0.1 - 1
    drawn = random.binomial(texts, random.beta(shares * size, (1 - shares) * size))
    low, high = share_interval(drawn, np.full(DRAWS, texts), correlation=0.1)
    assert np.mean((low <= shares) & (shares <= high)) > 0.93


@pytest.mark.parametrize("dispersion", [1.0, 4.0])
def test_a_count_interval_holds_where_counts_are_overdispersed(dispersion: float) -> None:
    random = np.random.default_rng(3)
    mean = random.uniform(2, 60, DRAWS)
    rates = mean if dispersion == 1 else random.gamma(mean / (dispersion - 1), dispersion - 1)
    low, high = count_interval(random.poisson(rates), dispersion=dispersion)
    assert np.mean((low <= mean) & (mean <= high)) > 0.93


def test_no_text_says_nothing() -> None:
    none = np.zeros(1)
    index, low, high = index_interval(none, none, none)
    assert (np.isnan(index[0]), low[0], high[0]) == (True, -1, 1)
    assert [bound[0] for bound in share_interval(none, none)] == [0, 1]

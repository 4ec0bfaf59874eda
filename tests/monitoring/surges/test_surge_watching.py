"""One bucket after another: exact chances, spending that adds up, one alarm an event, in parts as in one go."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import betabinom, nbinom

from perennial.monitoring.surges.baseline import Usual
from perennial.monitoring.surges.bucket_width import width_for
from perennial.monitoring.surges.events import learning_sentence, surges_of
from perennial.monitoring.surges.farrington import farrington
from perennial.monitoring.surges.replay import Grid, Watched, WatchSettings, learning_until, watch_on
from perennial.monitoring.surges.state import WatchState
from perennial.monitoring.surges.tails import count_quantile, count_tail, share_tails
from perennial.monitoring.surges.watching import SeriesMemory, level_a_bucket, look
from perennial.monitoring.trends.calendar import Calendar

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, SURGE = 42, slice(38 * 4, 38 * 4 + 6)
SETTINGS = WatchSettings()


def grid(surge: slice = SURGE, days: int = DAYS, factor: float = 3.0) -> Grid:
    """Two series in buckets of six hours, the first with a surge."""
    random = np.random.default_rng(11)
    calendar = Calendar(360)
    starts = calendar.between(FIRST, FIRST + timedelta(days=days, minutes=-1))
    texts = random.poisson(50, (2, len(starts)))
    share = np.full(texts.shape, 0.2)
    share[0, surge] *= factor
    return Grid(calendar, ((("topic", "energy"),), ()), starts, texts, random.binomial(texts, share))


@pytest.fixture(scope="module")
def whole() -> Grid:
    return grid()


@pytest.fixture(scope="module")
def watched(whole: Grid) -> Watched:
    return watch_on(whole, SETTINGS)[1]


def test_tails_are_the_distributions_own() -> None:
    n, p, rho = np.array([0, 1, 20, 300]), np.array([0.2, 0.3, 0.1, 0.5]), np.array([0.01, 0.1, 0.02, 0.001])
    tails = share_tails(n, p, rho)
    for row, (texts, share, size) in enumerate(zip(n, p, 1 / rho - 1, strict=True)):
        wanted = betabinom.sf(np.arange(texts + 2) - 1, texts, share * size, (1 - share) * size)
        assert tails[row, : texts + 2] == pytest.approx(wanted, abs=1e-9)
    mean, variance = np.array([4.0, 4.0]), np.array([9.0, 9.0])
    assert count_tail(np.array([0, 7]), mean, variance)[1] == pytest.approx(nbinom.sf(6, 3.2, 4 / 9))
    quantile = count_quantile(0.05, mean, variance)
    assert np.all(count_tail(quantile, mean, variance) <= 0.05)
    assert np.all(count_tail(quantile - 1, mean, variance) > 0.05)


def test_what_is_spent_adds_up_to_what_was_set_and_is_what_chance_makes() -> None:
    series, buckets, level = 300, 400, 0.01
    random = np.random.default_rng(2)
    usual = Usual(*(np.full(series, one) for one in (0.15, 1e-4, 4.5, 6.0)))
    watch, spent, opens = SeriesMemory.fresh(series), 0.0, 0
    for _ in range(buckets):
        texts = random.poisson(30, series)
        watch, one = look(watch, texts, random.binomial(texts, 0.15), usual, np.full(series, level))
        spent, opens = spent + float(one.spent.sum()), opens + int(one.opens.sum())
    budget = series * buckets * level
    assert spent == pytest.approx(budget, rel=0.06)
    assert abs(opens - spent) < 3 * spent**0.5


def test_many_bad_texts_of_few_at_night_are_no_surge() -> None:
    usual = Usual(*(np.array([one]) for one in (0.2, 0.01, 10.0, 12.0)))
    _, few = look(SeriesMemory.fresh(1), np.array([6]), np.array([6]), usual, np.array([0.01]))
    _, many = look(SeriesMemory.fresh(1), np.array([60]), np.array([36]), usual, np.array([0.01]))
    assert (bool(few.opens[0]), bool(many.opens[0])) == (False, True)


def test_a_surge_is_one_event_with_an_id_that_stays(whole: Grid, watched: Watched) -> None:
    of_energy = [one for one in surges_of(whole, watched, "negative") if one.opened >= whole.starts[SURGE.start]]
    surge = of_energy[0]
    assert surge.key == (("topic", "energy"),)
    assert surge.opened == whole.starts[SURGE.start]
    assert surge.state == "cleared"
    assert surge.cleared is not None
    assert whole.starts[SURGE.stop] < surge.cleared <= whole.starts[SURGE.stop + 4]
    assert 2 < surge.factor < 4
    early = replace(whole, starts=whole.starts[: SURGE.start + 2], texts=whole.texts[:, : SURGE.start + 2])
    early = replace(early, counted=whole.counted[:, : SURGE.start + 2])
    open_one = surges_of(early, watch_on(early, SETTINGS)[1], "negative")[-1]
    assert (open_one.id, open_one.state) == (surge.id, "open")


def test_watching_in_parts_is_watching_in_one_go(whole: Grid, watched: Watched) -> None:
    cut = SURGE.start + 3
    part = replace(whole, starts=whole.starts[:cut], texts=whole.texts[:, :cut], counted=whole.counted[:, :cut])
    state, first = watch_on(part, SETTINGS)
    state = WatchState.model_validate_json(state.model_dump_json())
    state, second = watch_on(whole, SETTINGS, state)
    assert np.array_equal(np.hstack([first.opens, second.opens]), watched.opens)
    assert np.array_equal(np.hstack([first.clears, second.clears]), watched.clears)
    before = surges_of(part, first, "negative")
    in_one_go = surges_of(whole, watched, "negative")
    in_parts = {one.id: one for one in [*before, *surges_of(whole, second, "negative", before)]}
    assert [one.counted for one in in_one_go] == [in_parts[one.id].counted for one in in_one_go]
    assert watch_on(whole, SETTINGS, state)[1].starts == ()


def test_no_alarm_before_anything_is_known_and_that_is_said(whole: Grid, watched: Watched) -> None:
    assert watched.learning[:, : 14 * 4].all()
    assert not watched.learning[:, 14 * 4 :].any()
    assert not watched.opens[:, : 14 * 4].any()
    early = replace(whole, starts=whole.starts[:8], texts=whole.texts[:, :8], counted=whole.counted[:, :8])
    until = learning_until(early, SETTINGS)
    assert until == [FIRST + timedelta(days=14)] * 2
    assert "learning until 2024-01-15 00:00 UTC" in learning_sentence((("topic", "energy"),), until[0] or FIRST)
    assert learning_until(whole, SETTINGS) == [None, None]


def test_what_lasts_longer_than_a_surge_is_usual_then() -> None:
    lasting = grid(slice(20 * 4, None))
    _, watched = watch_on(lasting, SETTINGS)
    (first, *later) = [one for one in surges_of(lasting, watched, "negative") if one.key and one.counted > 30]
    assert first.state == "usual now"
    assert len(later) <= 1


def test_more_series_together_ask_more_of_each() -> None:
    assert level_a_bucket(1, 60, 10) * 10 == pytest.approx(level_a_bucket(1, 60, 1))
    assert level_a_bucket(2, 1440, 1) == pytest.approx(2 / 30.4375)


def test_buckets_are_as_wide_as_it_takes() -> None:
    assert [width_for(rate) for rate in (3, 30, 300, 3000)] == [1440, 720, 60, 15]
    assert width_for(3000, narrowest=60) == 60


def test_farrington_expects_the_season_and_is_not_taken_in_by_an_old_surge() -> None:
    random = np.random.default_rng(4)
    usual = np.tile([20.0, 40, 60, 10], 7 * 10)
    counts = random.poisson(usual, (50, len(usual)))
    counts[:, -60:-54] *= 4
    one = farrington(counts, len(usual) - 2, 28)
    reference = (40 + 60 + 10) / 3
    assert float(np.median(one.mean)) == pytest.approx(reference, rel=0.15)
    assert np.mean(one.p_value(np.full(50, 37))) > 0.2
    assert np.all(one.p_value(np.full(50, 400)) < 1e-3)

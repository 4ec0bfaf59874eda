"""Shares in percent never say that all are what nearly all are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perennial.core.percent import percent


@pytest.mark.parametrize(
    ("share", "digits", "shown"),
    [
        (0.5, 0, "50%"),
        (0.5, 1, "50.0%"),
        (1.0, 0, "100%"),
        (0.0, 1, "0.0%"),
        (998 / 1000, 0, "99.8%"),
        (2 / 1000, 0, "0.2%"),
        (0.995, 0, "99.5%"),
        (0.9999, 1, "99.99%"),
        (1e-9, 0, "under 0.000001%"),
        (1 - 1e-9, 0, "over 99.999999%"),
    ],
)
def test_it_is_as_exact_as_it_must_be(share: float, digits: int, shown: str) -> None:
    assert percent(share, digits) == shown


@given(st.integers(1, 10_000_000), st.data())
def test_only_all_is_100_and_only_nothing_0(whole: int, data: st.DataObject) -> None:
    part = data.draw(st.integers(0, whole))
    shown = percent(part / whole)
    assert (shown == "100%") == (part == whole)
    assert (shown == "0%") == (part == 0)

"""Figures of texts: read in digits and in words, and compared as what they may be rounded to."""

import pytest

from perennial.stream.copies.figures import figures
from perennial.stream.copies.likeness import disagree


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$4.52bn", "4.5 billion dollars"),
        ("1,240 jobs", "more than 1,200 jobs"),
        ("up 12.3%", "up twelve percent"),
        ("4.5 billion", "four and a half billion"),
        ("€1,5 million", "€1.5m"),
        ("no figure at all", "3%"),
    ],
)
def test_a_figure_agrees_with_itself_rounded_or_in_words(one: str, other: str) -> None:
    assert not disagree(figures(one), figures(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [("3%", "5%"), ("$71", "$75"), ("17.8%", "16.8%"), ("97,300 homes", "110,000 homes"), ("3.4%", "3.5%")],
)
def test_figures_that_no_rounding_explains_disagree(one: str, other: str) -> None:
    assert disagree(figures(one), figures(other))


def test_one_and_years_are_no_counts() -> None:
    assert figures("one of many") == ()
    assert [figure.unit for figure in figures("in 2026, 5 of them paid £3")] == ["year", "count", "money"]

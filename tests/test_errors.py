"""Errors are paragraphs: what was seen, and what to do."""

import inspect

import pytest

from perennial.core import errors
from perennial.core.errors import DisagreementError, PerennialError, SpecError, StoreError, listing

FAMILY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, PerennialError)]


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_an_error_says_the_problem_then_the_remedy(kind: type[PerennialError]) -> None:
    error = kind("The disk is full.", remedy="Free some space.")
    assert str(error) == "The disk is full. Free some space."
    assert (error.problem, error.remedy) == ("The disk is full.", "Free some space.")
    assert str(kind("The disk is full.")) == "The disk is full."


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_every_error_has_a_docstring_and_an_exit_code_of_its_own_meaning(kind: type[PerennialError]) -> None:
    assert kind.__doc__
    # 0, 3 and 4 say how a run ended; only wrong usage is 2, and only what holds a run is 3, whichever command meets it.
    assert kind.exit_code == {SpecError: 2, DisagreementError: 3}.get(kind, 1)


def test_one_except_clause_catches_the_family() -> None:
    with pytest.raises(PerennialError):
        raise StoreError("x")


@pytest.mark.parametrize(
    ("items", "limit", "text"),
    [
        ([], 5, ""),
        (["a"], 5, "a"),
        (["a", "b"], 2, "a, b"),
        (["a", "b", "c"], 2, "a, b and 1 more"),
        (range(5), 5, "0, 1, 2, 3, 4"),
        (range(1_240), 2, "0, 1 and 1,238 more"),
    ],
)
def test_listing_cuts_with_the_count(items: list[object], limit: int, text: str) -> None:
    assert listing(items, limit) == text


def test_listing_takes_any_iterable() -> None:
    assert listing(str(number) for number in range(7)) == "0, 1, 2, 3, 4 and 2 more"

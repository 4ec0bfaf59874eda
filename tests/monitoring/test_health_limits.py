"""Which limits a window passes, and when that calls for a run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from perennial.monitoring.health.health_figures import HealthFigures
from perennial.monitoring.health.limits import is_due, reason, violations
from perennial.records.interval import Interval
from perennial.settings.monitor.health import HealthSpec

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SETTINGS = HealthSpec()


def figures(**known: Any) -> HealthFigures:
    return HealthFigures(
        **{"looked": NOW, "model": "7", "texts": 500, "first": NOW, "last": NOW, "unsure_share": 0.1} | known
    )


def estimated(value: float, half: float) -> dict[str, Any]:
    return {"estimated_accuracy": value, "estimated_interval": Interval(low=value - half, high=value + half)}


def measured(value: float, half: float) -> dict[str, Any]:
    return {"accuracy": value, "accuracy_interval": Interval(low=value - half, high=value + half)}


@pytest.mark.parametrize(
    ("known", "passed"),
    [
        ({}, set()),
        ({"unsure_share": 0.31}, {"unsure"}),
        ({"unsure_share": 0.29}, set()),
        (estimated(0.80, 0.05), {"accuracy"}),
        # Not surely below what it was.
        (estimated(0.80, 0.12), set()),
        (estimated(0.87, 0.01), set()),
        (measured(0.7, 0.1), {"accuracy"}),
        # Labels say that it is well.
        ({**estimated(0.80, 0.05), **measured(0.9, 0.03)}, set()),
        ({**estimated(0.80, 0.05), **measured(0.8, 0.2)}, {"accuracy"}),
        ({"drift": {"domain": 0.9, "length": 0.1}}, {"domain"}),
    ],
)
def test_what_is_beyond_a_limit_is_said(known: dict[str, Any], passed: set[str]) -> None:
    found = violations(SETTINGS, figures(**known), 0.9, 0.2)
    assert set(found) == passed


def test_limits_that_are_set_need_no_reference() -> None:
    strict = HealthSpec(unsure_at_most=0.05, accuracy_at_least=0.85, drift=None)
    known = figures(**estimated(0.80, 0.04), drift={"domain": 0.9})
    assert set(violations(strict, known, None, None)) == {"unsure", "accuracy"}
    assert not violations(HealthSpec(), known.model_copy(update={"drift": {}}), None, None)


def test_the_same_limit_must_be_passed_often_enough_and_lately() -> None:
    def why(*passed: tuple[str, ...]) -> str | None:
        return reason(SETTINGS, [(figures(), names, names) for names in passed])

    assert why(("unsure",)) is None
    assert why(("unsure",), ("domain",)) is None
    assert why(("unsure",), ("unsure",), ()) is None
    assert why(("unsure",), (), (), ("unsure",)) is None
    said = why(("unsure",), (), ("unsure",))
    assert said == "unsure in 2 of the last 3 windows of 500 texts; answered by version 7"
    both = why(("unsure", "domain"), ("domain", "unsure"), ("unsure", "domain", "accuracy"))
    assert both == "unsure; domain, each in 3 of the last 3 windows of 500 texts; answered by version 7"
    assert why() is None


def test_calls_of_one_version_get_rarer() -> None:
    day = timedelta(days=1)
    assert is_due(SETTINGS, 0, None, NOW)
    assert [is_due(SETTINGS, 1, NOW, NOW + days * day) for days in (0.9, 1)] == [False, True]
    assert [is_due(SETTINGS, 3, NOW, NOW + days * day) for days in (3.9, 4)] == [False, True]


def test_what_can_never_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="can never be"):
        HealthSpec(needed=4, of_last=3)

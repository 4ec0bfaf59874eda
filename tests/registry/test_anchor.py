"""Which of the champions of some time is the best: no promotion of what is a little worse lowers the bar."""

from datetime import UTC, datetime, timedelta

import pytest
from promoting import promote
from registry_helpers import Run, note_tag, second

from perennial.registry import aliases, tags
from perennial.registry.history import Event
from perennial.registry.judged.looks import PastLook
from perennial.registry.ledger import Action, State
from perennial.runs.anchor import PastChampion, best_champion, find_anchor, past_champions
from perennial.settings.data import SplitsSpec
from perennial.settings.gates import GateSpec

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def champion(
    version: str,
    champion: str | None = None,
    beside_champion: float | None = None,
    anchor: str | None = None,
    beside_anchor: float | None = None,
    metric: str = "accuracy",
) -> PastChampion:
    """A version that was promoted over `champion`; None: nobody counted a comparison."""
    if champion is None:
        return PastChampion(version)
    look = PastLook(
        id=1, moment=NOW, registry="embedded", model="news", compared="c", package=version, champion_version=champion,
        anchor_version=anchor, metric=metric, beside_champion=beside_champion, beside_anchor=beside_anchor,
        number=1, budget=0.05, level=0.001, spent=0.001, texts=100, fresh=0, who="ann",
    )  # fmt: skip
    return PastChampion(version, look)


def moved(version: str, days_ago: float) -> Event:
    return Event(
        id=1, moment=NOW - timedelta(days=days_ago), action=Action.PROMOTE, state=State.DONE, from_version=None,
        to_version=version, who="ann", reason="", decision_digest=None,
    )  # fmt: skip


def test_a_hundred_promotions_of_what_is_a_little_worse_leave_the_anchor_where_it_was() -> None:
    steps = [champion(str(number), str(number - 1), -0.002) for number in range(2, 102)]
    assert best_champion([champion("1"), *steps], frozenset(), "accuracy") == "1"


def test_what_is_better_takes_over_and_is_the_bar_from_then_on() -> None:
    were = [champion("1"), champion("2", "1", -0.01), champion("3", "2", 0.02), champion("4", "3", -0.005)]
    assert best_champion(were, frozenset(), "accuracy") == "3", "0.01 better than version 1, by way of version 2"


def test_a_comparison_with_the_anchor_itself_decides() -> None:
    were = [champion("1"), champion("2", "1", -0.01), champion("3", "2", 0.02, "1", -0.001)]
    assert best_champion(were, frozenset(), "accuracy") == "1"


def test_an_equal_one_takes_over_whatever_the_last_digits_of_a_sum_are() -> None:
    were = [champion("1"), champion("2", "1", 0.1), champion("3", "2", -0.3), champion("4", "3", 0.3)]
    assert best_champion(were, frozenset(), "accuracy") == "4"


@pytest.mark.parametrize("unknown", [champion("2"), champion("2", "1", 0.5, metric="macro_f1")])
def test_a_version_of_which_nothing_is_known_takes_nobodys_place(unknown: PastChampion) -> None:
    assert best_champion([champion("1"), unknown], frozenset(), "accuracy") == "1"


def test_one_that_is_out_of_service_is_no_bar() -> None:
    were = [champion("1"), champion("2", "1", 0.05), champion("3", "2", -0.03), champion("4", "3", -0.01)]
    assert best_champion(were, frozenset(), "accuracy") == "2"
    assert best_champion(were, frozenset({"2"}), "accuracy") == "3"
    assert best_champion(were, frozenset({"1", "2", "3"}), "accuracy") == "4"


def test_a_champion_that_came_back_is_judged_by_what_made_it_champion() -> None:
    were = [champion("1"), champion("2", "1", -0.01), champion("1")]
    assert best_champion(were, frozenset(), "accuracy") == "1"


def test_only_champions_of_some_time_count_with_the_one_that_served_when_it_began() -> None:
    moves = [moved("1", 400), moved("2", 300), moved("3", 100), moved("4", 10)]
    since = NOW - timedelta(days=200)
    assert past_champions(moves, since, "4") == ["2", "3", "4"]
    assert past_champions(moves, NOW - timedelta(days=1000), "4") == ["1", "2", "3", "4"]
    assert past_champions(moves, NOW, "4") == ["4"]
    assert past_champions([], since, "7") == ["7"], "a ledger that knows nothing yet"
    assert past_champions(moves, since, "9") == ["2", "3", "4", "9"], "the one that serves counts, whoever put it there"


def test_a_tag_lowers_no_bar(run: Run) -> None:
    """Whoever may write to MLflow wrote `perennial.splits` on the best champion, and it was the anchor no more."""
    first = run.register()
    assert promote(run.home, first)
    assert promote(run.home, second(run, "1").register())
    gate = GateSpec.model_validate({"metric": "accuracy", "versus": "anchor", "margin": 0.01, "days": 30})
    spec = run.spec.model_copy(update={"gates": (*run.spec.gates, gate)})
    serving = aliases.champion(run.spec.name, run.home)
    note_tag(run.home, first, tags.SPLITS, "edited")
    anchor = find_anchor(spec, serving, run.home)
    assert anchor is not None
    assert (anchor.version, anchor.stands_for) == ("1", "")
    other = spec.data.model_copy(update={"splits": SplitsSpec(test=0.3)})
    anchor = find_anchor(spec.model_copy(update={"data": other}), serving, run.home)
    assert anchor is not None
    assert (anchor.version, "version 1 was trained with other data.splits" in anchor.stands_for) == ("2", True)

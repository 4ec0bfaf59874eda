import json
from datetime import UTC, datetime, timedelta

import pytest
from place import Place, assert_explained
from registry_helpers import free_port

from perennial.registry import aliases, history, tracking
from perennial.registry.ledger import Action, Entry, State

START = datetime(2026, 1, 1, tzinfo=UTC)


def entry(
    number: int,
    action: Action,
    before: str | None,
    after: str | None,
    state: State = State.DONE,
    intent: int | None = None,
    minutes: int | None = None,
) -> Entry:
    return Entry(
        id=number,
        moment=START + timedelta(minutes=number if minutes is None else minutes),
        registry="embedded",
        model="news",
        action=action,
        state=state,
        intent=intent,
        from_version=before,
        to_version=after,
        who="ann@desk",
        reason="why",
        decision_digest=None,
        token=number,
    )


def moved(number: int, action: Action, before: str | None, after: str | None) -> list[Entry]:
    """An intent at minute `number`, and its conclusion at the next."""
    return [
        entry(number, action, before, after, State.INTENT),
        entry(number + 1, action, before, after, State.DONE, intent=number),
    ]


BOOK = [
    *moved(10, Action.PROMOTE, None, "1"),
    *moved(20, Action.PROMOTE, "1", "2"),
    entry(25, Action.REJECT, "2", "3"),
    entry(30, Action.PROMOTE, "2", "4", State.INTENT),
    entry(31, Action.PROMOTE, "2", "4", State.ABANDONED, intent=30),
    entry(40, Action.FOUND, "2", "5"),
    *moved(50, Action.ROLLBACK, "5", "1"),
    entry(60, Action.FOUND, "1", None),
]


def at(minutes: float, book: list[Entry] = BOOK) -> history.Reign:
    return history.reign_at(book, START + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("minutes", "version"),
    [(9, None), (10, "1"), (19.9, "1"), (20, "2"), (24, "2"), (32, "2"), (40, "5"), (50, "1"), (59, "1"), (60, None)],
)
def test_who_was_champion_when(minutes: float, version: str | None) -> None:
    assert at(minutes).version == version


def test_a_move_outside_of_perennial_leaves_a_doubt() -> None:
    assert at(15).doubt == ""
    assert at(25).doubt == (
        "Some time between 2026-01-01 00:20:00Z and 2026-01-01 00:40:00Z it was moved outside of Perennial, "
        "to version 5."
    )
    assert "no version" in at(55).doubt
    before = at(5, [entry(40, Action.FOUND, None, "5")])
    assert (before.version, before.since, "does not go back so far" in before.doubt) == ("5", None, True)


def test_events_join_intents_and_conclusions() -> None:
    events = history.ledger_events(BOOK)
    assert [event.id for event in events] == [10, 20, 25, 30, 40, 50, 60]
    assert [event.state for event in events].count(State.ABANDONED) == 1
    assert history.champions(BOOK) == ["1", "5", "2"]


def test_what_was_begun_and_not_concluded_is_told() -> None:
    assert history.unfinished(BOOK) is None
    said = history.unfinished(BOOK[:6])
    assert said is not None
    assert "began at 2026-01-01 00:30:00Z is still on its way, or was cut short" in said


def test_a_champion_that_was_put_back_was_away_before() -> None:
    book = [*moved(10, Action.PROMOTE, None, "1"), entry(40, Action.RECONCILE, "5", "1")]
    assert "to version 5" in at(20, book).doubt
    assert (at(50, book).version, at(50, book).doubt) == ("1", "")


def test_the_command_shows_it_and_keeps_to_its_codes(seasoned: Place) -> None:
    shown = seasoned.command("history", "tiny")
    assert shown.code == 0, shown.text
    for word in ("promote", "Its gates passed.", "@", "Now: champion 1."):
        assert word in shown.text
    said = seasoned.command("history", "tiny", "--json").json
    assert (said["agrees"], said["problem"], said["aliases"]["champion"]) == (True, None, "1")
    (event,) = said["events"]
    assert (event["action"], event["state"], event["from_version"], event["to_version"]) == (
        "promote", "done", None, "1",
    )  # fmt: skip
    assert len(event["decision_digest"]) == 64
    now = datetime.now(UTC).isoformat()
    then = seasoned.command("history", "tiny", "--at", now, "--json").json
    assert (then["version"], then["by"]) == ("1", "promote")
    assert "version 1 of tiny was champion, since" in seasoned.command("history", "tiny", "--at", now).text
    assert "had no champion at 2020-01-31 00:00:00Z" in seasoned.command("history", "tiny", "--at", "2020-01-31").text
    assert_explained(seasoned.command("history", "tiny", "--at", "yesterday"), 2, "'yesterday' is no time")
    assert_explained(seasoned.command("history", "tiny", "--at", "2999-01-01"), 2, "lies in the future")
    assert_explained(seasoned.command("history", "tinyy"), 1, "nothing about 'tinyy'", "it knows tiny")
    failed = json.loads(seasoned.command("history", "tinyy", "--json").out)
    assert failed["status"] == "failed"


def test_a_move_by_hand_and_a_registry_that_is_away_are_told(seasoned: Place) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    with tracking.session(seasoned.home) as client:
        client.delete_registered_model_alias("tiny", aliases.CHAMPION)
    shown = seasoned.command("history", "tiny")
    assert "The ledger has version 1 as champion" in shown.text
    assert "alias `champion` is gone from MLflow" in shown.text
    assert "perennial reconcile tiny --keep ledger" in shown.text
    assert seasoned.command("history", "tiny", "--json").json["agrees"] is False
    # A ledger of its own file would be another registry's; so it is named.
    url = f"sqlite:///{seasoned.home.root / 'shared.db'}"
    away = seasoned.command("history", "tiny", PERENNIAL_DATABASE_URL=url, MLFLOW_TRACKING_URI=address)
    assert_explained(away, 1, "There is no ledger at", "no history of 'tiny'", "Nothing was put in its place")

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from notes import Notes

from perennial.core import progress
from perennial.core.errors import BusyError
from perennial.core.home import Home
from perennial.registry import database, lease
from perennial.registry.database import LEASES, Database, open_database


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    if request.param == "postgresql":
        monkeypatch.setenv(database.VARIABLE, request.getfixturevalue("new_postgres")())
    return open_database(Home(tmp_path))


def test_one_holder_at_a_time_whose_token_grows(shared: Database) -> None:
    with lease.held(shared, "news") as first:
        said = f"{lease.whoami()}, process .* is promoting or rolling back news"
        with pytest.raises(BusyError, match=said), lease.held(shared, "news", wait=0):
            pass
        with lease.held(shared, "other", wait=0):
            pass
    with lease.held(shared, "news", wait=0) as second:
        assert second.token > first.token
        with pytest.raises(lease.LeaseLostError):
            first.confirm()


def test_a_dead_holders_lease_lapses(shared: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS", 0.5)
    dead = lease._acquired(shared, "news", 0)  # nobody renews it
    started = time.monotonic()
    with lease.held(shared, "news", wait=20):
        assert 0.3 < time.monotonic() - started < 15
        with pytest.raises(lease.LeaseLostError, match="perennial history news"):
            dead.confirm()


def test_a_dead_holders_lease_lapses_by_a_clock_that_was_set_back(
    shared: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept everybody away for as long as the clock was set back."""
    monkeypatch.setattr(lease, "SECONDS", 0.5)
    dead = lease._acquired(shared, "run:news", 0)
    with shared.transaction() as connection:
        connection.execute(sa.update(LEASES).values(expires=shared.now() + 365 * 86_400))
    assert lease.held_now(shared, "run:") == ["run:news"], "who is alive is not robbed of it"
    dead.confirm()
    with shared.transaction() as connection:
        connection.execute(sa.update(LEASES).values(expires=shared.now() + 365 * 86_400))
    with lease.held(shared, "run:news", wait=20) as after:
        assert after.token > dead.token


def test_heartbeats_keep_it(shared: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "SECONDS", 2.0)
    with lease.held(shared, "news") as held:
        time.sleep(3)
        with pytest.raises(BusyError), lease.held(shared, "news", wait=0):
            pass
        held.confirm()
    assert not [thread for thread in threading.enumerate() if thread.name == "lease of news"]


def test_what_may_still_happen_keeps_others_away(shared: Database) -> None:
    with lease.held(shared, "news") as held:
        held.left_to_lapse = True
    with pytest.raises(BusyError, match="lapses in"), lease.held(shared, "news", wait=0):
        pass


def test_waiting_says_for_whom(shared: Database) -> None:
    notes = Notes()
    held, hearing = lease.held(shared, "news"), progress.heard_by(notes)
    with held, hearing, pytest.raises(BusyError, match="2 s"), lease.held(shared, "news", wait=2):
        pass
    (note,) = notes.messages
    assert lease.whoami() in note


def test_of_many_at_once_one_gets_it(shared: Database) -> None:
    tokens: list[int] = []

    def take() -> None:
        with lease.held(shared, "news") as held:
            tokens.append(held.token)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tokens == list(range(1, 9))


def test_an_error_in_the_block_gives_it_back(shared: Database) -> None:
    with pytest.raises(ZeroDivisionError), lease.held(shared, "news"):
        _ = 1 / 0
    with lease.held(shared, "news", wait=0):
        pass

"""One run of a pipeline at a time, on whatever machine; the lease of a killed run lapses."""

import time
from pathlib import Path

import pytest

from perennial.core.errors import OverlapError
from perennial.core.home import Home
from perennial.registry import database, lease
from perennial.registry.database import open_database
from perennial.runs import one_run


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    if request.param == "postgresql":
        monkeypatch.setenv(database.VARIABLE, request.getfixturevalue("new_postgres")())
    monkeypatch.setattr(lease, "SECONDS", 1.0)
    monkeypatch.setattr(one_run, "POLL_SECONDS", 0.1)
    return Home(tmp_path)


def test_a_second_run_gives_way_to_one_that_is_alive(home: Home) -> None:
    with one_run.one_anywhere("news", home) as first:
        assert not first.lapsed
        with (
            pytest.raises(OverlapError, match=f"Another run of news is at work: {lease.whoami()}"),
            one_run.one_anywhere("news", home),
        ):
            pass
        with one_run.one_anywhere("other", home):
            pass
        # Promotion, at the end of a run, has a lease of its own.
        with lease.held(open_database(home), "news", wait=0):
            pass
    with one_run.one_anywhere("news", home) as second:
        assert not second.lapsed


def test_the_lease_of_a_killed_run_lapses_and_tells_that_it_did(home: Home) -> None:
    dead = lease.take(open_database(home), one_run.name_of("news"))  # nobody renews it
    assert dead is not None
    started = time.monotonic()
    with one_run.one_anywhere("news", home) as held:
        assert held.lapsed
        assert time.monotonic() - started < 30
    with one_run.one_anywhere("news", home) as again:
        assert not again.lapsed

"""A promotion that is killed after any of its steps: the next command leaves ledger and registry in one state."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from promoter import Promoters
from registry_helpers import Run, make_run

from perennial.core.home import Home
from perennial.promotion import alias_move
from perennial.promotion.alias_move import alias_session
from perennial.registry import aliases, history, lease, tags, tracking
from perennial.registry.ledger import Action, Ledger, State
from perennial.settings.pipeline import PipelineSpec

LEASE = 1.0
STEPS = ("verify", "intend", "point", "read_back", "keep_previous", "conclude", "tidy")
EVERY_STEP = pytest.mark.soak(
    twin="tests/faults/test_promotion_kills.py::test_killed_after_each_step_the_next_command_mends[sqlite-two]"
)


@pytest.fixture
def run(tmp_path: Path, empty_database: Path, kill_spec: PipelineSpec) -> Run:
    home = Home(tmp_path / "home")
    home.mlflow.mkdir(parents=True)
    (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
    return make_run(home, kill_spec, "a" * 64)


@pytest.fixture
def kill_spec() -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {
                "source": {"type": "file", "path": "*"},
                "labels": ["negative", "neutral", "positive", "very good"],
            },
            "gates": [{"metric": "accuracy", "min": 0.8}],
        }
    )


@pytest.fixture
def promoters(request: pytest.FixtureRequest, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Promoters]:
    if request.param == "postgresql":
        monkeypatch.setenv("PERENNIAL_DATABASE_URL", request.getfixturevalue("new_postgres")())
    else:
        monkeypatch.delenv("PERENNIAL_DATABASE_URL", raising=False)
    monkeypatch.setattr(lease, "SECONDS", LEASE)
    made = Promoters(run.home)
    yield made
    made.end()


def state(run: Run) -> tuple[str | None, str | None, str | None]:
    """Champion by the registry, champion by the ledger, and `previous`."""
    known = history.moves(Ledger.open(run.home).entries("news"))
    with tracking.session(run.home) as client:
        now, before = (aliases.version_of(client, run.home, "news", name) for name in ("champion", "previous"))
    return (now and str(now.version), known[-1].to_version if known else None, before and str(before.version))


@pytest.mark.parametrize(
    ("promoters", "steps"),
    [
        ("sqlite", ("intend", "keep_previous")),
        pytest.param("sqlite", STEPS, marks=EVERY_STEP),
        pytest.param("postgresql", STEPS, marks=EVERY_STEP),
    ],
    ids=["sqlite-two", "sqlite", "postgresql"],
    indirect=["promoters"],
)
def test_killed_after_each_step_the_next_command_mends(run: Run, promoters: Promoters, steps: tuple[str, ...]) -> None:
    champion = run.register().version
    assert promoters.ask({"model": "news", "version": champion, "against": None, "lease": LEASE}) == [True]
    other = make_run(run.home, run.spec, "b" * 64, bias=1.0).register().version
    for step in steps:
        job = {"model": "news", "version": other, "against": champion, "lease": LEASE}
        assert promoters.ask({**job, "die_after": step}) == [None]
        moved = step not in ("verify", "intend")
        if moved:
            with alias_session(run.home, "news"):
                pass
            champion, other = other, champion
        else:
            # The next command on the model is the same one, again: it mends first, and then promotes.
            assert promoters.ask(job) == [True]
            champion, other = other, champion
        assert state(run) == (champion, champion, other), step
        book = Ledger.open(run.home)
        assert book.open_intents() == []
        last = book.last_move("news")
        assert last
        assert (last.action, last.state) == (Action.PROMOTE, State.DONE)
        with tracking.session(run.home) as client:
            assert client.get_model_version("news", champion).tags[tags.STATUS] == tags.PROMOTED
    entries = Ledger.open(run.home).entries("news")
    assert [move.action for move in history.moves(entries)] == [Action.PROMOTE] * (len(steps) + 1)
    assert sum(entry.state is State.ABANDONED for entry in entries) == 1, "killed between intent and alias"
    found = history.ledger_events(entries)
    assert all(
        later.from_version == earlier.to_version
        for earlier, later in itertools.pairwise(found)
        if later.state is State.DONE and earlier.state is State.DONE
    )


def test_steps_are_those_of_a_move() -> None:
    """So that no new step goes untested."""
    assert set(STEPS) | {"is_expected"} <= set(alias_move.move.__code__.co_names)

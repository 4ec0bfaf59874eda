"""Many processes promote different candidates at once: one wins, the others learn that they were judged in vain."""

import os
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from promoter import Promoters
from registry_helpers import Run, free_port, make_run, start, stop

from perennial.core.home import Home
from perennial.registry import aliases, history, tracking
from perennial.registry.ledger import Action, Ledger, State
from perennial.settings.pipeline import PipelineSpec

MODEL = "news"
SPEC = {
    "name": MODEL,
    "kind": "text-classification",
    "data": {"source": {"type": "file", "path": "*"}, "labels": ["negative", "neutral", "positive", "very good"]},
    "gates": [{"metric": "accuracy", "min": 0.8}],
}
# RACE_ROUNDS=200 is the long race, on two cores half an hour and more for twenty processes.
LONG = int(os.environ.get("RACE_ROUNDS", "0"))
# Where ledger and MLflow are, processes, rounds. Two are the hardest to tell apart, so they race longest; twenty take
# seconds a round on two cores, and so does a server.
LONG_RACE = pytest.mark.soak(twin="tests/faults/test_promotion_races.py::test_exactly_one_wins_each_round[sqlite-3-5]")
RACES = [
    ("sqlite", 3, 5),
    *(
        pytest.param(*race, marks=LONG_RACE)
        for race in [
            ("sqlite", 2, LONG or 20),
            ("sqlite", 20, LONG or 2),
            ("postgresql", 2, LONG or 20),
            ("postgresql", 20, LONG or 2),
            ("server", 2, LONG or 4),
        ]
    ),
]


@pytest.fixture
def make_place(
    tmp_path: Path, empty_database: Path, new_postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Home]]:
    """Makes a home: SQLite for all, PostgreSQL for all, or an MLflow server on PostgreSQL and the ledger beside it."""
    servers = []

    def make(kind: str) -> Home:
        home = Home(tmp_path / "home")
        home.mlflow.mkdir(parents=True)
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
            monkeypatch.delenv(name, raising=False)
        if kind == "sqlite":
            (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
            return home
        monkeypatch.setenv("PERENNIAL_DATABASE_URL", new_postgres())
        if kind == "postgresql":
            monkeypatch.setenv("MLFLOW_TRACKING_URI", new_postgres())
            return home
        port = free_port()
        place = ["--backend-store-uri", new_postgres(), "--artifacts-destination", str(tmp_path / "files")]
        servers.append(start(["server", *place, "--workers", "2"], port, tmp_path / "log"))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        return home

    yield make
    for server in servers:
        stop(server)


def candidates(run: Run, count: int) -> list[str]:
    """Versions with one and the same package: what is in them does not matter to a race."""
    first = run.register().version
    with tracking.session(run.home) as client:
        known = client.get_model_version(MODEL, first)
        # A server names the model only in the source.
        model_id = known.model_id or known.source.removeprefix("models:/")
        made = [
            client.create_model_version(MODEL, known.source, run_id=known.run_id, tags=known.tags, model_id=model_id)
            for _ in range(count - 1)
        ]
    return [first, *(str(version.version) for version in made)]


@pytest.mark.parametrize(("kind", "processes", "rounds"), RACES)
def test_exactly_one_wins_each_round(make_place: Callable[[str], Home], kind: str, processes: int, rounds: int) -> None:
    home = make_place(kind)
    run = make_run(home, PipelineSpec.model_validate(SPEC), "a" * 64)
    pairs = list(zip(*[iter(candidates(run, 2 * processes))] * 2, strict=True))
    promoters = Promoters(home)
    champion: str | None = None
    winners = []
    try:
        for _ in range(rounds):
            jobs = [
                {"model": MODEL, "version": next(name for name in pair if name != champion), "against": champion}
                for pair in pairs
            ]
            answers = promoters.ask(*jobs)
            assert sorted(answers, key=str) == [False] * (processes - 1) + [True]
            champion = jobs[answers.index(True)]["version"]
            winners.append(champion)
    finally:
        promoters.end()
    entries = Ledger.open(home).entries(MODEL)
    moves = history.moves(entries)
    assert [move.to_version for move in moves] == winners
    assert all(later.from_version == earlier.to_version for earlier, later in pairwise(moves))
    assert {(entry.action, entry.state) for entry in entries} == {
        (Action.PROMOTE, State.INTENT),
        (Action.PROMOTE, State.DONE),
    }
    tokens = [entry.token or 0 for entry in entries]
    assert tokens == sorted(tokens)
    with tracking.session(home) as client:
        now, before = (aliases.version_of(client, home, MODEL, name) for name in (aliases.CHAMPION, aliases.PREVIOUS))
    assert (str(now.version), str(before.version)) == (winners[-1], winners[-2])

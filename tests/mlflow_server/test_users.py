"""Worker and model server have users of their own, who can do what they need and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from place import Place, assert_explained, free_port
from tracking_server import MODEL_SERVER, SECRETS, SPEC, WORKER, Settings, Team, serving

from perennial.core.errors import RegistryError
from perennial.registry import aliases, tracking

MODEL = "questions"
THEIRS = SPEC.model_copy(update={"name": MODEL})


@pytest.fixture
def other(tmp_path: Path, team: Team) -> Iterator[Place]:
    with patch.dict("os.environ", team.client(MODEL_SERVER)):
        yield Place(tmp_path / "other", None)


def test_the_worker_makes_and_promotes_a_model_and_the_model_server_only_reads_it(
    team: Team, other: Place, tmp_path: Path
) -> None:
    assert team.train(Place(tmp_path / "worker", None), "a", None, WORKER, THEIRS) == "1"
    champion = aliases.champion(MODEL, other.home)
    assert champion is not None
    assert champion.version == "1"
    refused = "does not let the user 'model-server' do that"
    with pytest.raises(RegistryError, match=refused), tracking.session(other.home) as client:
        client.set_registered_model_alias(MODEL, "champion", "1")
    with pytest.raises(RegistryError, match=refused), tracking.session(other.home) as client:
        client.set_model_version_tag(MODEL, "1", "perennial.status", "rejected")


def test_neither_may_touch_what_others_made_nor_users(team: Team) -> None:
    for user in (WORKER, MODEL_SERVER):
        assert (
            team.server.ask("2.0/mlflow/users/create", {"username": "eve", "password": "twelve letters"}, *user) == 403
        )
        alias = {"name": SPEC.name, "alias": "champion", "version": "1"}
        assert team.server.ask("2.0/mlflow/registered-models/alias", alias, *user) == 403


@pytest.mark.soak(
    twin="tests/mlflow_server/test_users.py::"
    "test_the_worker_makes_and_promotes_a_model_and_the_model_server_only_reads_it"
)
def test_a_server_from_before_them_gives_the_worker_what_was_made_and_follows_a_changed_password(
    tmp_path: Path,
) -> None:
    settings = Settings(tmp_path, SECRETS | {"MLFLOW_PORT": str(free_port())})
    with serving(settings) as server:
        assert server.ask("2.0/mlflow/experiments/create", {"name": "old"}) == 200
        assert server.ask("2.0/mlflow/registered-models/create", {"name": "old"}) == 200
    tag = {"name": "old", "key": "colour", "value": "green"}
    for password in ("the first of its passwords", "the second of its passwords"):
        with serving(settings.but(PERENNIAL_MLFLOW_WORKER_PASSWORD=password)) as server:
            assert server.ask("2.0/mlflow/registered-models/set-tag", tag, "worker", password) == 200
            experiment = {"experiment_id": "1", "key": "colour", "value": "green"}
            assert server.ask("2.0/mlflow/experiments/set-experiment-tag", experiment, "worker", password) == 200
            assert password not in server.log.read_text()
    short = settings.but(PERENNIAL_MLFLOW_WORKER_PASSWORD="short").script("start.sh")
    assert_explained(short, 1, "PERENNIAL_MLFLOW_WORKER_PASSWORD", "12")

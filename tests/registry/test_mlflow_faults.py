"""MLflow that answers with errors, or late, in every phase: nothing is promoted, and it can be finished later."""

import os
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faulty_proxy
import pytest
from faulty_proxy import Proxy
from place import Place, assert_explained
from registry_helpers import Run, make_run

from perennial.core.errors import RegistryError
from perennial.promotion import conclusion, reconciliation, transfer
from perennial.records.run import Status
from perennial.registry import aliases, database, history, lease, tags, tracking
from perennial.registry.ledger import Ledger

ALIAS = "/registered-models/alias"
MOVE = f"POST /api/2.0/mlflow{ALIAS}"
EVERY_REQUEST = pytest.mark.soak(
    twin="tests/registry/test_mlflow_faults.py::test_errors_from_any_request_of_a_promotion_on[three]"
)
ONCE = tracking.Patience(seconds=30, retries=0)
# FAULT_SECONDS=30 waits as long as the library does by itself; it takes some minutes.
HASTY = tracking.Patience(seconds=int(os.environ.get("FAULT_SECONDS", "2")), retries=0)
LATE = HASTY.seconds + 0.5
"""Seconds; longer than a hasty client waits."""


@pytest.fixture
def proxy(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """All go through it; leases that are left to lapse do so soon."""
    with faulty_proxy.before(server) as made:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", made.address)
        monkeypatch.setattr(lease, "SECONDS", 1.0)
        yield made


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "WORKING", ONCE)


def placed(run: Run) -> str | None:
    with tracking.session(run.home) as client:
        found = aliases.version_of_champion(client, run.home, run.spec.name)
    return str(found.version) if found else None


def assert_finished(run: Run, version: str) -> None:
    """`perennial promote` finishes it, and ledger, alias and tags agree."""
    ended = conclusion.finish(run.home, run.spec.name, version)
    assert (ended.status, ended.champion, placed(run)) == (Status.PROMOTED, version, version)
    book = Ledger.open(run.home)
    assert history.unfinished(book.entries(run.spec.name)) is None
    assert reconciliation.disagreement(run.home, run.spec.name) is None
    with tracking.session(run.home) as client:
        assert client.get_model_version(run.spec.name, version).tags[tags.STATUS] == tags.PROMOTED


def refusal(run: Run, version: str) -> RegistryError | None:
    """What kept `version` from being promoted; None: nothing."""
    try:
        conclusion.finish(run.home, run.spec.name, version)
    except RegistryError as error:
        return error
    return None


@dataclass(frozen=True)
class Moment:
    """Ledger and registry as they were before a promotion."""

    run: Run
    version: str
    ledger: Path
    tags: Mapping[str, str]
    version_tags: Mapping[str, str]

    @classmethod
    def of_registered(cls, run: Run, version: str, folder: Path) -> "Moment":
        with tracking.session(run.home) as client:
            model_tags = dict(client.get_registered_model(run.spec.name).tags)
            version_tags = dict(client.get_model_version(run.spec.name, version).tags)
        copy_database(run.home.root / database.FILE, folder / "ledger-before.db")
        return cls(run, version, folder / "ledger-before.db", model_tags, version_tags)

    def restore(self) -> None:
        name = self.run.spec.name
        copy_database(self.ledger, self.run.home.root / database.FILE)
        with tracking.session(self.run.home) as client:
            for alias in client.get_registered_model(name).aliases:
                client.delete_registered_model_alias(name, alias)
            for tag in set(client.get_registered_model(name).tags) - set(self.tags):
                client.delete_registered_model_tag(name, tag)
            for tag, value in self.tags.items():
                client.set_registered_model_tag(name, tag, value)
            for tag, value in self.version_tags.items():
                client.set_model_version_tag(name, self.version, tag, value)


def copy_database(source: Path, target: Path) -> None:
    """What the SQLite database `source` holds into `target`, which others may have open."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def assert_honest(error: RegistryError, proxy: Proxy) -> None:
    """Either the champion is untouched, or nobody can know; and nobody can once it was asked to move."""
    doubtful = "moved" in error.problem
    assert ("untouched" in error.problem) != doubtful, error.problem
    assert doubtful or not any(seen.startswith(MOVE) for seen in proxy.seen), error.problem
    assert error.remedy


def different(names: list[str], three: bool) -> list[int]:
    """The first request of each kind, and all from right before the move on; or three: first, move, last."""
    move = next(number for number, name in enumerate(names) if name.startswith(MOVE))
    if three:
        return [0, move, len(names) - 1]
    kinds = [re.split(r"[?]|(?<=artifacts)/", name)[0] for name in names]
    return sorted({kinds.index(kind) for kind in kinds} | set(range(move - 1, len(names))))


@pytest.mark.parametrize("some", ["three", pytest.param("all", marks=EVERY_REQUEST)])
def test_errors_from_any_request_of_a_promotion_on(
    proxy: Proxy, run: Run, once: None, some: str, tmp_path: Path
) -> None:
    """From the first, the second, the third … request on, all are answered with 500."""
    version = run.register().version
    before = Moment.of_registered(run, version, tmp_path)
    proxy.heal()
    assert refusal(run, version) is None
    names = list(proxy.seen)
    before.restore()
    for first in different(names, three=some == "three"):
        proxy.spoil(lambda number, _, first=first: number >= first)
        caught = refusal(run, version)
        if caught is None:
            assert len(proxy.seen) <= first, "nothing was answered with 500"
            break
        assert_honest(caught, proxy)
        assert any(words in caught.problem for words in ("HTTP status 500", "can't be downloaded", "can't be had"))
        proxy.heal()
        if "untouched" in caught.problem:
            assert placed(run) is None
        else:
            assert_finished(run, version)
            before.restore()
    proxy.heal()
    assert_finished(run, version)


ONCE_LATE = pytest.mark.soak(twin="tests/registry/test_mlflow_faults.py::test_answers_that_come_too_late")


@pytest.mark.parametrize(
    ("phase", "moved"),
    [
        pytest.param(f"GET /api/2.0/mlflow{ALIAS}", False, marks=ONCE_LATE),
        pytest.param("GET /api/2.0/mlflow/model-versions/get-download-uri", False, marks=ONCE_LATE),
        (MOVE, True),
        pytest.param("POST /api/2.0/mlflow/model-versions/set-tag", True, marks=ONCE_LATE),
    ],
    ids=["read the champion", "fetch the package", "move the alias", "conclude"],
)
def test_answers_that_come_too_late(
    proxy: Proxy, run: Run, monkeypatch: pytest.MonkeyPatch, phase: str, moved: bool
) -> None:
    """The server does what it is asked to, but the client has stopped waiting by then."""
    version = run.register().version
    proxy.spoil(lambda _, name: name.startswith(phase), delay=LATE)
    with monkeypatch.context() as patch:
        patch.setattr(tracking, "WORKING", HASTY)
        with pytest.raises(RegistryError, match="did not answer in time") as caught:
            conclusion.finish(run.home, run.spec.name, version)
    assert_honest(caught.value, proxy)
    proxy.heal()
    assert placed(run) == (version if moved else None)
    assert_finished(run, version)


@pytest.mark.parametrize("delay", [None, LATE], ids=["500", "late"])
def test_a_champion_that_can_not_be_asked_for_is_not_none(
    proxy: Proxy, run: Run, monkeypatch: pytest.MonkeyPatch, delay: float | None
) -> None:
    """Neither the question for the alias, nor the one whether there is such a model at all."""
    proxy.heal()
    assert aliases.champion(run.spec.name, run.home) is None
    questions = range(len(proxy.seen))
    assert len(questions) == 2
    monkeypatch.setattr(tracking, "WORKING", HASTY)
    for question in questions:
        proxy.spoil(lambda number, _, question=question: number == question, delay=delay)
        with pytest.raises(RegistryError, match="can't be used"):
            aliases.champion(run.spec.name, run.home)


def test_errors_while_registering(proxy: Proxy, run: Run, once: None) -> None:
    """The next registration finishes what was begun, and nothing is there twice."""
    phases = ("runs/create", "runs/log-batch", "mlflow-artifacts/", "logged-models", "model-versions/create")
    for letter, phase in zip("abcde", phases, strict=True):
        made = make_run(run.home, run.spec, letter * 63 + "0", bias=float(ord(letter)))
        proxy.spoil(lambda _, name, phase=phase: phase in name and not name.startswith("GET"))
        with pytest.raises(RegistryError, match=r"can't be used.*500.*untouched"):
            made.register()
        proxy.heal()
        made.register()
    with tracking.session(run.home) as client:
        found = client.search_model_versions(f"name = '{run.spec.name}'")
        experiment = client.get_experiment_by_name(run.spec.name).experiment_id
        assert len(found) == len(client.search_runs([experiment])) == len(phases)
    assert placed(run) is None


@pytest.mark.soak(twin="tests/registry/test_mlflow_faults.py::test_errors_while_registering")
def test_a_target_that_fails_while_a_version_arrives(proxy: Proxy, run: Run, once: None) -> None:
    """Staging is the home's database; production fails in each phase in turn, and the same command goes on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI")
        version = run.register().version
        phases = ("GET /api/2.0/mlflow" + ALIAS, "PUT ", "POST /api/2.0/mlflow/model-versions/create", MOVE)
        for phase in phases:
            proxy.spoil(lambda _, name, phase=phase: name.startswith(phase))
            with pytest.raises(RegistryError, match=r"At the target, http://127.0.0.1") as caught:
                transfer.transfer(run.home, run.spec.name, version, to=proxy.address)
            assert_honest(caught.value, proxy)
            assert proxy.chosen(0, phase)
        proxy.heal()
        ended = transfer.transfer(run.home, run.spec.name, version, to=proxy.address)
        assert (ended.status, ended.version) == (Status.PROMOTED, "1")
    assert placed(run) == "1"


@pytest.mark.soak(twin="tests/registry/test_mlflow_faults.py::test_errors_while_registering")
def test_a_run_that_mlflow_kept_from_ending_is_finished_without_training(
    proxy: Proxy, first_run: tuple[Place, Any], prefect_api: str, tmp_path: Path, once: None
) -> None:
    """The command line in every phase: exit code 1, one clear paragraph, nothing promoted, nothing trained again."""
    place = Place(tmp_path / "place", prefect_api)
    shutil.copytree(first_run[0].folder / "pipelines", place.folder / "pipelines")
    for part in ("store", "state"):
        shutil.copytree(first_run[0].home.root / part, place.home.root / part)
    trained = place.entries("finetune")
    for phase in (f"GET /api/2.0/mlflow{ALIAS}", "POST /api/2.0/mlflow/model-versions/create", MOVE):
        proxy.spoil(lambda _, name, phase=phase: name.startswith(phase))
        ended = place.run()
        assert_explained(ended, 1, "can't be used", "HTTP status 500", "champion")
        assert any(seen.startswith(phase) for seen in proxy.seen)
        proxy.heal()
        assert place.champion() is None
    ended = place.command("promote", "tiny", "1", "--json")
    assert (ended.code, ended.json["status"], place.champion()) == (0, "promoted", "1"), ended.text
    assert place.entries("finetune") == trained

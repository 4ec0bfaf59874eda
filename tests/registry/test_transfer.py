"""From staging to production: a version copied with its evidence, and promoted there like any other candidate."""

from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place, assert_explained, flip
from promoting import promote
from registry_helpers import Run, answering, free_port, make_run, note_status, promoted

from perennial.core.errors import RegistryError, SpecError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.promotion import alias_move, approval, conclusion, registration, smoke_test, transfer
from perennial.promotion.transfer import Transferred
from perennial.records.decision import Outcome
from perennial.records.run import Status
from perennial.registry import aliases, history, lease, tags, tracking
from perennial.registry.ledger import Action, Ledger, State
from perennial.registry.versions import candidate, evidence_of, package

FILES = {"decision.json", "evaluation.json", "evidence.json", "validation"}


class Target:
    """Where versions of a run's model are taken to: another server, or another name beside it."""

    def __init__(self, run: Run, address: str | None) -> None:
        self.to = address
        self.home = run.home.with_mlflow_at(address) if address else run.home
        self.model = run.spec.name if address else f"{run.spec.name}-live"
        self.spec = run.spec.model_copy(update={"name": self.model})

    def bring(self, run: Run, version: str) -> Transferred:
        return transfer.transfer(run.home, run.spec.name, version, to=self.to, name=None if self.to else self.model)

    def champion(self) -> str | None:
        with tracking.session(self.home) as client:
            found = aliases.version_of_champion(client, self.home, self.model)
        return str(found.version) if found else None

    def versions(self) -> list[Any]:
        with tracking.session(self.home) as client:
            found = client.search_model_versions(f"name = '{self.model}'")
            # A search leaves the aliases out.
            return [client.get_model_version(self.model, version.version) for version in reversed(found)]

    def moves(self) -> list[history.Event]:
        return history.moves(Ledger.open(self.home).entries(self.model))


@pytest.fixture(params=["name", "server"])
def target(request: pytest.FixtureRequest, run: Run) -> Target:
    return Target(run, request.getfixturevalue("server") if request.param == "server" else None)


@pytest.fixture
def beside(run: Run) -> Target:
    """Another name in the same registry: the quickest target."""
    return Target(run, None)


def second(run: Run, against: str | None, key: str = "b") -> Run:
    made = make_run(run.home, run.spec, key * 64, bias=float(ord(key))).judged(Outcome.PROMOTE, against)
    evaluation = made.arguments["evaluation"].model_copy(update={"champion_version": against})
    return made.but(evaluation=evaluation)


def test_a_version_arrives_whole_and_serves(target: Target, run: Run) -> None:
    version = promoted(run)
    with tracking.session(run.home) as client:
        before = client.get_model_version(run.spec.name, version)
    ended = target.bring(run, version)
    assert (ended.status, ended.model, ended.version, ended.champion) == (Status.PROMOTED, target.model, "1", "1")
    (found,) = target.versions()
    kept = (tags.RUN_KEY, tags.DATA_DIGEST, tags.PACKAGE_DIGEST, tags.PRECISION, tags.DECISION, tags.SPLITS)
    assert {name: found.tags[name] for name in kept} == {name: before.tags[name] for name in kept}
    assert (found.tags[tags.STATUS], found.tags[tags.CHAMPION_AT_DECISION]) == (tags.PROMOTED, tags.NO_CHAMPION)
    assert found.tags[tags.ORIGIN] == ended.origin
    assert f"version {version} of {run.spec.name} at sqlite:///" in ended.origin
    assert found.description.splitlines()[0] == before.description.splitlines()[0]
    assert found.run_id != before.run_id, "each registry has its own, and needs no other"
    with tracking.session(target.home) as client:
        assert {item.path for item in client.list_artifacts(found.run_id)} >= FILES
        stored = evidence_of(client, target.home, candidate(client, target.home, target.model, "1"))
    assert stored.spec == target.spec
    assert stored.evidence.package.digest == run.arguments["package"].digest
    assert stored.evidence.decision.digest == found.tags[tags.DECISION_DIGEST]
    other = Home(run.home.root.parent / "another machine").with_mlflow_at(tracking.uri(target.home))
    champion = package(other, target.model)
    assert Predictor(other.store.root / champion.path, digest=champion.package_digest).predict(["soup"])
    (move,) = target.moves()
    assert (move.action, move.from_version, move.to_version, move.decision_digest) == (
        Action.PROMOTE, None, "1", found.tags[tags.DECISION_DIGEST],
    )  # fmt: skip
    assert move.reason == f"Copied from {ended.origin}."
    again = target.bring(run, version)
    assert (again.status, "there already" in again.reasons[0]) == (Status.PROMOTED, True)
    assert len(target.versions()) == len(target.moves()) == 1, "it is not copied twice"


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_the_champion_is_known_by_its_package_not_by_its_number(run: Run, server: str) -> None:
    """Numbers differ between registries; the bytes that a candidate was judged against don't."""
    first, target = promoted(run), Target(run, server)
    # A number that is taken there, so that the same champion is called 2.
    stranger = make_run(run.home, target.spec, "e" * 64, bias=5.0)
    Run(stranger.spec, target.home, stranger.arguments).register()
    assert target.bring(run, first).version == "2"
    later = promoted(second(run, first))
    ended = target.bring(run, later)
    assert (ended.status, ended.version) == (Status.PROMOTED, "3")
    assert target.versions()[-1].tags[tags.CHAMPION_AT_DECISION] == "2"
    assert [(move.from_version, move.to_version) for move in target.moves()] == [(None, "2"), ("2", "3")]


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_another_champion_of_the_same_number_is_another(beside: Target, run: Run) -> None:
    """Without its data it can't be judged again, so it is held, and promoted by nobody."""
    first = promoted(run)
    stranger = make_run(run.home, beside.spec, "e" * 64, bias=5.0)
    there = Run(stranger.spec, beside.home, stranger.arguments).register()
    assert promote(beside.home, there)
    assert there.version == first == "1"
    later = promoted(second(run, first))
    for _ in range(2):
        ended = beside.bring(run, later)
        assert (ended.status, ended.version, ended.champion) == (Status.HELD, "2", "1")
        assert "another one than the candidate was judged against" in " ".join(ended.reasons)
        assert "where it was trained" in " ".join(ended.reasons)
    assert beside.champion() == "1"
    found = beside.versions()[-1].tags
    assert (found[tags.DECISION], found[tags.CHAMPION_AT_DECISION]) == ("HOLD", tags.UNJUDGED)
    with pytest.raises(RegistryError, match="its run came to HOLD"):
        conclusion.finish(beside.home, beside.model, "2")


class Killed(BaseException):
    """As Ctrl-C, this is no Exception."""


def killed(*_: object, **__: object) -> None:
    raise Killed


SOAK = pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_killed_copy_is_taken_up")


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("MlflowClient.log_model_artifacts", marks=SOAK),
        pytest.param("MlflowClient.create_model_version", marks=SOAK),
        pytest.param("smoke.check", marks=SOAK),
        pytest.param("guard.intend", marks=SOAK),
        "guard.point",
    ],
)
def test_a_killed_copy_is_taken_up(beside: Target, run: Run, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    monkeypatch.setattr(lease, "SECONDS", 1.0)
    version = promoted(run)
    owner, name = where.split(".")
    with monkeypatch.context() as patch:
        patch.setattr({"MlflowClient": MlflowClient, "smoke": smoke_test, "guard": alias_move}[owner], name, killed)
        with pytest.raises(Killed):
            beside.bring(run, version)
    ended = beside.bring(run, version)
    assert (ended.status, ended.champion, beside.champion()) == (Status.PROMOTED, "1", "1")
    (found,) = beside.versions()
    assert found.tags[tags.STATUS] == tags.PROMOTED
    book = Ledger.open(beside.home)
    assert book.open_intents() == []
    assert [move.to_version for move in beside.moves()] == ["1"]
    with tracking.session(beside.home) as client:
        experiment = client.get_experiment_by_name(beside.model).experiment_id
        models = client.search_logged_models([experiment])
    assert len([model for model in models if str(model.status) == "READY"]) == 1


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
@pytest.mark.parametrize("name", ["model.onnx", "package.json"])
def test_what_was_changed_in_the_sources_storage_is_not_sent(beside: Target, run: Run, name: str) -> None:
    version = promoted(run)
    # This machine has the package whole.
    package(run.home, run.spec.name, version)
    (file,) = (run.home.mlflow / "artifacts").rglob(f"package/{name}")
    flip(file)
    with pytest.raises(RegistryError, match=r"At the source, .*package of version 1 .*can't be used.*untouched"):
        beside.bring(run, version)
    assert beside.champion() is None
    with tracking.session(run.home) as client:
        assert not client.search_registered_models(f"name = '{beside.model}'")


def test_what_was_changed_on_its_way_is_not_promoted(beside: Target, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    version, real = promoted(run), registration.register

    def changed(*given: Any) -> Any:
        made = real(*given)
        (file,) = (run.home.mlflow / "artifacts" / beside.model).rglob("package/model.onnx")
        flip(file)
        return made

    monkeypatch.setattr(registration, "register", changed)
    with pytest.raises(RegistryError, match=r"At the target, .*package of version 1 .*-live can't be used.*untouched"):
        beside.bring(run, version)
    assert beside.champion() is None
    assert beside.moves() == []


def test_a_tag_that_names_another_package_is_refused(beside: Target, run: Run) -> None:
    version = promoted(run)
    with tracking.session(run.home) as client:
        client.set_model_version_tag(run.spec.name, version, tags.PACKAGE_DIGEST, "9" * 64)
    with pytest.raises(RegistryError, match=r"At the source, .*not what was judged: its tags name another package"):
        beside.bring(run, version)


def test_a_tag_that_names_another_decision_is_ignored(beside: Target, run: Run) -> None:
    version = promoted(run)
    with tracking.session(run.home) as client:
        client.set_model_version_tag(run.spec.name, version, tags.DECISION_DIGEST, "9" * 64)
    assert beside.bring(run, version).status is Status.PROMOTED


def test_evidence_of_another_decision_is_refused(beside: Target, run: Run) -> None:
    version = promoted(run)
    (file,) = run.home.mlflow.rglob("evidence.json")
    file.write_text(file.read_text(encoding="utf-8").replace("2" * 64, "9" * 64), encoding="utf-8")
    with pytest.raises(RegistryError, match=r"At the source, .*was changed since it was registered"):
        beside.bring(run, version)


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (Outcome.REJECT, tags.REJECTED, "was rejected"),
        (Outcome.HOLD, tags.HELD, "came to HOLD"),
        (Outcome.PROMOTE, tags.PARKED, "perennial approve"),
    ],
)
def test_only_what_passed_is_taken(beside: Target, run: Run, outcome: Outcome, status: str, words: str) -> None:
    version = run.judged(outcome, None).register()
    note_status(run.home, version, status)
    with pytest.raises(RegistryError, match=words):
        beside.bring(run, version.version)
    with pytest.raises(RegistryError, match="no version 7"):
        beside.bring(run, "7")


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_what_was_rejected_or_replaced_there_does_not_come_back(beside: Target, run: Run) -> None:
    first = promoted(run)
    beside.bring(run, first)
    beside.bring(run, promoted(second(run, first)))
    with pytest.raises(RegistryError, match=r"was champion before.*perennial rollback"):
        beside.bring(run, first)
    third = second(run, "2", "c").register().version
    with tracking.session(run.home) as client:
        client.set_registered_model_alias(run.spec.name, "champion", first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alias_move, "is_expected", lambda *_: False)
        assert beside.bring(run, third).status is Status.HELD
    approval.reject(beside.home, beside.model, "3", "too rude")
    with pytest.raises(RegistryError, match="was rejected"):
        beside.bring(run, third)
    assert beside.champion() == "2"


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_a_champion_that_changes_while_it_is_copied_holds_it(
    beside: Target, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = promoted(run)
    other = Run(beside.spec, run.home, make_run(run.home, beside.spec, "e" * 64, bias=5.0).arguments).register()
    real = smoke_test.check

    def slow(*given: Any, **named: Any) -> None:
        real(*given, **named)
        with tracking.session(run.home) as client:
            client.set_registered_model_alias(beside.model, "champion", other.version)

    monkeypatch.setattr(smoke_test, "check", slow)
    ended = beside.bring(run, version)
    assert (ended.status, ended.champion) == (Status.HELD, other.version)
    assert "changed meanwhile: it is version 1 now" in ended.reasons[0]
    assert Ledger.open(run.home).entries(beside.model)[-1].state is State.DONE


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_where_a_person_decides_it_is_parked(beside: Target, run: Run) -> None:
    spec = run.spec.model_copy(update={"registry": run.spec.registry.model_copy(update={"approval": "required"})})
    version = promoted(Run(spec, run.home, run.arguments))
    for _ in range(2):
        ended = beside.bring(run, version)
        assert (ended.status, ended.champion) == (Status.HELD, None)
        assert f"perennial approve {beside.model} 1" in " ".join(ended.reasons)
    assert approval.approve(beside.home, beside.model).status is Status.PROMOTED
    assert beside.champion() == "1"


def test_either_side_that_fails_is_named_without_its_password(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    version = promoted(run)
    monkeypatch.setattr(tracking, "WORKING", tracking.Patience(seconds=1, retries=0))
    closed = f"http://ann:hunter2@127.0.0.1:{free_port()}"

    def refused(to: str) -> str:
        with pytest.raises(RegistryError) as caught:
            transfer.transfer(run.home, run.spec.name, version, to=to)
        assert "hunter2" not in str(caught.value)
        return str(caught.value)

    assert "At the target, http://127.0.0.1" in (said := refused(closed))
    assert "connection refused" in said
    assert "correct --to" in said
    with answering(500, b"oops") as address:
        assert "HTTP status 500" in refused(address.replace("//", "//ann:hunter2@"))
    with answering(200, b"{}", "application/json", delay=3) as address:
        assert "did not answer in time" in refused(address)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", closed)
    assert "At the source, http://127.0.0.1" in (said := refused("sqlite:////tmp/elsewhere.db"))
    assert "MLFLOW_TRACKING_URI" in said


def test_a_target_is_an_address_or_a_variable_with_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCTION", "https://ann:hunter2@mlflow.example")
    monkeypatch.setenv("EMPTY", "")
    assert transfer.address(home, "PRODUCTION") == "https://ann:hunter2@mlflow.example"
    assert "hunter2" not in repr(home.with_mlflow_at(transfer.address(home, "PRODUCTION")))
    wrong = {
        "EMPTY": "holds no address",
        "NOWHERE": "no environment variable",
        "ftp://ann:hunter2@x": r"ftp://\*\*\*@x is no MLflow",
        "sqlite:////somewhere/.perennial/mlflow/mlflow.db": "another home",
    }
    for to, words in wrong.items():
        with pytest.raises(SpecError, match=words):
            transfer.address(home, to)


def test_nowhere_to_go_is_wrong_usage(run: Run) -> None:
    for to, name in ((None, run.spec.name), (tracking.uri(run.home), None)):
        with pytest.raises(SpecError, match="already"):
            transfer.transfer(run.home, run.spec.name, "1", to=to, name=name)


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_another_database_is_another_registry(run: Run, tmp_path: Path, empty_database: Path) -> None:
    version, file = promoted(run), tmp_path / "live.db"
    file.write_bytes(empty_database.read_bytes())
    target = Target(run, f"sqlite:///{file}")
    assert target.bring(run, version).status is Status.PROMOTED
    assert target.champion() == "1"


@pytest.mark.soak(twin="tests/registry/test_transfer.py::test_a_version_arrives_whole_and_serves")
def test_judged_again_against_the_champion_of_production(seasoned: Place, server: str) -> None:
    """Two real candidates: the later one serves in production when the earlier one, judged against none, arrives."""
    tiny_pipeline.write_jsonl(seasoned.data / "second.jsonl", tiny_pipeline.rows(60, 1000))
    assert seasoned.run("--json").json["version"] == "2"
    away = ("--to", "PRODUCTION", "--as", "tiny-live")
    live = {"PRODUCTION": server}
    first = seasoned.command("promote", "tiny", "2", *away, "--json", **live)
    assert (first.code, first.json["status"], first.json["target"]) == (0, "promoted", server), first.text
    ended = seasoned.command("promote", "tiny", "1", *away, **live)
    assert ended.code in (0, 4), ended.text
    assert_explained(ended, ended.code, "it was version 1 of tiny at", f"At {server}")
    there = seasoned.home.with_mlflow_at(server)
    with tracking.session(there) as client:
        found = client.get_model_version("tiny-live", "2").tags
        champion = aliases.version_of_champion(client, there, "tiny-live")
    assert found[tags.CHAMPION_AT_DECISION] == "1", "judged against the champion there"
    assert str(champion.version) == ("2" if ended.code == 0 else "1")
    assert_explained(seasoned.command("promote", "tiny", "1", "--as", "tiny"), 2, "already")

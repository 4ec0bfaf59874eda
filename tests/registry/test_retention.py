import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from promoting import promote
from registry_helpers import LABELS, Run, free_port, make_run, mlflow_server, note_status, promoted

from perennial.core.errors import BusyError, DisagreementError, PerennialError, RegistryError, SpecError, StoreError
from perennial.core.home import Home
from perennial.evaluation.report import run_report
from perennial.promotion import retention, retention_versions, rollback, session
from perennial.promotion.retention import Cleared
from perennial.promotion.retention_versions import OldVersion, Policy
from perennial.records.decision import Outcome
from perennial.records.run import RegisteredVersion
from perennial.registry import aliases, history, tags, tracking, versions
from perennial.registry.ledger import Action, Ledger
from perennial.runs.lock import nothing_running, one_at_a_time
from perennial.settings.pipeline import PipelineSpec

OLD = time.time() - 3 * 86400
ONE = Policy(keep=1, keep_days=0)


@dataclass(frozen=True)
class Model:
    """A model whose versions 1 and 2 were champion, 3 is, and 4 was held. All that is stored is three days old."""

    run: Run

    @property
    def home(self) -> Home:
        return self.run.home

    @property
    def name(self) -> str:
        return self.run.spec.name

    def clear(self, *models: str, policy: Policy = ONE, dry_run: bool = False) -> Cleared:
        return retention.clear_out(self.home, models, policy, dry_run=dry_run)

    def going(self, policy: Policy = ONE) -> list[str]:
        """The versions that would be removed."""
        return self.numbers(self.clear(policy=policy, dry_run=True))

    def numbers(self, cleared: Cleared) -> list[str]:
        return sorted(one.version for one in cleared.versions if one.model == self.name)

    def marked(self) -> list[str]:
        with tracking.session(self.home) as client:
            found = client.search_model_versions(f"name = '{self.name}'")
        return sorted(str(version.version) for version in found if tags.REMOVED in version.tags)

    def times(self, action: Action, version: str) -> int:
        entries = Ledger.open(self.home).entries(self.name)
        return [(event.action, event.to_version) for event in history.ledger_events(entries)].count((action, version))

    def entry(self, step: str, key: str) -> Path:
        return self.home.store.folder(step, key)

    def register(self, key: str, bias: float, spec: PipelineSpec | None = None) -> RegisteredVersion:
        made = make_run(self.home, spec or self.run.spec, key * 64, bias=bias)
        return made.judged(Outcome.PROMOTE, "3").register()


def make_model(run: Run) -> Model:
    model, against = Model(run), None
    for bias, key in enumerate("abe"):
        made = run if key == "a" else make_run(run.home, run.spec, key * 64, bias=float(bias))
        registered = made.judged(Outcome.PROMOTE, against).register()
        assert promote(run.home, registered)
        against = registered.version
    note_status(run.home, model.register("9", 9.0), tags.HELD)
    age(run.home)
    return model


def age(home: Home) -> None:
    for path in home.store.root.glob("*/*"):
        for inside in [*path.rglob("*"), path]:
            os.utime(inside, (OLD, OLD))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[str]:
    """A server that knows no other test's models: what any version on it was made from is needed."""
    with mlflow_server(tmp_path_factory.mktemp("server"), empty_database) as address:
        yield address


@pytest.fixture
def model(run: Run) -> Model:
    """A model of the test's own."""
    return make_model(run)


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Model:
    home = Home(tmp_path_factory.mktemp("shared"))
    home.mlflow.mkdir(parents=True)
    (home.mlflow / "mlflow.db").write_bytes(empty_database.read_bytes())
    source = {"type": "file", "path": "data/*.jsonl"}
    gates = [{"metric": "accuracy", "min": 0.8}]
    data = {"source": source, "labels": list(LABELS)}
    made = {"name": "sentiment", "kind": "text-classification", "data": data, "gates": gates}
    with pytest.MonkeyPatch.context() as environment:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "PERENNIAL_DATABASE_URL"):
            environment.delenv(name, raising=False)
        return make_model(make_run(home, PipelineSpec.model_validate(made), "a" * 64))


@pytest.fixture
def shared(_shared: Model) -> Iterator[Model]:
    """A model for tests in which nothing may be removed."""
    yield _shared
    assert _shared.marked() == []
    assert _shared.entry("export", "a" * 64).exists()


def test_only_what_is_old_and_in_no_use_goes(place: str, model: Model) -> None:
    orphan, young = model.entry("finetune", "of-nobody"), model.entry("finetune", "of-a-run-that-failed-just-now")
    orphan.mkdir(parents=True)
    age(model.home)
    young.mkdir()
    shown = model.clear(dry_run=True)
    assert model.numbers(shown) == ["1"]
    assert shown.bytes > 1000
    assert (model.marked(), orphan.exists()) == ([], True)
    cleared = model.clear()
    assert (model.numbers(cleared), model.marked()) == (["1"], ["1"])
    assert cleared.bytes == shown.bytes
    for version in ("2", "3", "4"):
        assert versions.package(model.home, model.name, version).version == version
    assert {f"store/export/{'a' * 64}", "store/finetune/of-nobody"} <= {one.path for one in cleared.places}
    assert not orphan.exists()
    assert not model.entry("export", "a" * 64).exists()
    assert young.exists()
    assert all(model.entry("export", key * 64).exists() for key in "be9")
    assert not list(model.home.store.root.glob("*/.*"))
    assert_only_the_package_is_gone(model)
    assert_refused(model)
    again = model.clear()
    assert (again.versions, again.places) == ((), ())


def assert_only_the_package_is_gone(model: Model) -> None:
    """The number, the figures and the decision of version 1 are still there."""
    assert model.times(Action.REMOVE, "1") == 1
    with tracking.session(model.home) as client:
        version = client.get_model_version(model.name, "1")
        assert version.tags[tags.DECISION] == "PROMOTE"
        assert client.get_run(version.run_id).data.metrics["accuracy"] == 0.84
        candidate = versions.candidate(client, model.home, model.name, "1")
        assert versions.evidence_of(client, model.home, candidate).spec.name == model.name
        kept = {file.path for file in client.list_artifacts(version.run_id)}
        assert kept == {"evidence.json", "decision.json", "evaluation.json", "report.html"}


def assert_refused(model: Model) -> None:
    with pytest.raises(RegistryError, match=r"version 1 of .* removed by `perennial gc` on 20.*can't serve"):
        versions.package(model.home, model.name, "1")
    with pytest.raises(RegistryError, match="removed by `perennial gc`"):
        rollback.rollback(model.home, model.name, "1", "why not")
    assert rollback.rollback(model.home, model.name, None, "worse").version == "2"
    # Its run is made again, rather than taken for done.
    assert versions.already(model.home, model.name, "a" * 64) is None
    assert versions.already(model.home, model.name, "b" * 64) is not None


def test_only_the_models_named_lose_anything(model: Model) -> None:
    orphan = model.entry("finetune", "of-nobody")
    orphan.mkdir(parents=True)
    spec = model.run.spec.model_copy(update={"name": f"{model.name}-2"})
    for bias, key in enumerate("cd"):
        note_status(model.home, model.register(key, 20.0 + bias, spec), tags.HELD)
    age(model.home)
    cleared = model.clear(spec.name)
    assert [(one.model, one.version) for one in cleared.versions] == [(spec.name, "1")]
    gone = {place.path for place in cleared.places}
    reports = {path for path in gone if path.startswith(f"store/{run_report.STEP}/")}
    assert gone - reports == {f"store/{step}/{'c' * 64}" for step in ("export", "validate")}
    assert len(reports) == 1
    assert orphan.exists()
    with pytest.raises(SpecError, match="knows no model 'nothing'"):
        model.clear("nothing")


def test_killed_on_the_way_the_next_one_goes_on(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = retention_versions._mark

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def killed_at_last(*given: Any) -> None:
        killed() if given[-1] != tags.REMOVING else mark(*given)

    def clear_but(what: Any, name: str, stand_in: Callable[..., None]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(what, name, stand_in)
            with pytest.raises(KeyboardInterrupt):
                model.clear()

    clear_but(retention_versions, "_mark", killed)
    assert versions.package(model.home, model.name, "1").version == "1"
    for what, name, stand_in in (
        (session.AliasSession, "note", killed),
        (retention_versions, "_contents", killed),
        (retention_versions, "_mark", killed_at_last),
        (retention, "discard", killed),
    ):
        clear_but(what, name, stand_in)
        with pytest.raises(RegistryError, match="removed by `perennial gc`"):
            versions.package(model.home, model.name, "1")
        assert versions.package(model.home, model.name).version == "3"
    assert model.entry("export", "a" * 64).exists()
    assert model.clear().versions == ()
    assert not model.entry("export", "a" * 64).exists()
    assert model.times(Action.REMOVE, "1") == 1


@pytest.mark.parametrize(
    ("policy", "gone"),
    [(Policy(keep=1, keep_days=0), ["1"]), (Policy(keep=4, keep_days=0), []), (Policy(keep=1, keep_days=1), [])],
)
def test_the_newest_and_the_young_are_kept(policy: Policy, gone: list[str], shared: Model) -> None:
    assert shared.going(policy) == gone


def test_what_awaits_approval_has_an_alias_or_is_on_its_way_is_kept(shared: Model) -> None:
    for status in (tags.PARKED, tags.REGISTERED, tags.PROMOTED):
        with tracking.session(shared.home) as client:
            registered = versions.candidate(client, shared.home, shared.name, "1").registered
        note_status(shared.home, registered, status)
        assert shared.going() == (["1"] if status == tags.PROMOTED else [])
    with tracking.session(shared.home) as client:
        client.set_registered_model_alias(shared.name, "canary", "1")
    assert shared.going() == []
    with tracking.session(shared.home) as client:
        client.delete_registered_model_alias(shared.name, "canary")


def test_the_files_of_a_copy_stay(shared: Model) -> None:
    with tracking.session(shared.home) as client:
        client.copy_model_version(f"models:/{shared.name}/1", "live")
    assert shared.going() == []
    with tracking.session(shared.home) as client:
        client.delete_registered_model("live")
    assert shared.going() == ["1"]


def test_nothing_goes_when_something_that_counts_cannot_be_read(
    shared: Model, empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tracking.session(shared.home) as client:
        run_id = client.get_model_version(shared.name, "3").run_id
    (file,) = shared.home.mlflow.rglob(f"{run_id}/artifacts/evidence.json")
    content = file.read_bytes()
    for spoil in (lambda: file.write_text("{}"), file.unlink):
        spoil()
        assert_untouched(shared, RegistryError, "What version 3 of .* can't be read.*Nothing was removed")
    file.write_bytes(content)
    other = tmp_path / "other.db"
    other.write_bytes(empty_database.read_bytes())
    (shared.entry("export", "a" * 64) / "manifest.json").write_text("{}")
    for address, words in (
        (f"http://127.0.0.1:{free_port()}", "connection refused.*Nothing was removed"),
        (f"sqlite:///{other}", "knows no version of any model.*another MLflow.*Nothing was removed"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", address)
            assert_untouched(shared, RegistryError, words)
    head = shared.home.state("news") / "snapshot-0123456789ab.json"
    head.parent.mkdir(parents=True, exist_ok=True)
    head.write_text("{")
    assert_untouched(shared, StoreError, "damaged")
    head.unlink()


def assert_untouched(model: Model, error: type[PerennialError], words: str) -> None:
    before = sorted(model.home.store.root.rglob("*"))
    with pytest.raises(error, match=words):
        model.clear()
    assert sorted(model.home.store.root.rglob("*")) == before


def test_nothing_goes_while_a_run_is_at_work(shared: Model) -> None:
    with one_at_a_time("news", shared.home):
        with pytest.raises(BusyError, match=r"A run of news is at work.*Nothing was removed"):
            shared.clear()
        assert shared.going() == ["1"]
    with nothing_running(shared.home), pytest.raises(BusyError, match=r"`perennial gc`"):
        shared.clear()


def test_a_version_that_comes_into_use_meanwhile_is_left_alone(shared: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    real = retention_versions.remove

    def late(home: Home, old: list[OldVersion]) -> None:
        with tracking.session(home) as client:
            client.set_registered_model_alias(shared.name, "canary", "1")
        real(home, old)

    monkeypatch.setattr(retention_versions, "remove", late)
    with pytest.raises(RegistryError, match=r"Version 1 .* come into use meanwhile \(alias canary\)"):
        shared.clear()
    with tracking.session(shared.home) as client:
        client.delete_registered_model_alias(shared.name, "canary")


def test_a_champion_whose_alias_was_taken_away_meanwhile_keeps_its_package(run: Run) -> None:
    """Between the look for what may go and its removal, a click in MLflow takes away what keeps it."""
    promoted(run)
    with tracking.session(run.home) as client:
        client.delete_registered_model_alias(run.spec.name, aliases.CHAMPION)
    old = OldVersion(model=run.spec.name, version="1", why="old", bytes=1)
    with pytest.raises(DisagreementError, match="alias `champion` is gone"):
        retention_versions.remove(run.home, [old])
    assert rollback.rollback(run.home, run.spec.name, "1", "Back.").version == "1"

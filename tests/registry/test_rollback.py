import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from place_fixtures import move_in
from registry_helpers import ELSEWHERE, Run, make_run, new_home, new_spec, note_status

from perennial.core.errors import PackageError, RegistryError
from perennial.inference import package
from perennial.promotion import alias_move, conclusion, reconciliation, rollback, smoke_test
from perennial.promotion.rollback import RolledBack
from perennial.records.decision import Outcome
from perennial.registry import aliases, history, tracking, versions
from perennial.registry.ledger import Action, Ledger

REASON = "it answers nonsense"


@pytest.fixture
def three(run: Run, _three: Run) -> Run:
    """A model whose versions 1, 2 and 3 were champion, one after the other."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return promoted_thrice(run)
    shutil.rmtree(run.home.root)
    shutil.copytree(_three.home.root, run.home.root)
    move_in(run.home.root, _three.home.root)
    return replace(_three, home=run.home)


@pytest.fixture(scope="module")
def _three(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same, to be copied: to register takes most of such a test."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ELSEWHERE:
            environment.delenv(name, raising=False)
        home = new_home(tmp_path_factory.mktemp("three"), empty_database)
        return promoted_thrice(make_run(home, new_spec(), "a" * 64))


def promoted_thrice(run: Run) -> Run:
    against = None
    for bias, key in enumerate("abe"):
        made = run if key == "a" else make_run(run.home, run.spec, key * 64, bias=float(bias))
        registered = made.judged(Outcome.PROMOTE, against).register()
        assert conclusion.promote(run.home, registered)
        against = registered.version
    return run


def back(run: Run, to: str | None = None) -> RolledBack:
    return rollback.rollback(run.home, run.spec.name, to, REASON)


def placed(run: Run) -> tuple[str | None, str | None]:
    with tracking.session(run.home) as client:
        found = [aliases.version_of(client, run.home, run.spec.name, name) for name in ("champion", "previous")]
    return tuple(str(version.version) if version else None for version in found)  # type: ignore[return-value]


def last(run: Run) -> history.Event:
    return history.moves(Ledger.open(run.home).entries(run.spec.name))[-1]


def test_the_version_before_serves_again_soon(place: str, three: Run) -> None:
    started = time.monotonic()
    done = back(three)
    assert time.monotonic() - started < 10
    assert (done.version, done.before, done.moved) == ("2", "3", True)
    assert placed(three) == ("2", "3")
    event = last(three)
    assert (event.action, event.from_version, event.to_version, event.reason) == (Action.ROLLBACK, "3", "2", REASON)


def test_again_does_not_lead_back_to_what_was_left(three: Run) -> None:
    back(three)
    with pytest.raises(RegistryError, match=rf"rollback from version 3 \({REASON}\).*latest first: 3, 1.*--to N"):
        back(three)
    assert placed(three) == ("2", "3")
    assert back(three, "1").version == "1"
    with pytest.raises(RegistryError, match="rollback from version 2"):
        back(three)


def test_to_a_named_version_and_to_the_champion_itself(three: Run) -> None:
    assert back(three, "1") == RolledBack(model=three.spec.name, version="1", before="3", moved=True)
    assert back(three, "1").moved is False
    assert placed(three) == ("1", "3")


def test_after_a_rollback_the_next_candidate_is_judged_against_the_target(three: Run) -> None:
    back(three)
    stale = make_run(three.home, three.spec, "d" * 64, bias=9.0).judged(Outcome.PROMOTE, "3").register()
    assert not conclusion.promote(three.home, stale)
    finished = versions.already(three.home, three.spec.name, "e" * 64)
    assert finished is not None, "the run that made the version that was left has nothing to do"
    with pytest.raises(RegistryError, match="perennial rollback"):
        conclusion.finish(three.home, three.spec.name, "3")


@pytest.mark.parametrize("status", ["registered", "rejected", "held"])
def test_only_a_former_champion_can_be_rolled_back_to(three: Run, status: str) -> None:
    other = make_run(three.home, three.spec, "d" * 64, bias=9.0).register()
    note_status(three.home, other, status)
    with pytest.raises(RegistryError, match=r"Version 4 .* was never champion.*3, 2, 1"):
        back(three, "4")
    with pytest.raises(RegistryError, match=r"no version 9"):
        back(three, "9")
    assert placed(three) == ("3", "2")


def test_with_no_version_before_there_is_nothing_to_do(run: Run) -> None:
    assert conclusion.promote(run.home, run.register())
    with pytest.raises(RegistryError, match=r"nothing to roll back to.*No other"):
        back(run)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "package.json"])
def test_a_tampered_package_is_refused(three: Run, name: str) -> None:
    # This machine has the right one in its store.
    digest = versions.package(three.home, three.spec.name, "2").package_digest
    stored = three.home.mlflow.rglob("package/package.json")
    (folder,) = (path.parent for path in stored if package.sha256(path) == digest)
    file = folder / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RegistryError, match=r"package of version 2 .* can't be used.*untouched"):
        back(three)
    assert placed(three) == ("3", "2")


def test_a_target_that_does_not_answer_is_refused(three: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise PackageError("It can't be run on this machine.")

    monkeypatch.setattr(smoke_test, "ask", fails)
    with pytest.raises(RegistryError, match=r"Version 2 .* can't serve: It can't be run.*untouched.*--to"):
        back(three)
    assert placed(three) == ("3", "2")


def test_the_champion_that_changes_meanwhile_is_left_alone(three: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    real = smoke_test.ask

    def slow(*given: Any) -> None:
        real(*given)
        with tracking.session(three.home) as client:
            client.set_registered_model_alias(three.spec.name, aliases.CHAMPION, "1")

    monkeypatch.setattr(smoke_test, "ask", slow)
    with pytest.raises(RegistryError, match=r"changed while version 2 was tried: it is version 1 now"):
        back(three)
    assert placed(three)[0] == "1"


def test_from_a_champion_that_was_set_by_hand(three: Run) -> None:
    with tracking.session(three.home) as client:
        client.set_registered_model_alias(three.spec.name, aliases.CHAMPION, "1")
    assert (back(three, "3").before, placed(three)) == ("1", ("3", "1"))
    events = history.moves(Ledger.open(three.home).entries(three.spec.name))
    assert [(event.action, event.from_version, event.to_version) for event in events[-1:]] == [
        (Action.ROLLBACK, "1", "3")
    ]
    assert reconciliation.disagreement(three.home, three.spec.name) is None


def test_a_rollback_cut_short_is_mended(three: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(alias_move, "keep_previous", fails)
        with pytest.raises(RegistryError, match="may have moved"):
            back(three)
    alias_move.settle(three.home, three.spec.name)
    assert placed(three) == ("2", "3")
    assert "completed later" in last(three).reason

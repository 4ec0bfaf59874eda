from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from registry_helpers import Run, answering, free_port, make_run, note_status, note_tag, promoted, second, start, stop

from perennial.core import errors
from perennial.core.errors import DisagreementError, RegistryError
from perennial.core.home import Home
from perennial.doctor import Health
from perennial.doctor.history import ledger
from perennial.promotion import alias_move, conclusion, reconciliation, session
from perennial.promotion.alias_move import alias_session
from perennial.promotion.reconciliation import Keep
from perennial.records.decision import Decision, Outcome
from perennial.records.run import Status
from perennial.registry import aliases, history, lease, tags, tracking, versions
from perennial.registry.ledger import Action, Entry, Ledger, State


def placed(run: Run, alias: str = aliases.CHAMPION) -> str | None:
    with tracking.session(run.home) as client:
        found = aliases.version_of(client, run.home, run.spec.name, alias)
    return str(found.version) if found else None


def status_of(run: Run, version: str) -> str:
    with tracking.session(run.home) as client:
        return str(client.get_model_version(run.spec.name, version).tags[tags.STATUS])


def entries(run: Run) -> list[Entry]:
    return Ledger.open(run.home).entries(run.spec.name)


def by_hand(run: Run, version: str | None) -> None:
    """Somebody moves the alias on MLflow's page."""
    with tracking.session(run.home) as client:
        if version is None:
            client.delete_registered_model_alias(run.spec.name, aliases.CHAMPION)
        else:
            client.set_registered_model_alias(run.spec.name, aliases.CHAMPION, version)


def disagreement(run: Run) -> str | None:
    """How ledger and registry disagree, in words."""
    said = reconciliation.disagreement(run.home, run.spec.name)
    return str(said) if said else None


def decided(run: Run) -> Decision:
    made: Decision = run.arguments["decision"]
    return made


def test_promotion_moves_the_aliases_and_writes_it_down(place: str, run: Run) -> None:
    first = promoted(run)
    assert (placed(run), placed(run, aliases.PREVIOUS)) == (first, None)
    later = second(run, first).register()
    assert later.champion_version == first
    assert conclusion.promote(run.home, later, "better")
    assert conclusion.promote(run.home, later), "promoting the champion again changes nothing"
    assert (placed(run), placed(run, aliases.PREVIOUS)) == (later.version, first)
    moves = history.moves(entries(run))
    assert [(move.from_version, move.to_version, move.reason) for move in moves] == [
        (None, first, ""),
        (first, later.version, "better"),
    ]
    finished = versions.already(run.home, run.spec.name, "b" * 64)
    assert finished is not None
    assert finished.status == tags.PROMOTED


@pytest.mark.parametrize("against", [None, "7"])
def test_nothing_is_promoted_when_the_champion_changed_meanwhile(run: Run, against: str | None) -> None:
    first = promoted(run)
    stale = second(run, against)
    later = stale.register()
    assert not conclusion.promote(run.home, later)
    ended = conclusion.conclude(run.home, later, decided(stale), needs_approval=False)
    assert (ended.status, ended.champion) == (Status.HELD, first)
    assert "The champion changed meanwhile: it is version 1 now" in ended.reasons[0]
    assert placed(run) == first
    assert entries(run)[-1].action is Action.HOLD
    assert versions.already(run.home, run.spec.name, "b" * 64) is None, "it is to be judged again"


def test_nothing_is_promoted_when_the_champion_is_gone(run: Run) -> None:
    first = promoted(run)
    later = second(run, first).register()
    by_hand(run, None)
    with pytest.raises(DisagreementError, match="alias `champion` is gone"):
        conclusion.promote(run.home, later)
    assert placed(run) is None


def test_a_champion_that_changes_while_the_package_is_verified_is_noticed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = promoted(run)
    later = second(run, first).register()
    real = alias_move.verify

    def slow(*given: Any) -> None:
        real(*given)
        by_hand(run, None)

    monkeypatch.setattr(alias_move, "verify", slow)
    assert not conclusion.promote(run.home, later)


@pytest.mark.parametrize(("outcome", "action"), [(Outcome.HOLD, Action.HOLD), (Outcome.REJECT, Action.REJECT)])
def test_what_did_not_pass_is_written_down_and_moves_nothing(
    place: str, run: Run, outcome: Outcome, action: Action
) -> None:
    judged = run.judged(outcome, None)
    version = judged.register()
    ended = conclusion.conclude(run.home, version, decided(judged), needs_approval=False)
    assert ended.status.value == status_of(run, version.version) == {"HOLD": "held", "REJECT": "rejected"}[outcome]
    (entry,) = entries(run)
    assert (entry.action, entry.to_version, entry.decision_digest) == (action, version.version, "2" * 64)
    assert placed(run) is None


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "package.json"])
def test_one_flipped_bit_in_the_registrys_storage_is_refused(run: Run, name: str) -> None:
    version = run.register()
    # This machine has the package whole, and so would not notice what others are going to get.
    versions.package(run.home, run.spec.name, version.version)
    (file,) = (run.home.mlflow / "artifacts").rglob(f"package/{name}")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RegistryError, match=rf"version {version.version} .*can't be used.*untouched"):
        conclusion.promote(run.home, version)
    assert placed(run) is None
    assert entries(run) == []


def broken(monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool) -> pytest.MonkeyPatch:
    real = getattr(alias_move, step)

    def fails(*given: Any) -> None:
        if after:
            real(*given)
        raise OSError("Connection refused")

    monkeypatch.setattr(alias_move, step, fails)
    return monkeypatch


@pytest.mark.parametrize("after", [False, True])
def test_a_failure_at_the_move_claims_nothing_and_is_mended(run: Run, after: bool) -> None:
    version = run.register()
    with pytest.MonkeyPatch.context() as patch:
        broken(patch, "point", after=after)
        with pytest.raises(RegistryError) as caught:
            conclusion.promote(run.home, version)
    assert "may have moved" in str(caught.value)
    assert "untouched" not in str(caught.value)
    assert [entry.state for entry in entries(run)] == [State.INTENT]
    said = history.unfinished(entries(run))
    assert said is not None
    assert "cut short" in said
    (found,) = ledger(run.home)
    assert (found.status, "mended" in found.seen) == (Health.OK, True)
    assert [entry.state for entry in entries(run)] == [State.INTENT, State.DONE if after else State.ABANDONED]
    assert placed(run) == (version.version if after else None)
    assert status_of(run, version.version) == (tags.PROMOTED if after else tags.REGISTERED)
    assert conclusion.promote(run.home, version)
    assert disagreement(run) is None


def test_an_interrupt_at_the_move_does_not_claim_that_the_champion_stayed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(alias_move, "point", interrupted)
    with pytest.raises(RegistryError, match=r"Interrupted.*may have moved"):
        conclusion.promote(run.home, run.register())


def test_a_server_in_doubt_keeps_the_lease(server: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    version = run.register()
    with pytest.MonkeyPatch.context() as patch:
        broken(patch, "point", after=False)
        with pytest.raises(RegistryError):
            conclusion.promote(run.home, version)
    monkeypatch.setattr(lease, "WAIT_SECONDS", 0.2)
    with pytest.raises(errors.BusyError, match="lapses in"):
        conclusion.promote(run.home, version)


def test_a_zombie_writes_nothing_over_what_was_done_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = promoted(run)
    later = second(run, first).register()
    third = make_run(run.home, run.spec, "e" * 64, bias=2.0).judged(Outcome.PROMOTE, first).register()
    real = alias_move.intend

    def stopped_for_long(session: session.AliasSession, plan: alias_move.AliasMove) -> Entry:
        intent = real(session, plan)
        monkeypatch.setattr(alias_move, "intend", real)
        with session.ledger.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE perennial_leases SET expires = 0")
        assert conclusion.promote(run.home, third)
        return intent

    monkeypatch.setattr(alias_move, "intend", stopped_for_long)
    with pytest.raises(lease.LeaseLostError, match="outcome stands"):
        conclusion.promote(run.home, later)
    assert placed(run) == third.version
    assert Ledger.open(run.home).open_intents() == []
    assert [move.to_version for move in history.moves(entries(run))] == [first, third.version]


def test_a_move_that_comes_too_late_is_taken_back(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped right before the alias moves, for longer than the lease lasts: nothing in MLflow could refuse it."""
    first = promoted(run)
    later = second(run, first).register()
    third = make_run(run.home, run.spec, "e" * 64, bias=2.0).judged(Outcome.PROMOTE, first).register()
    real = alias_move.point

    def stopped_for_long(session: session.AliasSession, plan: alias_move.AliasMove) -> None:
        monkeypatch.setattr(alias_move, "point", real)
        with session.ledger.database.transaction() as connection:
            connection.exec_driver_sql("UPDATE perennial_leases SET expires = 0")
        assert conclusion.promote(run.home, third)
        real(session, plan)

    monkeypatch.setattr(alias_move, "point", stopped_for_long)
    with pytest.raises(lease.LeaseLostError, match="outcome stands"):
        conclusion.promote(run.home, later)
    assert (placed(run), placed(run, aliases.PREVIOUS)) == (third.version, first)
    assert disagreement(run) is None


def test_a_move_by_hand_is_told_and_nothing_is_promoted(run: Run) -> None:
    first = promoted(run)
    other = make_run(run.home, run.spec, "e" * 64, bias=2.0).register().version
    candidate = second(run, first)
    later = candidate.register()
    by_hand(run, other)
    said = disagreement(run)
    assert said is not None
    assert "points to version 2, but the ledger has version 1" in said
    (found,) = ledger(run.home)
    assert (found.status, "outside of Perennial" in found.seen) == (Health.PROBLEM, True)
    for judged in (later.version, other):
        with pytest.raises(DisagreementError, match="reconcile"):
            conclusion.finish(run.home, run.spec.name, judged)
    ended = conclusion.conclude(run.home, later, decided(candidate), needs_approval=False)
    assert (ended.status, ended.champion) == (Status.HELD, other)
    assert said in ended.reasons
    assert [move.action for move in history.moves(entries(run))] == [Action.PROMOTE]
    assert status_of(run, other) == tags.REGISTERED


def test_a_champion_that_the_ledger_does_not_know_is_not_replaced(run: Run) -> None:
    version = run.register().version
    by_hand(run, version)
    later = second(run, version).register()
    with pytest.raises(DisagreementError, match="knows nothing of it"):
        conclusion.promote(run.home, later)
    accepted = reconciliation.reconcile(run.home, run.spec.name, Keep.REGISTRY, "It is the one.")
    assert (accepted.version, status_of(run, version)) == (version, tags.BY_HAND)
    assert conclusion.promote(run.home, later)
    assert [move.action for move in history.moves(entries(run))] == [Action.RECONCILE, Action.PROMOTE]


def test_a_run_that_could_not_be_finished_is_finished_later(
    place: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = run.register().version
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "WORKING", tracking.Patience(seconds=1, retries=0))
        patch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
        with pytest.raises(RegistryError, match=r"connection refused.*untouched"):
            conclusion.finish(run.home, run.spec.name, version)
    ended = conclusion.finish(run.home, run.spec.name, version)
    assert (ended.status, ended.champion, placed(run)) == (Status.PROMOTED, version, version)
    again = conclusion.finish(run.home, run.spec.name, version)
    assert (again.status, "already" in again.reasons[0]) == (Status.PROMOTED, True)


@pytest.mark.parametrize(
    ("status", "body", "delay"), [(500, b"oops", 0.0), (200, b"{}", 4.0), (503, b"", 0.0)], ids=["500", "slow", "503"]
)
def test_mlflow_that_fails_or_hangs_promotes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, delay: float
) -> None:
    version = run.register()
    monkeypatch.setattr(tracking, "WORKING", tracking.Patience(seconds=1, retries=1))
    with answering(status, body, "application/json", delay=delay) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryError, match=r"can't be used.*untouched"):
            conclusion.promote(run.home, version)
    assert placed(run) is None
    assert conclusion.promote(run.home, version)


@pytest.mark.soak(twin="tests/registry/test_mlflow_faults.py::test_errors_from_any_request_of_a_promotion_on[three]")
def test_a_server_that_dies_in_any_phase_is_survived(
    empty_database: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real server, killed before each of the steps that speak to it, and started again."""
    port = free_port()
    (tmp_path / "server.db").write_bytes(empty_database.read_bytes())
    place = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path / 'server.db'}",
        "--artifacts-destination",
        str(tmp_path / "f"),
    ]

    def up() -> Any:
        return start(["server", *place, "--workers", "1"], port, tmp_path / "log")

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setattr(tracking, "WORKING", tracking.Patience(seconds=5, retries=0))
    monkeypatch.setattr(lease, "SECONDS", 1.0)
    server = up()
    try:
        version = run.register()
        for step in ("verify", "point", "read_back", "tidy"):
            real = getattr(alias_move, step)

            def dies(*given: Any, real: Callable[..., None] = real, server: Any = server) -> None:
                stop(server)
                real(*given)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(alias_move, step, dies)
                with pytest.raises(RegistryError, match=r"MLflow|can't be used"):
                    conclusion.promote(run.home, version)
            server = up()
            assert conclusion.promote(run.home, version)
            assert placed(run) == version.version
            assert disagreement(run) is None
            assert status_of(run, version.version) == tags.PROMOTED
            with alias_session(run.home, run.spec.name) as session:
                session.release(aliases.CHAMPION, version.version)
                session.mark(version.version, tags.REGISTERED)
            reconciliation.reconcile(run.home, run.spec.name, Keep.REGISTRY, "Once more.")
    finally:
        stop(server)


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (Outcome.REJECT, tags.REJECTED, "it was rejected"),
        (Outcome.HOLD, tags.HELD, "its run came to HOLD"),
        (Outcome.PROMOTE, tags.REJECTED, "it was rejected"),
        (Outcome.PROMOTE, tags.PARKED, "perennial approve"),
    ],
)
def test_only_what_passed_its_gates_can_be_finished(run: Run, outcome: Outcome, status: str, words: str) -> None:
    version = run.judged(outcome, None).register()
    note_status(run.home, version, status)
    with pytest.raises(RegistryError, match=words):
        conclusion.finish(run.home, run.spec.name, version.version)
    assert placed(run) is None


def test_a_version_that_only_its_tag_calls_promoted_is_not_finished(run: Run) -> None:
    version = run.register()
    note_tag(run.home, version, tags.STATUS, tags.PROMOTED)
    with pytest.raises(RegistryError, match="knows nothing of it"):
        conclusion.finish(run.home, run.spec.name, version.version)


def test_what_was_judged_against_another_champion_is_held(run: Run) -> None:
    first = promoted(run)
    later = second(run, None).register()
    ended = conclusion.finish(run.home, run.spec.name, later.version)
    assert (ended.status, ended.champion) == (Status.HELD, first)


def test_an_unreachable_ledger_promotes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    version = run.register()
    monkeypatch.setenv("PERENNIAL_DATABASE_URL", f"postgresql+psycopg://ann:hunter2@127.0.0.1:{free_port()}/x")
    with pytest.raises(RegistryError, match=r"ledger.*connection refused.*untouched") as caught:
        conclusion.promote(run.home, version)
    assert "hunter2" not in str(caught.value)
    assert placed(run) is None


def test_a_ledger_lost_after_the_move_is_no_claim_either(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    version, real = run.register(), alias_move.keep_previous

    def lost(session: session.AliasSession, intent: Entry) -> None:
        real(session, intent)
        (Path(session.ledger.database.engine.url.database or "")).write_bytes(b"garbage " * 1000)

    monkeypatch.setattr(alias_move, "keep_previous", lost)
    with pytest.raises(RegistryError, match=r"ledger.*has moved"):
        conclusion.promote(run.home, version)
    assert placed(run) == version.version


def test_doctor_says_that_all_is_well(run: Run) -> None:
    (found,) = ledger(Home(run.home.root / "empty"))
    assert found.seen.startswith("none yet")
    promoted(run)
    (found,) = ledger(run.home)
    assert found.status is Health.OK
    assert run.spec.name in found.seen

"""Evidence that can't be changed: what is believed is what the ledger has, whatever is done to MLflow or to it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from notes import Notes
from promoting import promote
from registry_helpers import Run, make_run, note_tag, promoted, second

import perennial.doctor.history
from perennial.core import progress
from perennial.core.errors import DisagreementError, RegistryError
from perennial.doctor import Health
from perennial.promotion import approval, conclusion, reconciliation, rollback
from perennial.promotion.alias_move import alias_session
from perennial.promotion.reconciliation import Keep
from perennial.records.decision import Outcome
from perennial.records.run import Overrides, RegisteredVersion, Status
from perennial.registry import aliases, chain, database, history, tags, tracking, versions
from perennial.registry.judged.judgings import judgings
from perennial.registry.ledger import Action, Ledger


@pytest.fixture
def notes() -> Iterator[list[str]]:
    listener = Notes()
    with progress.heard_by(listener):
        yield listener.messages


def alias(run: Run, name: str) -> str | None:
    with tracking.session(run.home) as client:
        version = aliases.version_of(client, run.home, run.spec.name, name)
    return str(version.version) if version else None


def move_by_hand(run: Run, version: str) -> None:
    with tracking.session(run.home) as client:
        client.set_registered_model_alias(run.spec.name, aliases.CHAMPION, version)


def rejected(run: Run, against: str) -> RegisteredVersion:
    """Another version, whose gates refused it."""
    judged = make_run(run.home, run.spec, "b" * 64, bias=1.0).judged(Outcome.REJECT, against)
    registered = judged.register()
    conclusion.conclude(run.home, registered, judged.arguments["decision"], needs_approval=False)
    return registered


def status_tag(run: Run, version: str) -> str:
    with tracking.session(run.home) as client:
        return str(client.get_model_version(run.spec.name, version).tags[tags.STATUS])


def sql(run: Run, *statements: str) -> None:
    with Ledger.open(run.home).database.transaction() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_rejected_version_put_on_the_alias_by_hand_is_never_called_promoted(run: Run) -> None:
    """A9: it was promoted by the next command, and a rollback served it."""
    first, wrong = promoted(run), rejected(run, "1")
    move_by_hand(run, wrong.version)
    reconciliation.reconcile(run.home, run.spec.name, Keep.REGISTRY, "I was told to.")
    assert status_tag(run, wrong.version) == tags.BY_HAND
    rollback.rollback(run.home, run.spec.name, first, "It was wrong.")
    later = make_run(run.home, run.spec, "e" * 64, bias=2.0).judged(Outcome.PROMOTE, first)
    promote(run.home, later.register())
    with alias_session(run.home, run.spec.name) as session:
        assert session.statuses()[wrong.version].status == tags.BY_HAND
    assert (alias(run, aliases.PREVIOUS), status_tag(run, wrong.version)) == (first, tags.BY_HAND)
    with pytest.raises(RegistryError, match=r"put on the alias by hand, and its gates did not let it through \(REJECT"):
        rollback.rollback(run.home, run.spec.name, wrong.version, "Back.")
    assert rollback.rollback(run.home, run.spec.name, None, "Back.").version == first


def test_a_rejected_version_that_serves_by_hand_is_not_marked_by_the_next_command(run: Run) -> None:
    promoted(run)
    wrong = rejected(run, "1")
    move_by_hand(run, wrong.version)
    reconciliation.reconcile(run.home, run.spec.name, Keep.REGISTRY, "I was told to.")
    with alias_session(run.home, run.spec.name):
        pass
    assert status_tag(run, wrong.version) == tags.BY_HAND
    finished = versions.already(run.home, run.spec.name, "b" * 64)
    assert finished is not None
    assert (finished.status, finished.serves) == (tags.BY_HAND, True)


def test_each_judging_keeps_its_evidence(run: Run) -> None:
    """A10: judged again, a version lost the evidence that the ledger's first decision names."""
    once = run.judged(Outcome.REJECT, "7")
    registered = once.register()
    conclusion.conclude(run.home, registered, once.arguments["decision"], needs_approval=False)
    decision = run.arguments["decision"].model_copy(update={"digest": "3" * 64})
    assert run.but(decision=decision).register().version == registered.version
    first, again = judgings(Ledger.open(run.home), run.spec.name)
    assert [one.decision_digest for one in (first, again)] == ["2" * 64, "3" * 64]
    assert first.evidence_folder != again.evidence_folder
    with tracking.session(run.home) as client:
        for judging in (first, again):
            candidate = versions.candidate(client, run.home, run.spec.name, registered.version)
            candidate = candidate.model_copy(update={"judging": judging})
            stored = versions.evidence_of(client, run.home, candidate)
            assert stored.evidence.decision.digest == judging.decision_digest
        newest = versions.candidate(client, run.home, run.spec.name, registered.version)
        as_first = versions.as_judged(run.home, newest, 1)
        assert versions.as_judged(run.home, newest, 2) == newest
        with pytest.raises(RegistryError, match=r"no judging 3 of version 1 of .*; it has 2"):
            versions.as_judged(run.home, newest, 3)
    assert (newest.decision, newest.decision_digest) == ("PROMOTE", "3" * 64)
    assert (as_first.decision, as_first.decision_digest) == ("REJECT", "2" * 64)
    entry = Ledger.open(run.home).entries(run.spec.name)[0]
    assert (entry.action, entry.decision_digest) == (Action.REJECT, first.decision_digest)


def test_who_may_write_tags_needs_gates_all_the_same(run: Run, notes: list[str]) -> None:
    """B3: finish and approve believed the tags of a version."""
    first, wrong = promoted(run), rejected(run, "1")
    note_tag(run.home, wrong, tags.STATUS, tags.REGISTERED)
    note_tag(run.home, wrong, tags.DECISION, "PROMOTE")
    with pytest.raises(RegistryError, match="it was rejected"):
        conclusion.finish(run.home, run.spec.name, wrong.version)
    assert any("the tag is ignored" in note and tags.DECISION in note for note in notes)
    note_tag(run.home, wrong, tags.STATUS, tags.PARKED)
    with pytest.raises(RegistryError, match="does not await approval: it is rejected, its decision REJECT"):
        approval.approve(run.home, run.spec.name, wrong.version)
    note_tag(run.home, wrong, tags.STATUS, tags.PROMOTED)
    with pytest.raises(RegistryError, match="was never champion; it is rejected"):
        rollback.rollback(run.home, run.spec.name, wrong.version, "Back.")
    assert alias(run, aliases.CHAMPION) == first
    assert any(
        finding.status is Health.WARNING and "ignored" in finding.seen
        for finding in perennial.doctor.history.ledger(run.home)
    )


def test_a_version_that_nobody_judged_is_not_finished(run: Run) -> None:
    """It looks like one that passed: only the ledger has no judging of it."""
    version = run.register()
    with tracking.session(run.home) as client:
        judged = client.get_model_version(run.spec.name, version.version)
        made = client.create_model_version(run.spec.name, judged.source, run_id="0" * 32, tags=judged.tags)
    with pytest.raises(RegistryError, match=r"ledger has no decision on version 2 .*whatever its tags say"):
        conclusion.finish(run.home, run.spec.name, str(made.version))
    assert conclusion.finish(run.home, run.spec.name, version.version).status is Status.PROMOTED


@pytest.mark.parametrize("command", ["finish", "approve", "rollback"])
def test_evidence_that_was_changed_is_believed_by_nobody(run: Run, command: str) -> None:
    registered = run.register()
    if command == "approve":
        conclusion.conclude(run.home, registered, run.arguments["decision"], needs_approval=True)
    if command == "rollback":
        promote(run.home, registered)
        promote(run.home, second(run, registered.version).register())
    (file,) = (path for path in run.home.mlflow.rglob("evidence.json") if registered.run_id in path.parts)
    file.write_text(file.read_text(encoding="utf-8").replace('"accuracy": 0.84', '"accuracy": 0.99'), encoding="utf-8")
    serving = alias(run, aliases.CHAMPION)
    calls = {
        "finish": lambda: conclusion.finish(run.home, run.spec.name, "1"),
        "approve": lambda: approval.approve(run.home, run.spec.name, "1"),
        "rollback": lambda: rollback.rollback(run.home, run.spec.name, None, "Back."),
    }
    with pytest.raises(RegistryError, match=r"was changed since it was registered.*the ledger has"):
        calls[command]()
    assert alias(run, aliases.CHAMPION) == serving


def test_another_package_than_the_one_judged_is_refused(run: Run) -> None:
    version, other = run.register(), second(run, None).register()
    note_tag(run.home, version, tags.PACKAGE_DIGEST, other.package_digest)
    with pytest.raises(RegistryError, match=r"is not what was judged: its tags name another package"):
        promote(run.home, version)
    assert alias(run, aliases.CHAMPION) is None


CHANGES = {
    "an entry was changed": (
        "DROP TRIGGER perennial_ledger_no_update",
        "UPDATE perennial_ledger SET reason = 'Its gates passed.' WHERE action = 'reject'",
    ),
    "an entry was removed": (
        "DROP TRIGGER perennial_ledger_no_delete",
        "DELETE FROM perennial_ledger WHERE action = 'reject'",
    ),
    "a judging was changed": (
        "DROP TRIGGER perennial_judgings_no_update",
        "UPDATE perennial_judgings SET outcome = 'PROMOTE' WHERE outcome = 'REJECT'",
    ),
    "an entry was slipped in": (
        "INSERT INTO perennial_ledger (registry, model, action, state, to_version, who, reason) "
        "VALUES ('embedded', 'x', 'promote', 'done', '2', 'ann', 'Its gates passed.')",
    ),
    "a trigger is gone": ("DROP TRIGGER perennial_ledger_chain_no_delete",),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_ledger_that_was_changed_holds_everything_and_doctor_says_where(run: Run, name: str) -> None:
    """B4: entries were not chained, so a removed row or trigger left no trace."""
    first, wrong = promoted(run), rejected(run, "1")
    assert not chain.examine_chain(Ledger.open(run.home).database).faults
    sql(run, *CHANGES[name])
    findings = list(perennial.doctor.history.ledger(run.home))
    assert any(one.status is Health.PROBLEM and "changed outside of Perennial" in one.seen for one in findings)
    disagreement = reconciliation.disagreement(run.home, run.spec.name)
    assert disagreement is not None
    assert disagreement.is_of_chain
    for refused in (
        lambda: conclusion.finish(run.home, run.spec.name, wrong.version),
        lambda: reconciliation.reconcile(run.home, run.spec.name, Keep.REGISTRY, "Nothing happened."),
    ):
        with pytest.raises(DisagreementError, match=r"changed outside of Perennial.*backup"):
            refused()
    assert alias(run, aliases.CHAMPION) == first


def test_a_rollback_is_a_way_out_of_a_changed_ledger_too(run: Run) -> None:
    first = promoted(run)
    promote(run.home, second(run, first).register())
    sql(run, *CHANGES["a trigger is gone"])
    done = rollback.rollback(run.home, run.spec.name, None, "It answers nonsense.")
    assert (done.version, "changed outside of Perennial" in done.disagreement) == (first, True)


def test_a_ledger_cut_short_is_noticed_by_the_link_in_the_registry(run: Run) -> None:
    """Its newest entries and their links removed, as if they had never been: the rest is a whole chain."""
    promoted(run)
    rejected(run, "1")
    with alias_session(run.home, run.spec.name):
        pass
    tables = ("perennial_ledger", "perennial_ledger_chain")
    sql(
        run,
        *(f"DROP TRIGGER {table}_no_delete" for table in tables),
        "DELETE FROM perennial_ledger WHERE action = 'reject'",
        "DELETE FROM perennial_ledger_chain WHERE id = (SELECT max(id) FROM perennial_ledger_chain)",
        *(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'no'); END"
            for table in tables
        ),
    )
    assert not chain.examine_chain(Ledger.open(run.home).database).faults
    disagreement = reconciliation.disagreement(run.home, run.spec.name)
    assert disagreement is not None
    assert "is not in it any more" in disagreement.problem


def test_a_run_that_was_deleted_in_mlflow_is_told_with_the_way_back(run: Run) -> None:
    """It was told as if MLflow's database were damaged and had to be moved away."""
    registered = run.register()
    with tracking.session(run.home) as client:
        client.delete_run(registered.run_id)
    with pytest.raises(RegistryError, match=rf"deleted that run.*mlflow runs restore --run-id {registered.run_id}"):
        run.register()
    with tracking.session(run.home) as client:
        client.restore_run(registered.run_id)
    assert run.register().version == registered.version


def test_a_number_that_was_given_twice_is_no_way_back_to_what_was_never_judged(run: Run) -> None:
    """A model that was deleted and made anew by hand: version 1 is not the one that the ledger has."""
    registered = run.register()
    assert promote(run.home, registered)
    with tracking.session(run.home) as client:
        before = client.get_model_version(run.spec.name, "1")
        client.delete_registered_model(run.spec.name)
        client.create_registered_model(run.spec.name)
        made = client.create_run("0").info.run_id
        client.create_model_version(run.spec.name, source=before.source, run_id=made, tags=dict(before.tags))
    reconciliation.reconcile(run.home, run.spec.name, Keep.REGISTRY, "It was made anew.")
    for refused in (
        lambda: rollback.rollback(run.home, run.spec.name, "1", "Back."),
        lambda: conclusion.finish(run.home, run.spec.name, "1"),
    ):
        with pytest.raises(RegistryError, match=r"was never champion|no decision on version 1"):
            refused()
    assert alias(run, aliases.CHAMPION) is None


def test_entries_from_before_the_chain_are_covered_from_the_migration_on(run: Run) -> None:
    version = promoted(run)
    # As an older Perennial left ledger and registry.
    with tracking.session(run.home) as client:
        mark = json.loads(client.get_registered_model(run.spec.name).tags[tags.LEDGER])
        client.set_registered_model_tag(run.spec.name, tags.LEDGER, json.dumps({**mark, "head": ""}))
    sql(
        run,
        "DROP TABLE perennial_looks",
        "DROP TABLE perennial_test_rows",
        "DROP TABLE perennial_judgings",
        "DROP TABLE perennial_ledger_chain",
        "ALTER TABLE perennial_ledger DROP COLUMN status",
        "ALTER TABLE perennial_ledger DROP COLUMN detail",
        "UPDATE perennial_ledger_version SET version_num = '0003'",
    )
    state = chain.examine_chain(Ledger.open(run.home).database)
    assert (state.faults, state.links, state.of_migration) == ((), 2, 2)
    finished = versions.already(run.home, run.spec.name, "a" * 64)
    assert finished is not None
    assert (finished.status, finished.serves) == (tags.PROMOTED, True)
    later = second(run, version).register()
    assert promote(run.home, later)
    assert rollback.rollback(run.home, run.spec.name, None, "Back.").version == version
    (found,) = perennial.doctor.history.ledger(run.home)
    assert (found.status, "2 of them since they were migrated" in found.seen) == (Health.OK, True)


def test_overrides_are_in_the_ledger_and_on_the_version(run: Run) -> None:
    """A18: a candidate came in by gates that --set had replaced, and the ledger said `Its gates passed.`"""
    overrides = Overrides(settings=("gates",), reason="a test of ours")
    registered = run.but(overrides=overrides).register()
    conclusion.conclude(run.home, registered, run.arguments["decision"], needs_approval=False)
    words = "pipeline.yaml was overridden by --set gates: a test of ours"
    (event,) = history.moves(Ledger.open(run.home).entries(run.spec.name))
    assert words in event.reason
    with tracking.session(run.home) as client:
        assert client.get_model_version(run.spec.name, "1").tags[tags.OVERRIDES] == words
    (judging,) = judgings(Ledger.open(run.home), run.spec.name)
    assert judging.overrides == overrides


def test_the_migration_is_the_newest() -> None:
    files = sorted(Path(database.MIGRATIONS, "versions").glob("v*.py"))
    assert files[-1].name.startswith(f"v{database.HEAD}_")

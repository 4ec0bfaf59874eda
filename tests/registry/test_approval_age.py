"""An approval ages: a candidate is judged again when rows or days have come since, and ends when another takes over."""

from datetime import datetime, timedelta

import pytest
import tiny_pipeline
from place import Place
from registry_helpers import Run, make_run, note_tag, promoted

from perennial.core.errors import RegistryError
from perennial.promotion import approval, conclusion, rejudge, retention_versions
from perennial.promotion.alias_move import alias_session
from perennial.records.decision import Decision, Outcome
from perennial.records.run import RegisteredVersion, Status
from perennial.registry import aliases, run_log, tags, tracking, versions
from perennial.registry.ledger import Ledger
from perennial.runs import run_key
from perennial.settings.registry import RegistrySpec


@pytest.fixture
def champion(run: Run) -> Run:
    """Version 1 serves."""
    promoted(run)
    return run


def parked(run: Run, key: str) -> RegisteredVersion:
    made = make_run(run.home, run.spec, key * 64, bias=float(ord(key))).judged(Outcome.PROMOTE, "1")
    registered = made.register()
    ended = conclusion.conclude(run.home, registered, made.arguments["decision"], needs_approval=True)
    assert ended.status is Status.HELD
    return registered


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """The clock that dates the ledger's entries goes on."""
    real = Ledger.now

    def now(self: Ledger) -> datetime:
        return real(self) + timedelta(days=days)

    monkeypatch.setattr(Ledger, "now", now)


def serving(run: Run) -> str | None:
    with tracking.session(run.home) as client:
        version = aliases.version_of_champion(client, run.home, run.spec.name)
    return str(version.version) if version else None


def test_within_its_days_an_approval_needs_no_judging(champion: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    version = parked(champion, "p")
    later(monkeypatch, 13.9)
    assert approval.approve(champion.home, champion.spec.name).champion == version.version


def test_after_approval_days_it_has_to_be_judged_again(champion: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """B1: a version that was parked months ago was let through as it was judged then."""
    parked(champion, "p")
    later(monkeypatch, 15)
    with pytest.raises(RegistryError, match=r"judged again, but .*not in the store.*judged 15 days ago.*approval_days"):
        approval.approve(champion.home, champion.spec.name)
    assert serving(champion) == "1"


def test_a_clock_that_was_set_back_makes_no_judging_young(champion: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    parked(champion, "p")
    later(monkeypatch, -200)
    with pytest.raises(RegistryError, match=r"judged 200\.0 days from now: the clock was set back"):
        approval.approve(champion.home, champion.spec.name)
    assert serving(champion) == "1"


@pytest.mark.parametrize("said", ["rejected", "took its place"])
def test_what_people_say_while_it_is_judged_again_counts(
    champion: Run, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Models run for minutes, without the lease: a version that was rejected meanwhile was promoted all the same."""
    home, name = champion.home, champion.spec.name
    made = make_run(home, champion.spec, "p" * 64, bias=2.0).judged(Outcome.PROMOTE, "1")
    conclusion.conclude(home, made.register(), made.arguments["decision"], needs_approval=True)

    def judged_again(*_: object) -> tuple[RegisteredVersion, Decision]:
        if said == "rejected":
            approval.reject(home, name, "2", "Rude.")
        else:
            parked(champion, "q")
        return made.register(), made.arguments["decision"]

    monkeypatch.setattr(rejudge, "missing", lambda *_: None)
    monkeypatch.setattr(rejudge, "judge_again", judged_again)
    later(monkeypatch, 15)
    with pytest.raises(RegistryError, match=rf"{said}.*while it was judged again"):
        approval.approve(home, name, "2")
    assert serving(champion) == "1"
    if said == "rejected":
        with pytest.raises(RegistryError, match="it was rejected"):
            conclusion.finish(home, name, "2")


def test_so_has_what_was_observed_and_is_promoted_by_hand(champion: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_run(champion.home, champion.spec, "o" * 64, bias=3.0).judged(Outcome.PROMOTE, "1")
    registered, decision = made.register(), made.arguments["decision"]
    conclusion.conclude(champion.home, registered, decision, needs_approval=False, observing=True)
    later(monkeypatch, 15)
    with pytest.raises(RegistryError, match="judged 15 days ago"):
        conclusion.finish(champion.home, champion.spec.name, registered.version)
    assert serving(champion) == "1"


def test_test_rows_that_came_since_have_to_be_judged_on(champion: Run) -> None:
    parked(champion, "p")
    newer = make_run(champion.home, champion.spec, "n" * 64, bias=4.0).judged(Outcome.REJECT, "1")
    validated = newer.arguments["validated"]
    more = validated.parts[0].model_copy(
        update={"source": validated.parts[0].source.model_copy(update={"sha256": "9" * 64})}
    )
    rows = {**validated.rows, "test": validated.rows["test"] + 120}
    newer.but(validated=validated.model_copy(update={"parts": (*validated.parts, more), "rows": rows})).register()
    with pytest.raises(RegistryError, match=r"120 test rows came since version 2 was judged"):
        approval.approve(champion.home, champion.spec.name, "2")
    assert serving(champion) == "1"


def test_a_superseded_challenger_has_ended(champion: Run) -> None:
    """B2: it awaited approval for ever: gc kept it, and `approve N` took it."""
    first, second = parked(champion, "p"), parked(champion, "q")
    with tracking.session(champion.home) as client:
        older = client.get_model_version(champion.spec.name, first.version)
    assert older.tags[tags.STATUS] == tags.SUPERSEDED
    # An older Perennial left the tag as it was.
    note_tag(champion.home, first, tags.STATUS, tags.PARKED)
    for refused in (approval.approve, conclusion.finish):
        with pytest.raises(RegistryError, match=r"does not await approval any more: version 3 .* took its place"):
            refused(champion.home, champion.spec.name, first.version)
    with alias_session(champion.home, champion.spec.name) as session:
        statuses = session.statuses()
        kept = {
            str(version.version): retention_versions._in_use(session.client, version, statuses)
            for version in session.client.search_model_versions(f"name = '{champion.spec.name}'")
        }
    assert (kept[first.version], kept[second.version]) == (None, "alias challenger")
    finished = versions.already(champion.home, champion.spec.name, "p" * 64)
    assert finished is not None
    assert finished.status == tags.SUPERSEDED
    assert approval.approve(champion.home, champion.spec.name).champion == second.version


def test_the_setting_is_no_part_of_a_runs_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Base:
        revision = "r"

    monkeypatch.setattr(run_key.base_model, "find_base_model", lambda _: Base)
    monkeypatch.setattr(run_key.corrections, "read_corrections", lambda _: ())
    longer = run.spec.model_copy(update={"registry": RegistrySpec(approval_days=90)})
    snapshot = run.arguments["snapshot"]
    assert run_key.run_key_of(run.spec, snapshot) == run_key.run_key_of(longer, snapshot)
    assert run_log.parameters(longer, run.arguments["trained"])["registry.approval_days"] == "90.0"


@pytest.mark.soak(twin="tests/registry/test_approval_age.py::test_test_rows_that_came_since_have_to_be_judged_on")
def test_judged_again_on_the_rows_that_came_since(seasoned: Place) -> None:
    required = ("--set", "registry.approval=required", "--reason", "A test.")
    tiny_pipeline.write_jsonl(seasoned.data / "second.jsonl", tiny_pipeline.rows(60, 1000))
    assert seasoned.run("--json", *required).json["version"] == "2"
    tiny_pipeline.write_jsonl(seasoned.data / "third.jsonl", tiny_pipeline.rows(90, 2000))
    refused = seasoned.run("--json", "--set", "gates=[{metric: log_loss, max: 0.0}]", "--reason", "A test.")
    assert (refused.code, refused.json["version"]) == (4, "3"), refused.text
    ended = seasoned.command("approve", "tiny", "--json")
    assert (ended.code, seasoned.champion()) in ((0, "2"), (3, "1"), (4, "1")), ended.text
    assert "test rows came since version 2 was judged. So it was judged again." in " ".join(ended.json["reasons"])
    with tracking.session(seasoned.home) as client:
        candidate = versions.candidate(client, seasoned.home, "tiny", "2")
        evidence = versions.evidence_of(client, seasoned.home, candidate).evidence
    assert evidence.judged_on is not None
    assert evidence.judged.rows["test"] > evidence.validated.rows["test"]
    assert evidence.evaluation.candidate.n == evidence.judged.rows["test"]
    assert seasoned.command("decide", "tiny", "2", "--json").json["agrees"] is True

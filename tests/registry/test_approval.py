"""Approval by a person: parked, approved, rejected, and judged again where the champion changed meanwhile."""

import pytest
import tiny_pipeline
from place import Place, assert_explained
from promoting import promote
from registry_helpers import Run, make_run, note_tag

from perennial.core.errors import RegistryError
from perennial.promotion import approval, conclusion
from perennial.records.decision import Outcome
from perennial.records.run import Status
from perennial.registry import aliases, history, tags, tracking, versions
from perennial.registry.ledger import Action, Ledger

REQUIRED = ("--set", "registry.approval=required", "--reason", "A test.")


@pytest.fixture
def parked(run: Run) -> Run:
    """A candidate, version 1, that awaits approval beside no champion."""
    version = run.register()
    ended = conclusion.conclude(run.home, version, run.arguments["decision"], needs_approval=True)
    assert (ended.status, ended.champion) == (Status.HELD, None)
    assert "awaits approval: `perennial approve" in ended.reasons[0]
    return run


def placed(run: Run, alias: str) -> str | None:
    with tracking.session(run.home) as client:
        found = aliases.version_of(client, run.home, run.spec.name, alias)
    return str(found.version) if found else None


def actions(run: Run) -> list[Action]:
    return [event.action for event in history.ledger_events(Ledger.open(run.home).entries(run.spec.name))]


def test_a_parked_candidate_serves_once_a_person_says_so(place: str, parked: Run) -> None:
    assert (placed(parked, aliases.CHALLENGER), placed(parked, aliases.CHAMPION)) == ("1", None)
    found = versions.already(parked.home, parked.spec.name, "a" * 64)
    assert found is not None
    assert found.status == tags.PARKED
    # Hours later, on another machine: with a home that has nothing of it but the address of the ledger and registry.
    ended = approval.approve(parked.home, parked.spec.name, reason="looks good")
    assert (ended.status, ended.champion) == (Status.PROMOTED, "1")
    assert (placed(parked, aliases.CHALLENGER), placed(parked, aliases.CHAMPION)) == (None, "1")
    assert actions(parked) == [Action.PARK, Action.APPROVE]
    with pytest.raises(RegistryError, match="awaits approval: there is no alias"):
        approval.approve(parked.home, parked.spec.name)
    with pytest.raises(RegistryError, match="does not await approval: it is promoted"):
        approval.approve(parked.home, parked.spec.name, "1")


def test_a_rejected_candidate_never_serves(parked: Run) -> None:
    ended = approval.reject(parked.home, parked.spec.name, None, "too rude")
    assert (ended.status, ended.version) == (Status.REJECTED, "1")
    assert placed(parked, aliases.CHALLENGER) is None
    assert actions(parked) == [Action.PARK, Action.REJECT]
    for refused in (approval.approve, conclusion.finish):
        with pytest.raises(RegistryError, match="rejected"):
            refused(parked.home, parked.spec.name, "1")


def test_the_champion_is_not_rejected_but_rolled_back(parked: Run) -> None:
    approval.approve(parked.home, parked.spec.name)
    with pytest.raises(RegistryError, match=r"is the champion.*perennial rollback"):
        approval.reject(parked.home, parked.spec.name, "1", "too late")


def test_approval_can_not_be_had_by_promote(run: Run) -> None:
    """A run that was cut short before it parked its candidate is finished as it would have been."""
    spec = run.spec.model_copy(update={"registry": run.spec.registry.model_copy(update={"approval": "required"})})
    version = Run(spec, run.home, run.arguments).register()
    note_tag(run.home, version, tags.APPROVAL, "none")
    ended = conclusion.finish(run.home, run.spec.name, version.version)
    assert ended.status is Status.HELD
    assert (placed(run, aliases.CHALLENGER), placed(run, aliases.CHAMPION)) == (version.version, None)
    with pytest.raises(RegistryError, match="perennial approve"):
        conclusion.finish(run.home, run.spec.name, version.version)


def test_what_its_gates_held_no_person_lets_through(run: Run) -> None:
    held = run.judged(Outcome.HOLD, None)
    version = held.register()
    conclusion.conclude(run.home, version, held.arguments["decision"], needs_approval=True)
    with pytest.raises(RegistryError, match=r"does not await approval: it is held, its decision HOLD"):
        approval.approve(run.home, run.spec.name, version.version)


def test_a_candidate_judged_against_another_champion_is_not_parked(run: Run) -> None:
    assert promote(run.home, run.register())
    other = make_run(run.home, run.spec, "b" * 64, bias=1.0)
    ended = conclusion.conclude(run.home, other.register(), other.arguments["decision"], needs_approval=True)
    assert "champion changed meanwhile" in ended.reasons[0]
    assert placed(run, aliases.CHALLENGER) is None


def test_without_its_data_it_can_not_be_judged_again(parked: Run) -> None:
    other = make_run(parked.home, parked.spec, "b" * 64, bias=1.0).register()
    assert promote(parked.home, other)
    with pytest.raises(RegistryError, match=r"judged again.*not in the store.*untouched.*perennial run"):
        approval.approve(parked.home, parked.spec.name)
    assert placed(parked, aliases.CHAMPION) == "2"


def test_judged_again_against_the_new_champion(seasoned: Place) -> None:
    """Two candidates of real runs; the other one became champion before a person came to the first."""
    tiny_pipeline.write_jsonl(seasoned.data / "second.jsonl", tiny_pipeline.rows(60, 1000))
    first = seasoned.run("--json", *REQUIRED)
    assert (first.code, first.json["status"], first.json["version"]) == (3, "held", "2"), first.text
    assert "awaits approval" in " ".join(first.json["reasons"])
    assert "awaiting approval" in seasoned.run(*REQUIRED).text, "there is nothing to do but to decide"
    other = seasoned.run("--json", "--set", "training.epochs=5")
    assert (other.code, other.json["version"]) == (0, "3"), other.text
    assert_explained(seasoned.command("reject", "tiny", "--reason", " "), 2, "--reason is empty")
    ended = seasoned.command("approve", "tiny", "--json", "--reason", "seen")
    assert (ended.code, ended.json["status"], ended.json["champion"]) == (0, "promoted", "2"), ended.text
    assert seasoned.champion() == "2"
    with tracking.session(seasoned.home) as client:
        found = client.get_model_version("tiny", "2").tags
    assert (found[tags.CHAMPION_AT_DECISION], found[tags.STATUS]) == ("3", tags.PROMOTED)
    back = seasoned.command("rollback", "tiny", "--reason", "a test")
    assert_explained(back, 0, "tiny: rolled back, version 3 serves now; before it was version 2.")
    assert_explained(seasoned.command("rollback", "tiny"), 2, "--reason")
    assert_explained(seasoned.command("rollback", "tiny", "--reason", "again"), 1, "--to N")
    assert_explained(seasoned.command("promote", "tiny", "2"), 1, "perennial rollback tiny --to 2")
    done = seasoned.command("rollback", "tiny", "--to", "1", "--reason", "x", "--json").json
    assert (done["status"], done["version"], done["before"]) == ("rolled back", "1", "3")


@pytest.mark.soak(twin="tests/registry/test_approval.py::test_judged_again_against_the_new_champion")
def test_judged_again_it_may_fail(seasoned: Place) -> None:
    tiny_pipeline.write_jsonl(seasoned.data / "second.jsonl", tiny_pipeline.rows(60, 1000))
    # Wide enough for any candidate to pass beside the first champion.
    gates = (
        "--set",
        "gates=[{metric: accuracy, min: 0.0}, {metric: log_loss, versus: champion, margin: 0.5}]",
        "--reason",
        "A test.",
    )
    first = seasoned.run("--json", *REQUIRED, *gates, "--set", "training.epochs=2")
    assert first.code == 3, first.text
    assert (
        seasoned.run(
            "--set", "training.epochs=8", "--set", "gates=[{metric: accuracy, min: 0.5}]", "--reason", "A test."
        ).code
        == 0
    )
    ended = seasoned.command("approve", "tiny", "--json")
    assert ended.code in (0, 4), ended.text
    assert seasoned.champion() == ("2" if ended.code == 0 else "3")

"""Nothing is promoted that does not answer, in a clean process, as it answered when it was judged."""

from pathlib import Path
from typing import Any

import pytest
from promoting import promote
from registry_helpers import USER_TEXT, Run

from perennial.core.errors import PackageError, RegistryError
from perennial.evaluation import fixed_cases
from perennial.inference.predictor import Predictor
from perennial.promotion import conclusion, rollback, smoke_test
from perennial.records.decision import Decision, Outcome
from perennial.records.evaluation import Cases
from perennial.records.run import Status
from perennial.registry import aliases, tags, tracking, versions
from perennial.registry.ledger import Action, Ledger


def package_of(run: Run) -> Path:
    place: str = run.arguments["package"].path
    return run.home.store.root / place


def cases_of(run: Run) -> Cases:
    return fixed_cases.answer_fixed_cases(run.spec, Predictor(package_of(run)))


def judged_with(run: Run, cases: Cases) -> Run:
    return run.but(evaluation=run.arguments["evaluation"].model_copy(update={"cases": cases}))


def changed(cases: Cases, **answer: Any) -> Cases:
    """`cases` where another answer to the second one was kept."""
    answers = list(cases.answers)
    answers[1] = answers[1] | answer
    return cases.model_copy(update={"answers": tuple(answers)})


def relabelled(cases: Cases) -> Cases:
    return changed(cases, label=next(name for name in cases.answers[1]["scores"] if name != cases.answers[1]["label"]))


def concluded(run: Run) -> conclusion.Conclusion:
    decision: Decision = run.arguments["decision"]
    return conclusion.conclude(run.home, run.register(), decision, needs_approval=False)


def champion(run: Run) -> str | None:
    with tracking.session(run.home) as client:
        found = aliases.version_of(client, run.home, run.spec.name, aliases.CHAMPION)
    return str(found.version) if found else None


def test_a_version_that_answers_as_it_was_judged_serves(run: Run) -> None:
    cases = cases_of(run)
    assert len(cases.inputs) == len(cases.answers) > 10
    assert USER_TEXT not in str(cases)
    ended = concluded(judged_with(run, cases))
    assert (ended.status, ended.champion, champion(run)) == (Status.PROMOTED, "1", "1")


def test_a_version_that_answers_otherwise_is_held(run: Run) -> None:
    ended = concluded(judged_with(run, relabelled(cases_of(run))))
    assert (ended.status, ended.champion, champion(run)) == (Status.HELD, None, None)
    assert "can't serve: In a clean process it answers 1 of" in ended.reasons[0]
    assert "case 2." in ended.reasons[0]
    (entry,) = Ledger.open(run.home).entries(run.spec.name)
    assert (entry.action, entry.to_version, entry.reason) == (Action.HOLD, "1", ended.reasons[0])
    with tracking.session(run.home) as client:
        assert client.get_model_version(run.spec.name, "1").tags[tags.STATUS] == tags.HELD


def test_a_version_that_does_not_answer_in_time_is_held_and_can_be_promoted_later(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(smoke_test, "SECONDS", 0.001)
        ended = concluded(run)
    assert ended.status is Status.HELD
    assert "no answer within" in ended.reasons[0]
    assert conclusion.finish(run.home, run.spec.name, "1").status is Status.PROMOTED


def test_without_its_evidence_it_is_not_promoted_but_can_be_gone_back_to(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run.register()
    assert promote(run.home, first)
    with tracking.session(run.home) as client:
        later = run.judged(Outcome.PROMOTE, first.version).but(run_key="b" * 64).register()
        monkeypatch.setattr(versions, "EVIDENCE", "gone.json")
        with pytest.raises(RegistryError, match=r"evidence for version 2 .* can't be had"):
            conclusion.finish(run.home, run.spec.name, later.version)
        client.set_registered_model_alias(run.spec.name, aliases.CHAMPION, later.version)
        client.set_registered_model_alias(run.spec.name, aliases.PREVIOUS, first.version)
    assert rollback.rollback(run.home, run.spec.name, first.version, "It is better.").version == first.version


def test_scores_may_differ_in_their_last_digits_and_on_another_machine(run: Run) -> None:
    folder, cases = package_of(run), cases_of(run)
    score: float = cases.answers[1]["score"]
    smoke_test.ask(folder, changed(cases, score=score + 1e-6))
    with pytest.raises(PackageError, match=r"answers 1 of .* otherwise"):
        smoke_test.ask(folder, changed(cases, score=score + 1e-3))
    elsewhere = cases.model_copy(update={"machine": ("CPUExecutionProvider", "onnxruntime 1.0", "pdp11")})
    smoke_test.ask(folder, changed(elsewhere, score=score + 1e-3))
    with pytest.raises(PackageError, match=r"judged on .*pdp11; here: "):
        smoke_test.ask(folder, relabelled(elsewhere))


def test_answers_that_take_what_servers_lack_are_refused(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text("")
    (tmp_path / "sitecustomize.py").write_text("import torch\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(PackageError, match=r"Answering loaded torch, which a server does not have"):
        smoke_test.ask(package_of(run), None)

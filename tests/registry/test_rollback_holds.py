"""After a rollback nothing comes in without a person, unless it answers rightly what was complained of."""

import json
from pathlib import Path

import pytest
from promoting import promote
from registry_helpers import LABELS, Run, make_run, promoted, second

from perennial.core.errors import RegistryError, SourceError
from perennial.inference.predictor import Predictor
from perennial.promotion import approval, conclusion, rollback
from perennial.promotion.conclusion import Conclusion
from perennial.records.decision import Outcome
from perennial.records.run import Status
from perennial.registry import aliases, history, tags, tracking
from perennial.registry.ledger import Action, Ledger

REASON = "wrong since noon"
TEXTS = ("soup bread", "excellent", "nobody liked")


@pytest.fixture
def left(run: Run) -> Run:
    """Version 2 was promoted after version 1 and left by a rollback."""
    first = promoted(run)
    assert promote(run.home, second(run, first).register())
    return run


def back(run: Run, rows: Path | None = None) -> rollback.RolledBack:
    return rollback.rollback(run.home, run.spec.name, None, REASON, rows)


def candidate(run: Run, key: str, bias: float) -> Run:
    """The next night's, which passed the gates beside version 1."""
    return make_run(run.home, run.spec, key * 64, bias=bias).judged(Outcome.PROMOTE, "1")


def concluded(made: Run) -> Conclusion:
    return conclusion.conclude(made.home, made.register(), made.arguments["decision"], needs_approval=False)


def champion(run: Run) -> str | None:
    with tracking.session(run.home) as client:
        version = aliases.version_of_champion(client, run.home, run.spec.name)
    return str(version.version) if version else None


def answers(made: Run) -> list[str]:
    package = made.home.store.root / made.arguments["package"].path
    return [str(one["label"]) for one in Predictor(package).predict_columns({"text": list(TEXTS)})]


def rows_file(folder: Path, labels: list[str]) -> Path:
    lines = [json.dumps({"text": text, "label": label}) for text, label in zip(TEXTS, labels, strict=True)]
    path = folder / "complaints.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_next_nights_candidate_waits_for_a_person(left: Run) -> None:
    """A8: it was promoted, with the fault that the rollback had left."""
    assert back(left).version == "1"
    ended = concluded(candidate(left, "e", 2.0))
    assert (ended.status, ended.version, champion(left)) == (Status.HELD, "3", "1")
    words = " ".join(ended.reasons)
    assert "Version 2 was left by a rollback at" in words
    assert REASON in words
    assert f"`perennial approve {left.spec.name} 3` lets this one serve" in words
    assert f"`perennial resume {left.spec.name} --reason" in words
    # Each night again, and by `perennial promote`, too.
    assert concluded(candidate(left, "f", 3.0)).status is Status.HELD
    registered = candidate(left, "9", 4.0).register()
    assert conclusion.finish(left.home, left.spec.name, registered.version).status is Status.HELD
    assert champion(left) == "1"


def test_a_person_lets_runs_promote_again(left: Run) -> None:
    with pytest.raises(RegistryError, match=r"Nothing holds the promotions.*schedule --resume"):
        rollback.resume(left.home, left.spec.name, "Mended.")
    back(left)
    assert concluded(candidate(left, "e", 2.0)).status is Status.HELD
    assert rollback.resume(left.home, left.spec.name, "Mended.").left == "2"
    assert concluded(candidate(left, "f", 3.0)).status is Status.PROMOTED
    assert Ledger.open(left.home).entries(left.spec.name)[-3].action is Action.RESUME


def test_an_approval_ends_it(left: Run) -> None:
    back(left)
    concluded(candidate(left, "e", 2.0))
    assert approval.approve(left.home, left.spec.name).champion == "3"
    later = make_run(left.home, left.spec, "f" * 64, bias=3.0).judged(Outcome.PROMOTE, "3")
    assert concluded(later).status is Status.PROMOTED


def test_a_candidate_that_answers_what_was_complained_of_is_promoted(left: Run, tmp_path: Path) -> None:
    made = candidate(left, "e", 0.0)
    right = answers(made)
    # The label that version 2 gives to nothing of it is the right one nowhere: it is wrong about one row at least.
    wrong = [label if number else next(one for one in LABELS if one != label) for number, label in enumerate(right)]
    done = back(left, rows_file(tmp_path, wrong))
    assert (done.rows, done.wrong > 0) == (3, True)
    held = concluded(made)
    assert (held.status, champion(left)) == (Status.HELD, "1")
    assert "It answers 2 of the 3 rows that were complained of after version 2 rightly." in " ".join(held.reasons)
    rollback.resume(left.home, left.spec.name, "Again, with the right labels.")
    store = [path for path in left.home.mlflow.rglob("*") if path.is_file() and path.parent.name != "complaints"]
    assert not [path for path in store if b"nobody liked" in path.read_bytes()], "texts are in that file alone"


def test_it_is_unlike_what_was_left(left: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perennial.promotion.safeguards import complaint_rows

    made = candidate(left, "e", 2.0)
    # Version 2 is taken to be wrong about all of them: the tiny packages answer nearly alike.
    monkeypatch.setattr(complaint_rows, "_right_now", lambda *_: 0)
    done = back(left, rows_file(tmp_path, answers(made)))
    assert (done.rows, done.wrong) == (3, 3)
    ended = concluded(made)
    assert (ended.status, champion(left)) == (Status.PROMOTED, "3")
    assert "It answers all of the 3 rows that were complained of after version 2 rightly." in " ".join(ended.reasons)


def test_rows_that_it_answers_rightly_say_nothing_and_are_not_kept(left: Run, tmp_path: Path) -> None:
    done = back(left, rows_file(tmp_path, answers_of_the_left(left)))
    assert (done.rows, done.wrong) == (3, 0)
    assert all(entry.action is not Action.COMPLAIN for entry in Ledger.open(left.home).entries(left.spec.name))


def answers_of_the_left(run: Run) -> list[str]:
    from perennial.registry import versions

    package = versions.package(run.home, run.spec.name, "2")
    predictor = Predictor(run.home.store.root / package.path)
    return [str(one["label"]) for one in predictor.predict_columns({"text": list(TEXTS)})]


def test_rows_that_were_changed_or_are_gone_hold(left: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perennial.promotion.safeguards import complaint_rows

    made = candidate(left, "e", 2.0)
    monkeypatch.setattr(complaint_rows, "_right_now", lambda *_: 0)
    back(left, rows_file(tmp_path, answers(made)))
    (file,) = left.home.mlflow.rglob("complaints/*.jsonl")
    file.write_text('{"label": "positive", "text": "soup"}\n', encoding="utf-8")
    ended = concluded(made)
    assert (ended.status, champion(left)) == (Status.HELD, "1")
    assert "was changed" in " ".join(ended.reasons)


def test_a_file_that_can_not_be_used_moves_nothing(left: Run, tmp_path: Path) -> None:
    bad = tmp_path / "rows.csv"
    bad.write_text("text,label\nsoup,\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"rows.csv, line 2 lacks its text or its label"):
        back(left, bad)
    assert champion(left) == "2"


def test_a_rollback_of_an_older_home_holds_only_what_it_did_not_promote_since(left: Run) -> None:
    back(left)
    assert promote(left.home, candidate(left, "e", 2.0).register())
    later = make_run(left.home, left.spec, "f" * 64, bias=3.0).judged(Outcome.PROMOTE, "3")
    assert concluded(later).status is Status.PROMOTED
    assert tags.PARKED not in {entry.status for entry in Ledger.open(left.home).entries(left.spec.name)}


@pytest.mark.parametrize("at", [None, "1"], ids=["taken away", "moved back"])
def test_a_rollback_of_what_somebody_took_off_the_alias_by_hand_holds_as_well(left: Run, at: str | None) -> None:
    """Who finds a bad champion clicks in MLflow first and says so afterwards: the left version was then forgotten."""
    with tracking.session(left.home) as client:
        client.delete_registered_model_alias(left.spec.name, aliases.CHAMPION)
        if at:
            client.set_registered_model_alias(left.spec.name, aliases.CHAMPION, at)
    assert rollback.rollback(left.home, left.spec.name, "1", REASON).version == "1"
    ended = concluded(candidate(left, "e", 2.0))
    assert (ended.status, champion(left)) == (Status.HELD, "1")
    assert "Version 2 was left by a rollback at" in " ".join(ended.reasons)
    (left_version,) = [one.from_version for one in history.rollbacks(Ledger.open(left.home).entries(left.spec.name))]
    assert left_version == "2", "it is no anchor either"


def test_rows_may_be_given_of_what_was_taken_off_the_alias_by_hand(left: Run, tmp_path: Path) -> None:
    with tracking.session(left.home) as client:
        client.delete_registered_model_alias(left.spec.name, aliases.CHAMPION)
    done = rollback.rollback(left.home, left.spec.name, "1", REASON, rows_file(tmp_path, answers_of_the_left(left)))
    assert (done.version, done.rows, done.wrong) == ("1", 3, 0)

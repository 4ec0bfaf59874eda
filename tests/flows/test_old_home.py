"""A home that an older build made goes on as if nothing had changed."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import old_home
import pytest
import tiny_pipeline
from old_home import OldHome
from serving_helpers import serving

from perennial import doctor
from perennial.core import libraries
from perennial.core.home import Home
from perennial.registry.ledger import Ledger

NEAR = 0.02
"""How far a score may be from that of the machine the home was made on: int8 kernels differ between processors."""


@pytest.fixture
def old(tmp_path: Path, prefect_api: str, _quiet_environment: None, monkeypatch: pytest.MonkeyPatch) -> OldHome:
    """A home of the test's own.

    A run's key names the versions of the libraries that train and judge, so that a run with newer ones makes a new
    candidate, and should. Here they are as they were, so that whatever else is in the key must be as it was, too.
    """
    old = old_home.unpack(tmp_path / "old", prefect_api)

    def as_they_were(names: Iterable[str]) -> dict[str, str]:
        return {name: old.libraries[name] for name in names if name in old.libraries}

    monkeypatch.setattr(libraries, "versions", as_they_were)
    return old


def files(home: Home) -> dict[str, tuple[int, int]]:
    """Every file of the store with its size and the second it was written; the archive keeps no fractions."""
    stats = {str(path): path.stat() for path in home.store.root.rglob("*") if path.is_file()}
    return {path: (stat.st_size, int(stat.st_mtime)) for path, stat in stats.items()}


def moves(home: Home) -> list[tuple[str, str | None, str | None]]:
    return [
        (entry.action.value, entry.from_version, entry.to_version) for entry in Ledger.open(home).entries("sentiment")
    ]


def assert_near(lines: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """The same answers, to within what processors differ."""
    assert [(line["text"], line["label"]) for line in lines] == [(line["text"], line["label"]) for line in expected]
    for line, other in zip(lines, expected, strict=True):
        assert line["scores"] == pytest.approx(other["scores"], abs=NEAR)


def test_a_run_has_nothing_to_do(old: OldHome) -> None:
    stored, moved = files(old.place.home), moves(old.place.home)
    ended = old.place.command("run", "sentiment")
    assert ended.code == 0, ended.text
    assert "Already trained: version 2 (promoted)." in ended.text
    assert (files(old.place.home), moves(old.place.home)) == (stored, moved)


def test_its_champion_answers_as_before_and_a_rollback_is_followed(old: OldHome) -> None:
    place = old.place
    answers = place.command("predict", "sentiment", "--json", *old.texts).lines
    assert_near(answers, old.answers["2"])
    history = place.command("history", "sentiment", "--json").json
    assert history == old.history
    assert (history["agrees"], history["aliases"]["champion"]) == (True, "2")

    with serving(place.home, "sentiment") as server:
        said = server.predict(texts=old.texts).json
        assert said["version"] == "2"
        for given, answer in zip(said["predictions"], answers, strict=True):
            # A server parts rows otherwise, and an int8 model's scores depend a little on the rows beside.
            assert given["label"] == answer["label"]
            assert given["scores"] == pytest.approx(answer["scores"], abs=0.005)
        back = place.command("rollback", "sentiment", "--reason", "A test.", "--json")
        assert (back.code, back.json["version"], back.json["before"]) == (0, "1", "2"), back.text
        server.until(lambda: server.predict(texts=old.texts).json["version"] == "1")

    assert_near(place.command("predict", "sentiment", "--json", *old.texts).lines, old.answers["1"])
    assert max(abs(one["score"] - two["score"]) for one, two in zip(*old.answers.values(), strict=True)) > 5 * NEAR
    after = place.command("history", "sentiment", "--json").json
    assert after["events"][: len(history["events"])] == history["events"]
    assert (after["aliases"]["champion"], after["agrees"]) == ("1", True)


def test_doctor_has_nothing_against_it(old: OldHome, monkeypatch: pytest.MonkeyPatch) -> None:
    # Those of doctor's checks that look at homes; the others look at the machine.
    monkeypatch.chdir(old.place.folder)
    checks = ("home", "leftovers", "store", "MLflow", "ledger", "pipelines")
    findings = [finding for name in checks for finding in doctor.CHECKS[name](old.place.home)]
    assert len(findings) >= len(checks) - 1
    # It was made on a processor that adds int8 sums exactly; where this one does not, that is rightly said.
    others = [one for one in findings if "The package was made on a CPU with" not in one.seen]
    assert [finding for finding in others if finding.status is not doctor.Health.OK] == []


@pytest.mark.soak(twin="tests/flows/test_old_home.py::test_its_champion_answers_as_before_and_a_rollback_is_followed")
def test_its_versions_are_made_again(old: OldHome) -> None:
    # On another processor training comes to other weights: the figures may differ, the rows and the base may not.
    ended = old.place.command("reproduce", "sentiment", "2", "--tolerance", "1", "--json")
    assert ended.code == 0, ended.text
    facts = {fact["name"]: fact["before"] == fact["now"] for fact in ended.json["facts"]}
    assert all(facts[name] for name in ("data", "validated data", "base model")), ended.text


@pytest.mark.soak(twin="tests/flows/test_old_home.py::test_its_champion_answers_as_before_and_a_rollback_is_followed")
def test_more_rows_make_a_third_version(old: OldHome) -> None:
    data = old.place.folder / "pipelines" / "sentiment" / "data"
    tiny_pipeline.write_jsonl(data / "third.jsonl", tiny_pipeline.rows(90, 2000))
    stored = files(old.place.home)
    ended = old.place.command("run", "sentiment", "--json")
    assert ended.code in (0, 3, 4), ended.text
    said = ended.json
    assert (said["version"], said["data"]["rows"], said["data"]["new_rows"]) == ("3", 450, 90)
    assert said["metrics"]["champion"]["accuracy"] > 0.6
    now = files(old.place.home)
    assert {path: now[path] for path in stored} == stored

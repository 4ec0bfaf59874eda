"""`perennial gc`: what it removes, and that runs, rollbacks and the history go on as if it had not been there."""

import os
import time

import pytest
import tiny_pipeline
from place import Place, assert_explained

from perennial.promotion import retention_store

OLD = time.time() - 3 * 86400
EASY = ("--set", "gates=[{metric: accuracy, min: 0.3}]", "--reason", "A test.")
QUICK = (*EASY, "--set", "training.epochs=3")
EXTRA = ("parts", "validate", "encode")


def age(place: Place) -> None:
    for path in place.home.store.root.glob("*/*"):
        os.utime(path, (OLD, OLD))


@pytest.mark.soak(twin="tests/flows/test_gc.py::test_what_the_next_run_starts_from_is_needed_even_without_a_version")
def test_after_it_the_next_run_is_skipped_the_one_after_adds_its_part_and_rollback_works(seasoned: Place) -> None:
    (evaluation,), (trained,) = seasoned.entries("evaluate"), seasoned.entries("finetune")
    for version, settings in (("2", EASY), ("3", QUICK)):
        ended = seasoned.run("--json", *settings)
        assert (ended.code, ended.json["version"]) == (0, version), ended.text
    age(seasoned)
    steps = {step: seasoned.entries(step) for step in EXTRA}

    shown = seasoned.command("gc", "--keep", "1", "--keep-days", "0", "--dry-run")
    assert_explained(shown, 0, "version 1 of tiny", "promoted, 0 days old", "Would remove", "2 versions are kept")
    assert evaluation in seasoned.entries("evaluate")
    said = seasoned.command("gc", "--keep", "1", "--keep-days", "0", "--json").json
    assert (said["status"], said["dry_run"], said["kept_versions"]) == ("done", False, 2)
    assert [(one["model"], one["version"]) for one in said["versions"]] == [("tiny", "1")]
    assert f"store/evaluate/{evaluation}" in {place["path"] for place in said["places"]}
    assert said["bytes"] > 10_000
    assert evaluation not in seasoned.entries("evaluate")
    # Version 2, which is `previous`, was made from the same training.
    assert trained in seasoned.entries("finetune")
    assert_explained(seasoned.command("gc", "--keep", "1", "--keep-days", "0"), 0, "There is nothing to remove")

    again = seasoned.run("--json", *QUICK)
    assert (again.json["status"], again.json["version"]) == ("skipped", "3"), again.text
    assert_explained(
        seasoned.command("predict", "tiny", "a text", "--version", "1"), 1, "was removed by `perennial gc`"
    )
    refused = seasoned.command("rollback", "tiny", "--to", "1", "--reason", "to see")
    assert_explained(refused, 1, "version 1 of tiny was removed by `perennial gc`", "perennial history tiny")
    assert_explained(seasoned.command("rollback", "tiny", "--reason", "worse"), 0, "version 2 serves now")
    assert [event["action"] for event in seasoned.command("history", "tiny", "--json").json["events"]].count(
        "remove"
    ) == 1
    assert seasoned.champion() == "2"

    tiny_pipeline.write_csv(seasoned.data / "second.csv", tiny_pipeline.rows(60, 1000))
    ended = seasoned.run("--json", *QUICK)
    assert (ended.json["version"], ended.json["data"]["new_rows"]) == ("4", 60), ended.text
    for step, before in steps.items():
        after = seasoned.entries(step)
        assert {name: after.get(name) for name in before} == before, step
        assert len(after) == len(before) + 1, step


def test_what_the_next_run_starts_from_is_needed_even_without_a_version(seasoned: Place) -> None:
    needed = retention_store.of_heads(seasoned.home, ())
    steps = ("parts", "validate", "validation-report")
    assert needed == {f"{step}/{seasoned.entry(step).name}" for step in steps}


def test_wrong_usage_is_told(make_place) -> None:
    place = make_place()
    assert_explained(place.command("gc", "--keep", "0"), 2, "--keep")
    assert_explained(place.command("gc", "nothing"), 2, "knows no model 'nothing'; there are: none yet")
    assert_explained(place.command("gc"), 0, "There is nothing to remove.")

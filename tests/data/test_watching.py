"""A watched folder: new and changed files are news once, when they stand still."""

from pathlib import Path
from typing import Any

import pytest

from perennial.core.home import Home
from perennial.ingest.watch import Watch
from perennial.settings.pipeline import PipelineSpec


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return made(tmp_path)


def made(folder: Path, **source: Any) -> Watch:
    spec = PipelineSpec.model_validate(
        {
            "name": "tiny",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data/*.csv", **source}, "labels": ["a", "b"]},
            "gates": [{"metric": "accuracy", "min": 0.5}],
            "schedule": {"cron": "0 3 * * *", "watch": True, "settle_seconds": 10},
        }
    )
    (folder / "data").mkdir(exist_ok=True)
    return Watch(spec.located(folder), Home(folder / "home"))


def write(watch: Watch, name: str, text: str = "text,label\nx,a\n") -> None:
    with (watch.spec.folder / "data" / name).open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_file_is_news_when_it_stands_still_and_only_once(watch: Watch) -> None:
    assert watch.look(0) is None
    write(watch, "one.csv")
    assert watch.look(100) is None
    write(watch, "one.csv", "y,b\n")
    assert watch.look(109) is None
    assert watch.look(118) is None, "it grew nine seconds ago"
    assert watch.look(119) == "data/one.csv came"
    assert watch.look(120) == "data/one.csv came", "nobody started a run for it yet"
    watch.answered()
    assert watch.look(200) is None


def test_many_files_are_one_piece_of_news(watch: Watch) -> None:
    for name in "abcdef":
        write(watch, f"{name}.csv")
    assert watch.look(0) is None
    assert watch.look(10) == "data/a.csv, data/b.csv, data/c.csv and 3 more came"


def test_a_changed_file_is_news_and_one_that_went_is_not(watch: Watch) -> None:
    for name in ("one.csv", "two.csv"):
        write(watch, name)
    watch.look(0)
    watch.look(10)
    watch.answered()
    (watch.spec.folder / "data" / "one.csv").unlink()
    assert watch.look(20) is None
    assert watch.look(30) is None
    write(watch, "two.csv", "y,b\n")
    assert watch.look(40) is None
    assert watch.look(50) == "data/two.csv came"


def test_what_other_files_there_are_is_nothing_to_it(watch: Watch) -> None:
    write(watch, "notes.txt", "nothing")
    watch.look(0)
    assert watch.look(10) is None


def test_a_restart_forgets_nothing(watch: Watch) -> None:
    write(watch, "one.csv")
    watch.look(0)
    watch.look(10)
    watch.answered()
    again = made(watch.spec.folder)
    again.look(0)
    assert again.look(10) is None
    write(watch, "two.csv")
    third = made(watch.spec.folder)
    assert third.look(0) is None
    assert third.look(10) == "data/two.csv came", "it came while nobody looked"


def test_a_damaged_memory_costs_one_run(watch: Watch) -> None:
    write(watch, "one.csv")
    path = watch.home.state("tiny") / "watched.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    watch.look(0)
    assert watch.look(10) == "data/one.csv came"

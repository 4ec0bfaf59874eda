"""`perennial tune` from the command line: what it answers, what it writes, and what it refuses."""

from pathlib import Path

import pytest
import tiny_pipeline
from place import Place, assert_explained
from tuning_helpers import WEAK

from perennial.pipeline_file import loader


@pytest.fixture
def place(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv("PERENNIAL_HOME", raising=False)
    made = Place(tmp_path / "place", None)
    tiny_pipeline.write_pipeline(made.folder / "pipelines" / "tiny", tiny_base, tiny_pipeline.rows(200), **WEAK)
    return made


def test_the_best_is_shown_and_written_only_when_asked_to(place: Place) -> None:
    path = place.folder / "pipelines" / "tiny" / "pipeline.yaml"
    text = path.read_text(encoding="utf-8").replace("training:\n", "# Mine.\ntraining:   # of the tiny one\n")
    path.write_text(text, encoding="utf-8")

    shown = place.command("tune", "tiny", "--trials", "2")
    assert shown.code == 0, shown.text
    assert path.read_text(encoding="utf-8") == text
    assert "Of 2 trials, trial 2 was best: accuracy" in shown.text
    assert "perennial run tiny \\ --set training.epochs=" in shown.text

    ended = place.command("tune", "tiny", "--trials", "1", "--write", "--json")
    assert ended.code == 0, ended.text
    answer = ended.json
    assert (answer["status"], answer["earlier"], len(answer["trials"])) == ("done", 2, 3)
    assert answer["written"] == "pipelines/tiny/pipeline.yaml"
    now = path.read_text(encoding="utf-8")
    assert "# Mine.\ntraining:   # of the tiny one\n" in now
    before, after = text.splitlines(), now.splitlines()
    changed = {line.split(":")[0].strip() for line in {*before} ^ {*after}}
    assert changed == set(answer["changes"])
    training = loader.read_pipeline(path).training
    assert {name: getattr(training, name) for name in answer["best"]["settings"]} == answer["best"]["settings"]


def test_what_can_not_be_is_refused_at_once(place: Place) -> None:
    assert_explained(place.command("tune", "tinny"), 2, "There is no pipeline 'tinny'", "Did you mean 'tiny'?")
    assert_explained(place.command("tune", "tiny", "--trials", "0"), 2, "greater than or equal to 1")
    both = place.command("tune", "tiny", "--write", "--set", "training.max_rows=100")
    assert_explained(both, 2, "--write and --set exclude each other")
    assert not (place.home.root / "tuning").exists()


def test_a_damaged_study_is_told(place: Place) -> None:
    (place.home.root / "tuning").mkdir(parents=True)
    (place.home.root / "tuning" / "tiny.db").write_bytes(b"broken" * 1000)
    assert_explained(place.command("tune", "tiny"), 1, "`perennial tune` found out, is damaged. Move it away")

"""Settings are changed in pipeline.yaml where they stand, and nothing else in the file is."""

from pathlib import Path
from typing import Any

import pytest

from perennial.core.errors import SpecError
from perennial.pipeline_file import edit, loader
from perennial.settings.pipeline import PipelineSpec

HEAD = """\
# A pipeline, told in comments.
name: "tiny"   # quoted
kind: text-classification
data: {source: {type: file, path: rows.jsonl}, labels: [no, yes]}   # in braces
"""
TAIL = """
# The end.
gates:
  - {metric: accuracy, min: 0.5}   # a floor
"""
WANTED: dict[str, Any] = {"epochs": 5, "learning_rate": 3.1e-4, "layer_decay": 0.85}


def written(path: Path, text: str, settings: dict[str, Any] | None = None) -> tuple[str, PipelineSpec]:
    path.write_bytes(text.encode("utf-8"))
    edit.write_settings(path, "training", WANTED if settings is None else settings)
    return path.read_bytes().decode("utf-8"), loader.read_pipeline(path)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "training:\n  # why\n  epochs: 3      # three\n  seed: 1   # mine\n",
            "training:\n  # why\n  epochs: 5      # three\n  seed: 1   # mine\n"
            "  learning_rate: 3.1e-4\n  layer_decay: 0.85\n",
            id="some are there",
        ),
        pytest.param(
            "training:\n    learning_rate: auto # a\n    layer_decay: 1 # b\n    'epochs': 2.5 # c\n",
            "training:\n    learning_rate: 3.1e-4 # a\n    layer_decay: 0.85 # b\n    'epochs': 5 # c\n",
            id="all are there",
        ),
        pytest.param(
            "training: {epochs: 3, seed: 1}   # \u00fcber \U0001f600\n",
            "training: {epochs: 5, seed: 1, learning_rate: 3.1e-4, layer_decay: 0.85}   # \u00fcber \U0001f600\n",
            id="in braces",
        ),
        pytest.param(
            "training: {}\n",
            "training: {epochs: 5, learning_rate: 3.1e-4, layer_decay: 0.85}\n",
            id="empty braces",
        ),
    ],
)
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_only_what_is_changed_changes(before: str, after: str, start: str, end: str, tmp_path: Path) -> None:
    text, spec = written(tmp_path / "pipeline.yaml", (start + HEAD + before + TAIL).replace("\n", end))
    assert text == (start + HEAD + after + TAIL).replace("\n", end)
    assert {name: getattr(spec.training, name) for name in WANTED} == WANTED


@pytest.mark.parametrize("last", ["\n", ""], ids=["ended", "not ended"])
def test_a_group_that_is_not_there_comes_last(last: str, tmp_path: Path) -> None:
    text, _ = written(tmp_path / "pipeline.yaml", HEAD + TAIL.rstrip("\n") + last)
    assert text == HEAD + TAIL + "\n" + edit.lines("training", WANTED) + "\n"


def test_a_group_at_the_end_of_a_file_that_does_not_end_its_line(tmp_path: Path) -> None:
    text, _ = written(tmp_path / "pipeline.yaml", HEAD + TAIL + "training:\n  epochs: 3")
    assert text == HEAD + TAIL + "training:\n  epochs: 5\n  learning_rate: 3.1e-4\n  layer_decay: 0.85"


def test_what_lies_beside_it_still_counts_and_rights_stay(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    path.write_text(HEAD + TAIL, encoding="utf-8")
    path.chmod(0o640)
    (tmp_path / "behaviours.yaml").write_text("tests:\n  - broken: yes\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"behaviours\.yaml"):
        edit.write_settings(path, "training", WANTED)
    (tmp_path / "behaviours.yaml").unlink()
    edit.write_settings(path, "training", WANTED)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["pipeline.yaml"]


@pytest.mark.parametrize(
    "odd",
    [
        "evaluation: &shared {}\ntraining: *shared\n",
        "export: {max_drop: &few 0.1}\ntraining: {layer_decay: *few}\n",
        "training: {layer_decay: &few 0.1}\nexport: {max_drop: *few}\n",
    ],
    ids=["a group that stands elsewhere", "a value that stands elsewhere", "a value that stands for others"],
)
def test_what_is_not_plain_is_left_alone(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "pipeline.yaml"
    before = (HEAD + odd + TAIL).encode()
    path.write_bytes(before)
    with pytest.raises(SpecError, match=r"can't be changed without.*Write this into it yourself:\s+training:\s+epochs"):
        edit.write_settings(path, "training", WANTED)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "words"),
    [(3.1e-4, "3.1e-4"), (2e-4, "2.0e-4"), (0.85, "0.85"), (1.0, "1"), (0.0, "0"), (512, "512"), ("auto", "auto")],
)
def test_values_read_back_as_they_are(value: float | str, words: str, tmp_path: Path) -> None:
    from perennial.settings import strict_yaml

    assert edit.scalar(value) == words
    assert strict_yaml.load(words) == value

"""`--set` changes nothing that decides about a candidate unless somebody says why, in whichever form it is given."""

from pathlib import Path

import pytest

from perennial.core.errors import SpecError
from perennial.pipeline_file.set_aside import read_overrides

PIPELINE = """\
name: news
kind: text-classification
data:
  source: {type: file, path: data/*.jsonl}
  columns: {text: text, label: label, group: customer}
  labels: [yes, no]
gates:
  - {metric: accuracy, min: 0.8}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "pipeline.yaml"
    file.write_text(PIPELINE.replace("[yes, no]", '["yes", "no"]'), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("gates.0.min=0.1", "gates"),
        ("gates=[{metric: accuracy, min: 0.1}]", "gates"),
        ("evaluation={test_budget: 0.4}", "evaluation"),
        ("registry.approval_days=900", "registry"),
        ("data.splits.test=0.01", "data.splits"),
        ("data.columns.group=null", "data.columns.group"),
        ("data.columns={text: text, label: label}", "data.columns.group"),
        ("data.corrections=without-the-hard-ones.csv", "data.corrections"),
    ],
)
def test_what_decides_is_not_set_aside_without_a_reason(path: Path, override: str, named: str) -> None:
    with pytest.raises(SpecError, match=rf"--set changes {named}.*--reason is missing"):
        read_overrides(path, [override], "")


def test_what_decides_nothing_needs_none(path: Path) -> None:
    assert read_overrides(path, ["training.epochs=1", "data.columns.group=customer"], "") is None
    with pytest.raises(SpecError, match=r"changes nothing of gates, .*behaviours"):
        read_overrides(path, ["training.epochs=1"], "For fun.")

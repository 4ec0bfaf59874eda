"""`perennial behaviours`: the champion is asked what its pipeline's tests are now."""

from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from place import Place

TESTS = """\
tests:
  - name: telling words
    type: minimum
    texts: ["{word} of company"]
    slots: {word: [profit rose record, dividend profit]}
    expect: {label: LABEL}
    min_pass_rate: RATE
"""


@pytest.fixture
def pipeline(tmp_path: Path, tiny_base: Path) -> Path:
    """The champion's pipeline in a folder of the test's own."""
    (tmp_path / "tiny").mkdir()
    tiny_pipeline.write_settings(tmp_path / "tiny", tiny_base)
    return tmp_path / "tiny"


def write(pipeline: Path, label: str, rate: float) -> None:
    content = TESTS.replace("LABEL", label).replace("RATE", str(rate))
    (pipeline / "behaviours.yaml").write_text(content, encoding="utf-8")


def test_what_fails_is_shown_with_its_text(first_run: tuple[Place, dict[str, Any]], pipeline: Path) -> None:
    champion = first_run[0]
    write(pipeline, "negative", 1.0)
    ended = champion.command("behaviours", str(pipeline))
    assert ended.code == 4, ended.text
    assert "✗ telling words minimum 0 of 2 0.00 1.00" in ended.text
    assert "dividend profit of company positive" in ended.text
    ended = champion.command("behaviours", str(pipeline), "--version", "1", "--json")
    assert (ended.code, ended.json["status"]) == (4, "rejected")
    [test] = ended.json["tests"]
    assert [one["texts"] for one in test["failing"]] == [
        ["profit rose record of company"],
        ["dividend profit of company"],
    ]


def test_tests_that_pass_end_with_0_and_none_are_asked_for(
    first_run: tuple[Place, dict[str, Any]], pipeline: Path
) -> None:
    champion = first_run[0]
    missing = champion.command("behaviours", str(pipeline))
    assert missing.code == 2
    assert "The pipeline 'tiny' has no behavioural tests. Write some into" in missing.text
    write(pipeline, "negative", 0.0)
    assert champion.command("behaviours", str(pipeline)).code == 0
    write(pipeline, "positive", 0.5)
    good = champion.command("behaviours", str(pipeline), "--json")
    assert (good.code, good.json["tests"][0]["passed"]) == (0, 2)

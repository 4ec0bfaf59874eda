"""The behavioural tests that ship: valid, several capabilities, and about texts that no model has learned."""

import json
from pathlib import Path

import pytest

from perennial.evaluation.behaviours import cases
from perennial.inference.spans import Span
from perennial.pipeline_file import loader

PIPELINES = Path(__file__).parents[2] / "pipelines"
SHIPPED = sorted(file.parent.name for file in PIPELINES.glob("*/behaviours.yaml"))


def test_starter_sets_ship() -> None:
    assert {"sentiment", "topics", "entities"} <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_starter_set_tests_something_of_everything_and_no_row_of_the_data(name: str) -> None:
    spec = loader.read_pipeline(PIPELINES / name / "pipeline.yaml")
    by_test = cases.cases_of(spec)
    assert all(by_test.values())
    assert {"minimum", "invariance"} <= {test.type for test in spec.behaviours.tests}
    assert len({test.capability for test in spec.behaviours.tests}) >= 4
    files = sorted((PIPELINES / name / "data").glob("*.jsonl"))
    learned = {json.loads(line)["text"].casefold() for file in files for line in file.read_text().splitlines()}
    asked = {case.texts[0].casefold() for made in by_test.values() for case in made}
    assert not asked & learned


def test_marked_names_stand_in_the_text_as_they_are() -> None:
    spec = loader.read_pipeline(PIPELINES / "entities" / "pipeline.yaml")
    marked: set[tuple[str, Span]] = set()
    for made in cases.cases_of(spec).values():
        for case in made:
            assert "](" not in case.texts[0]
            marked |= {(case.texts[0][mark[0] : mark[1]], mark) for mark in case.marks}
    assert {"Halvane Foods", "Hannah O'Brien", "$40 million"} <= {text for text, _ in marked}
    assert all(text == text.strip() for text, _ in marked)

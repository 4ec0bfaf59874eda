"""What a new pipeline's rows are split by."""

import random
from pathlib import Path

import pytest
from init_files import write

from perennial.core.errors import SpecError
from perennial.init.guess import plan
from perennial.init.split_unit import split_unit
from perennial.init.template import write_pipeline
from perennial.pipeline_file import loader

WORDS = ("bank", "profit", "rises", "falls", "river", "market", "late", "early", "order", "plant", "ship", "again")


def sentences(many: int, seed: int) -> list[str]:
    chance = random.Random(seed)  # noqa: S311
    return [" ".join(chance.choices(WORDS, k=9)) for _ in range(many)]


def test_one_text_is_folded_and_of_two_the_one_that_is_repeated_more_decides() -> None:
    once, thrice = sentences(600, 1), [one for one in sentences(200, 2) for _ in range(3)]
    assert split_unit([once]) == "folded_text"
    assert split_unit([thrice, once]) == "first_text"
    assert split_unit([once, thrice]) == "second_text"
    assert split_unit([once, [None, *once[1:]]]) in ("first_text", "second_text")
    asked = ["How is the service?", "How is the price?"] * 300
    assert split_unit([once, asked]) == "first_text", "two texts would leave no choice of shares"
    assert split_unit([asked, asked]) == "folded_text"


def test_a_new_pipeline_says_what_its_rows_are_split_by_and_counts_labels_so(tmp_path: Path) -> None:
    copies = [
        {"text": f"{text} {number}.", "label": "ab"[n % 2]}
        for n, text in enumerate(sentences(60, 3))
        for number in range(5)
    ]
    guess = plan("news", write(tmp_path / "d.jsonl", copies))
    assert guess.splits_by == "folded_text"
    assert all(rows % 5 == 0 for labels in guess.label_rows.values() for rows in labels.values())
    path = write_pipeline(guess, tmp_path / "pipelines" / "news")
    assert loader.read_pipeline(path).data.splits.by == "folded_text"
    text = path.read_text(encoding="utf-8")
    # A group that is named while rows are split by text would be parted; both ways out are said.
    path.write_text(text.replace("    # group: customer", "    group: customer"), encoding="utf-8")
    with pytest.raises(SpecError, match=r"would part its groups; say splits\.by: group \(or text"):
        loader.read_pipeline(path)
    named = text.replace("    # group: customer", "    group: customer").replace("{by: folded_text}", "{by: group}")
    path.write_text(named, encoding="utf-8")
    assert loader.read_pipeline(path).data.splits.by == "group"
    path.write_text(text.replace("{by: folded_text}", "{by: group}"), encoding="utf-8")
    with pytest.raises(SpecError, match=r"splits\.by: group needs columns\.group"):
        loader.read_pipeline(path)

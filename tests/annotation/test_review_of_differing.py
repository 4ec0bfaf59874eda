"""The line of a text of which people said different things, in the file that a person corrects."""

from typing import Any

import pytest

from perennial import kinds
from perennial.evaluation.label_review import _differing_row


@pytest.mark.parametrize(
    ("kind", "given", "decided", "said"),
    [
        ("text-classification", ["good", "bad", "good"], "good", ("good | bad", "good")),
        ("multi-label", [["a", "b"], ["a"]], None, ("a|b | a", "")),
        (
            "token-classification",
            [[{"start": 0, "end": 4, "label": "PER"}], []],
            None,
            ("[Anna](PER) left | Anna left", ""),
        ),
    ],
)
def test_it_says_what_people_said(kind: str, given: list[Any], decided: Any, said: tuple[str, str]) -> None:
    row = {"row_id": "7", "file": "a.json", "place": 3, "texts": {"text": "Anna left"}, "given": given}
    line = _differing_row(kinds.kind_named(kind), row | {"decided": decided}, ["text"])
    assert (line["row_id"], line["file"], line["line"], line["text"], line["label"]) == (
        "7",
        "a.json",
        3,
        "Anna left",
        "",
    )
    assert (line["given_label"], line["suggested_label"]) == said

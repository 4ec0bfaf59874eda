"""Metrics of spans are seqeval's, to the last digit."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2
from span_tags import bio2

from perennial.inference import spans
from perennial.metrics import entities
from perennial.records import evaluation

LABELS = ("LOC", "ORG", "PER", "UNSEEN")


@st.composite
def tagged(draw: st.DrawFn, words: int) -> list[str]:
    """Legal BIO2 tags of `words` words."""
    found: list[spans.Span] = []
    place = 0
    while place < words:
        size = draw(st.integers(1, 3))
        if draw(st.booleans()) and place + size <= words:
            found.append((place, place + size, draw(st.sampled_from(LABELS[:3]))))
        place += size
    return bio2(found, words)


@st.composite
def judged(draw: st.DrawFn) -> list[tuple[list[str], list[str]]]:
    """Right and found tags of some rows; often alike, so that some spans are right."""
    rows = []
    for words in draw(st.lists(st.integers(0, 8), min_size=1, max_size=6)):
        right = draw(tagged(words))
        rows.append((right, right if draw(st.booleans()) else draw(tagged(words))))
    return rows


def measured(rows: list[tuple[list[str], list[str]]]) -> evaluation.Metrics:
    return entities.entity_metrics(
        *([spans.of_tags(tags) for tags in side] for side in zip(*rows, strict=True)), LABELS
    )


@pytest.mark.parametrize("settings", [{}, {"mode": "strict", "scheme": IOB2}], ids=["conlleval", "strict"])
@given(rows=judged())
def test_every_figure_is_seqevals(settings: dict, rows: list[tuple[list[str], list[str]]]) -> None:
    right, found = ([list(tags) for tags in side] for side in zip(*rows, strict=True))
    metrics = measured(rows)
    if not any(tag != "O" for tags in right for tag in tags):
        assert metrics.values == {}
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert metrics.values == pytest.approx(
            {
                "precision": precision_score(right, found, zero_division=0, **settings),
                "recall": recall_score(right, found, zero_division=0, **settings),
                "f1": f1_score(right, found, zero_division=0, **settings),
                "macro_f1": f1_score(right, found, average="macro", zero_division=0, **settings),
            },
            abs=1e-12,
        )
        report = classification_report(right, found, output_dict=True, zero_division=0, **settings)
    for label in LABELS:
        theirs = report.get(label, {"support": 0})
        assert metrics.support[label] == theirs["support"]
        if theirs["support"]:
            assert metrics.per_label[label] == pytest.approx(
                {name: theirs[known] for name, known in [("precision",) * 2, ("recall",) * 2, ("f1", "f1-score")]},
                abs=1e-12,
            )
        else:
            assert label not in metrics.per_label


PER, ORG = (0, 2, "PER"), (3, 5, "ORG")


@pytest.mark.parametrize(
    ("found", "precision", "recall"),
    [
        ([PER, ORG], 1.0, 1.0),
        ([PER], 1.0, 0.5),
        ([], 0.0, 0.0),
        ([(0, 2, "ORG"), ORG], 0.5, 0.5),
        ([(0, 1, "PER"), ORG], 0.5, 0.5),
        ([PER, (3, 4, "ORG"), (4, 5, "ORG")], 1 / 3, 0.5),
    ],
)
def test_a_span_counts_when_both_ends_and_the_label_are_right(
    found: list[spans.Span], precision: float, recall: float
) -> None:
    metrics = entities.entity_metrics([[PER, ORG]], [found], ("PER", "ORG"))
    assert metrics.values["precision"] == pytest.approx(precision)
    assert metrics.values["recall"] == pytest.approx(recall)


def test_a_span_counts_in_its_own_row_only() -> None:
    assert entities.entity_metrics([[PER], []], [[], [PER]], ("PER",)).values["f1"] == 0


def test_no_span_to_find_is_nothing_to_measure() -> None:
    metrics = entities.entity_metrics([[], []], [[PER], []], ("PER", "ORG"))
    assert (metrics.n, metrics.values, metrics.per_label) == (2, {}, {})
    assert metrics.support == {"PER": 0, "ORG": 0}

"""Test rows that belong together: a copy is no second observation."""

import itertools
from typing import Any

import numpy as np
import pytest

from benchmarks import clusters as simulation
from benchmarks import gates as worlds
from perennial import kinds
from perennial.evaluation import resampling
from perennial.evaluation.comparison import ComparedRows, Rivals, Sums, mcnemar
from perennial.metrics import sums
from perennial.metrics.clusters import GROUP, Clusters, effective_rows, in_words, mcnemar_by_cluster, wilson
from perennial.settings.evaluation import EvaluationSpec

LABELS = ("a", "b")
KIND = kinds.kind_named("text-classification")
QUICK = EvaluationSpec(resamples=2000)
Z = 1.959964


def rivals(outcomes: list[int], clusters: Clusters | None) -> Rivals:
    """Rows by outcome: 0 both right, 1 only the candidate, 2 only the champion, 3 neither."""
    targets = [LABELS[row % 2] for row in range(len(outcomes))]
    models = [
        [_answer(target, right) for target, right in zip(targets, hits, strict=True)]
        for hits in ([one in (0, 1) for one in outcomes], [one in (0, 2) for one in outcomes])
    ]
    rows = ComparedRows(KIND, LABELS, list(map(str, range(len(targets)))), targets, QUICK, clusters)
    return Rivals(rows, *models)


def _answer(target: str, right: bool) -> dict[str, Any]:
    label = target if right else LABELS[1 - LABELS.index(target)]
    return {"label": label, "score": 0.8, "scores": {name: 0.8 if name == label else 0.2 for name in LABELS}}


OUTCOMES = [0] * 180 + [1] * 6 + [2] * 10 + [3] * 4


@pytest.mark.parametrize("copies", [2, 10, 40])
def test_copies_of_every_text_make_nothing_surer(copies: int) -> None:
    once = rivals(OUTCOMES, None).compare()
    # Copies stand side by side, so that a text has an even number of rows of either label or all of one.
    texts = np.repeat(np.arange(len(OUTCOMES)), copies)
    targets = [LABELS[text % 2] for text in texts]
    several = rivals([OUTCOMES[text] for text in texts], Clusters.by_numbers({"text": texts}))
    several = Rivals(
        ComparedRows(KIND, LABELS, several.rows.ids, targets, QUICK, several.rows.clusters),
        [_answer(target, OUTCOMES[text] in (0, 1)) for target, text in zip(targets, texts, strict=True)],
        [_answer(target, OUTCOMES[text] in (0, 2)) for target, text in zip(targets, texts, strict=True)],
    )
    found = several.compare()
    for metric, difference in once.values.items():
        again = found.values[metric]
        width = difference.interval.high - difference.interval.low
        assert again.value == pytest.approx(difference.value)
        assert again.interval.low == pytest.approx(difference.interval.low, abs=0.08 * width)
        assert again.interval.high == pytest.approx(difference.interval.high, abs=0.08 * width)
        assert again.worse_p == pytest.approx(difference.worse_p, abs=0.03)
    assert found.mcnemar_p == pytest.approx(once.mcnemar_p)
    assert (found.n, found.clusters, found.clustered_by) == (200 * copies, 200, "text")
    assert found.effective_n == pytest.approx(200, rel=0.02)


def test_rows_that_are_all_alone_are_judged_as_without_clusters() -> None:
    alone = Clusters.by_numbers({"text": np.arange(len(OUTCOMES))})
    assert rivals(OUTCOMES, alone).compare() == rivals(OUTCOMES, None).compare()
    assert "clusters" not in rivals(OUTCOMES, alone).compare().model_dump()


def test_two_texts_that_never_differed_say_little_however_many_copies_they_have() -> None:
    texts = np.repeat([0, 1], 500)
    both = rivals([0] * 1000, Clusters.by_numbers({"text": texts}))
    interval = both.compare().values["accuracy"].interval
    assert interval.low < -0.5
    assert interval.high > 0.5


def test_groups_whose_rows_are_not_alike_cost_little() -> None:
    draw = np.random.default_rng(3)
    outcomes = draw.choice(4, size=2000, p=(0.84, 0.04, 0.04, 0.08)).tolist()
    groups = Clusters.by_numbers({GROUP: np.repeat(np.arange(100), 20)})
    alone, grouped = (rivals(outcomes, given).compare().values["accuracy"].interval for given in (None, groups))
    assert (grouped.high - grouped.low) < 1.5 * (alone.high - alone.low)


def test_in_a_slice_only_its_own_rows_of_a_cluster_count() -> None:
    texts = np.repeat(np.arange(200), 3)
    inside = np.arange(600) % 3 == 0
    both = rivals([OUTCOMES[text] for text in texts], Clusters.by_numbers({"text": texts}))
    part = both.compare_inside(inside)
    assert (part.n, part.clusters) == (200, None)
    assert part.values == rivals_of(both, inside).compare_inside(np.ones(200, bool)).values
    figures = Sums.of(both.rows, both.rows.metric_sums(both.candidate)).metrics(~inside)
    assert (figures.n, figures.clusters) == (400, 200)


def rivals_of(both: Rivals, inside: np.ndarray) -> Rivals:
    """Both models on the rows `inside`."""
    rows = [row for row, there in enumerate(inside) if there]
    targets = [both.rows.targets[row] for row in rows]
    compared = ComparedRows(KIND, LABELS, list(map(str, rows)), targets, QUICK)
    return Rivals(compared, [both.candidate[row] for row in rows], [both.champion[row] for row in rows])


def test_rows_that_cross_vary_as_both_ways_say() -> None:
    """Cameron, Gelbach and Miller 2011: V by first and by second text, less V by what is together in both."""
    draw = np.random.default_rng(5)
    first, second = np.repeat(np.arange(60), 10), np.tile(np.arange(10), 60)
    shift = draw.random(10) < 0.4
    outcomes = np.where(shift[second] & (draw.random(600) < 0.5), 2, 0).tolist()
    by_first = rivals(outcomes, Clusters.by_numbers({"text": first})).compare().values["accuracy"]
    crossed = Clusters.by_numbers({"text": first, "text_pair": second})
    both = rivals(outcomes, crossed).compare().values["accuracy"]
    assert crossed.unit == "text_pair", "there are fewer of the second texts"
    assert both.standard_error > 2 * by_first.standard_error


@pytest.mark.parametrize("name", ["250 texts × 4", "50 texts × 40", "300 texts, the n-th with 100 / n copies"])
def test_a_candidate_worse_by_the_margin_is_promoted_as_seldom_as_promised(name: str) -> None:
    worse = worlds.world(worlds.MARGIN, 0.03)
    found = simulation.promotions(worse, simulation.LAYOUTS[name], pairs=150, resamples=1000)
    assert found.ours <= 0.03
    assert found.by_rows >= 0.12, "what each row by itself would say"


@pytest.mark.parametrize("sums_of_clusters", [[1, 1, -1], [3, -2, 1, 1], [5, 5, 5, -4, 0], [2, -2]])
def test_signs_of_clusters_are_counted_exactly(sums_of_clusters: list[int]) -> None:
    flips = np.concatenate([np.full(abs(each), np.sign(each)) for each in sums_of_clusters if each])
    numbers = np.concatenate([np.full(abs(each), index) for index, each in enumerate(sums_of_clusters) if each])
    sizes = [abs(each) for each in sums_of_clusters if each]
    every = [abs(np.dot(signs, sizes)) for signs in itertools.product((1, -1), repeat=len(sizes))]
    expected = np.mean([one >= abs(sum(sums_of_clusters)) for one in every])
    assert mcnemar_by_cluster(flips, numbers) == pytest.approx(expected)


def test_signs_of_rows_by_themselves_are_mcnemar() -> None:
    flips = np.array([1] * 30 + [-1] * 45 + [0] * 20)
    assert mcnemar_by_cluster(flips, np.arange(95)) == pytest.approx(mcnemar(45, 30))
    many = np.repeat([1, -1], [6000, 5800])
    exact, normal = (mcnemar_by_cluster(np.repeat(many, k), np.repeat(np.arange(len(many)), k)) for k in (1, 2))
    assert normal == pytest.approx(exact, abs=0.01)


def test_a_share_of_copies_is_as_sure_as_of_its_texts() -> None:
    hits = np.array([True] * 12 + [False] * 88)
    copies = np.repeat(hits, 10)
    effective = effective_rows(copies, Clusters.by_numbers({"text": np.repeat(np.arange(100), 10)}), Z)
    assert effective == pytest.approx(100, rel=0.02)
    assert wilson(120, 1000, effective, Z) == pytest.approx(wilson(12, 100, None, Z), abs=0.002)
    assert effective_rows(np.zeros(1000, bool), Clusters.by_numbers({"text": np.repeat([0, 1], 500)}), Z) <= 2


def test_what_one_imagined_cluster_is_worth_is_as_many_rows_as_it_has() -> None:
    answers = [_answer("a", True)] * 40
    metric_sums = sums.single_label_sums(["a"] * 40, answers, LABELS)[0]
    distinct = resampling.Distinct.of(metric_sums, Clusters.by_numbers({"text": np.repeat(np.arange(10), 4)}))
    found = resampling.estimate_inside(distinct, None, confidence=0.95, resamples=1000)
    ten = resampling.Distinct.of(sums.single_label_sums(["a"] * 10, answers[:10], LABELS)[0])
    alone = resampling.estimate(ten, ten.counts(), confidence=0.95, resamples=1000)
    assert found.low == pytest.approx(alone.low, nan_ok=True)


@pytest.mark.parametrize(
    ("rows", "clusters", "by", "words"),
    [
        (1, None, None, "1 test row"),
        (2000, 50, "text", "2,000 test rows of 50 texts"),
        (2000, 1, "group", "2,000 test rows of 1 group"),
    ],
)
def test_both_counts_are_told(rows: int, clusters: int | None, by: str | None, words: str) -> None:
    assert in_words(rows, clusters, by) == words

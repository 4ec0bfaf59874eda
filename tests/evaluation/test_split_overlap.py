"""Copies across splits: none that folding sees, and what it doesn't see is counted and left out of a figure beside."""

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import good_rows
import numpy as np
import pyarrow as pa
import pytest
from row_splits import splits_of_rows
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from perennial.core.home import Home
from perennial.evaluation import from_answers, gates
from perennial.evaluation.judged_rows import split_overlap
from perennial.evaluation.stored_answers import Answers
from perennial.ingest.snapshots import ingest
from perennial.metrics.clusters import wilson
from perennial.metrics.near_copy_figures import NEAR, NONE, SHARED, sentences, without_copies
from perennial.records.decision import Verdict
from perennial.records.evaluation import Evaluation, EvaluationContext
from perennial.rows.folding import folded
from perennial.rows.likeness import near_copies
from perennial.settings.data import SplitsSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.validation.read_rows import read_split

Edit = Callable[[str], str]
FOLDED: Sequence[Edit] = (
    str, lambda text: f"{text}.", lambda text: text.replace(" ", " \u200b", 1), lambda text: f"<p>{text}</p>",
    lambda text: text.replace(" ", "&nbsp;", 2),
)  # fmt: skip
WORDED: Sequence[Edit] = (
    str, lambda text: f"{text} (update)", lambda text: f"Breaking: {text}", lambda text: f"{text} Reuters",
    lambda text: f"UPDATE 2 {text} (AP)",
)  # fmt: skip
Z = 3.0
"""Of an interval: one in 400 is missed by chance."""


def words(chance: random.Random, many: int) -> list[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ["".join(chance.choices(letters, k=chance.randint(3, 9))) for _ in range(many)]


def coin_labels(edits: Sequence[Edit], variants: int, documents: int = 700) -> tuple[pa.Array, np.ndarray, list[str]]:
    """Documents of fifteen words whose labels are drawn by a coin, each in so many variants; with their splits."""
    chance = random.Random(5)  # noqa: S311
    known = words(chance, 400)
    texts, labels = [], []
    for _ in range(documents):
        document, label = " ".join(chance.choices(known, k=15)), chance.randrange(2)
        texts += [edit(document) for edit in edits[:variants]]
        labels += [label] * variants
    by = SplitsSpec(by="folded_text")
    return pa.array(texts), np.array(labels), splits_of_rows([[text] for text in texts], by)


def answered(texts: pa.Array, labels: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Whether TF-IDF and logistic regression, trained on train, are right on each test row."""
    every = np.array(texts.to_pylist(), object)
    vectorizer = TfidfVectorizer().fit(every[split == "train"])
    model = LogisticRegression(C=100).fit(vectorizer.transform(every[split == "train"]), labels[split == "train"])
    return model.predict(vectorizer.transform(every[split == "test"])) == labels[split == "test"]


def holds_a_half(right: np.ndarray, documents: Sequence[str]) -> bool:
    """Whether 0.5 is in the interval of the share that is right, counted by documents."""
    low, high = wilson(int(right.sum()), len(right), len(set(documents)), Z)
    return low <= 0.5 <= high


@pytest.mark.parametrize("variants", [1, 2, 3, 5])
def test_coin_labels_can_not_be_known_by_copies_that_folding_sees(variants: int) -> None:
    texts, labels, split = coin_labels(FOLDED, variants)
    right = answered(texts, labels, np.array(split))
    tested = [text for text, name in zip(folded(texts), split, strict=True) if name == "test"]
    assert len(right) == len(tested) == variants * len(set(tested)) > 80
    assert holds_a_half(right, tested)


@pytest.mark.parametrize("variants", [2, 3, 5])
def test_coin_labels_that_copies_in_other_words_give_away_are_not_in_the_figure_without_them(variants: int) -> None:
    texts, labels, split = coin_labels(WORDED, variants)
    in_test, in_train = np.array(split) == "test", np.array(split) == "train"
    letters = np.array(folded(texts), object)
    right = answered(texts, labels, np.array(split))
    near = near_copies.near_copies(letters[in_test], letters[in_train])
    assert not holds_a_half(right, letters[in_test]), "by heart"
    assert near.mean() > 0.5
    # Each document is its first fifteen words' letters, whatever stands before and after.
    documents = np.repeat(letters[0::variants], variants)
    copied = np.isin(documents[in_test], documents[in_train])
    assert np.array_equal(near, copied), "all copies, and nothing else"
    assert holds_a_half(right[~near], list(documents[in_test][~near]))


def test_what_is_alike_is_found_whatever_the_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(3)  # noqa: S311
    known = words(chance, 2000)

    def text() -> str:
        return "".join(chance.choices(known, k=12))

    texts = [text() for _ in range(300)]
    others = [text() for _ in range(900)] + [f"breaking{text}" for text in texts[:100]] + texts[100:120]
    whole = near_copies.near_copies(texts, others)
    assert whole.tolist() == [True] * 120 + [False] * 180
    monkeypatch.setattr(near_copies, "BATCH_LETTERS", 5_000)
    assert near_copies.near_copies(texts, iter(others)).tolist() == whole.tolist()
    assert near_copies.near_copies([], others).tolist() == near_copies.near_copies([], []).tolist() == []
    assert near_copies.near_copies(["a", "", "no"], ["a", "noon"]).tolist() == [True, False, False]


@pytest.mark.parametrize("many", [4, 10, 40])
def test_similarity_is_estimated_closely(many: int) -> None:
    chance = random.Random(many)  # noqa: S311
    known = words(chance, 3000)
    for _ in range(60):
        one = chance.choices(known, k=many)
        other = [word if chance.random() < 0.93 else chance.choice(known) for word in one]
        texts = "".join(one), "".join(other)
        sets = [{text[i : i + 5] for i in range(max(1, len(text) - 4))} for text in texts]
        exact = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        if abs(exact - near_copies.THRESHOLD) > 0.12:
            assert near_copies.near_copies(texts[:1], texts[1:])[0] == (exact >= near_copies.THRESHOLD), exact


def spec_of(
    tmp_path: Path, by: str, gates: Sequence[dict[str, Any]] = (), kind: str = "text-classification"
) -> PipelineSpec:
    settings = {
        "name": "news",
        "kind": kind,
        "data": {"source": {"type": "file", "path": "a.jsonl"}, "labels": ["a", "b"], "splits": {"by": by}},
        "evaluation": {"resamples": 1000},
        "gates": [*gates] or [{"metric": "accuracy", "min": 0.1}],
    }
    return PipelineSpec.model_validate(settings).located(tmp_path)


def measured(spec: PipelineSpec, rows: pa.Table) -> tuple[pa.Table, split_overlap.SplitOverlap]:
    (spec.folder / "a.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows.to_pylist()))
    home = Home(spec.folder / "home")
    data = good_rows.checked(ingest(spec, home))
    test = read_split(data, home.store, "test", ["row_id", "text", "label", *rows.column_names[2:]])
    return test, split_overlap.measure_overlap(spec, data, test, home)


def judged(spec: PipelineSpec, test: pa.Table, overlap: split_overlap.SplitOverlap) -> Evaluation:
    """Of a model that is right where a row is a near copy, and says `a` elsewhere."""
    near = overlap.memberships.get(NEAR, np.zeros(test.num_rows, bool))
    labels = [label if known else "a" for label, known in zip(test["label"].to_pylist(), near, strict=True)]
    said = [
        {"label": label, "score": 0.9, "scores": {"a": 0.9 if label == "a" else 0.1, "b": 0.1 if label == "a" else 0.9}}
        for label in labels
    ]
    answers = Answers(test["row_id"].to_pylist(), test["label"], said, None, {}, overlap.memberships)
    context = EvaluationContext(near_copies=overlap.counted)
    return from_answers.evaluation_of(spec, answers, context, digest="e" * 64, predictions_path="evaluate/x")


GATES = [
    {"metric": "near_copy_rate", "max": 0.1},
    {"metric": "accuracy", "slice": NONE, "min": 0.9},
    {"metric": "accuracy", "min": 0.7},
]


def rows_of(edits: Sequence[Edit], variants: int) -> pa.Table:
    texts, labels, _ = coin_labels(edits, variants, 200)
    return pa.table({"text": texts, "label": np.array(["a", "b"])[labels]})


def test_near_copies_are_counted_said_and_gated(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "folded_text", GATES)
    test, overlap = measured(spec, rows_of(WORDED, 3))
    counted = overlap.counted
    assert counted.test == test.num_rows > counted.near > 0.8 * counted.test
    assert counted.validation_near > 0.8 * counted.validation > 0
    assert counted.compared == counted.train
    evaluation = judged(spec, test, overlap)
    [said] = sentences("accuracy", evaluation)
    without = without_copies(evaluation)
    assert without is not None
    assert said.startswith(
        f"{counted.near} of {counted.test} test rows are near copies of train rows; accuracy without "
    )
    assert f"{without.values['accuracy']:.4f} (" in said
    assert f"n = {counted.test - counted.near})." in said
    verdicts = [check.verdict for check in gates.decide(spec, evaluation).checks]
    assert verdicts == [Verdict.FAIL, Verdict.FAIL, Verdict.PASS]


def test_without_near_copies_nothing_is_said_and_the_gates_pass(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "folded_text", GATES[:1])
    test, overlap = measured(spec, rows_of(FOLDED, 3))
    assert (overlap.counted.near, overlap.counted.validation_near) == (0, 0)
    assert [(name, rows.all()) for name, rows in overlap.memberships.items()] == [(NONE, True)]
    evaluation = judged(spec, test, overlap)
    assert list(sentences("accuracy", evaluation)) == []
    assert [check.verdict for check in gates.decide(spec, evaluation).checks] == [Verdict.PASS]


def test_a_gate_per_slice_is_about_kinds_of_rows_and_not_about_copies(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "folded_text", [{"metric": "accuracy", "per": "slice", "min": 0.99}])
    test, overlap = measured(spec, rows_of(WORDED, 3))
    evaluation = judged(spec, test, overlap)
    assert {one.by for one in evaluation.slices} == {"near copies"}
    [check] = gates.decide(spec, evaluation).checks
    assert check.verdict is Verdict.UNDECIDED, "there is no slice to ask"


def test_an_evaluation_that_did_not_look_leaves_the_gate_undecided(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "folded_text", GATES[:1])
    test, overlap = measured(spec, rows_of(WORDED, 2))
    older = judged(spec, test, overlap).model_copy(update={"near_copies": None})
    [check] = gates.decide(spec, older).checks
    assert (check.verdict, "were not looked for" in check.reason) == (Verdict.UNDECIDED, True)


def pairs(tmp_path: Path, by: str) -> tuple[pa.Table, split_overlap.SplitOverlap]:
    """A hundred premises with three hypotheses each, some of which several premises have."""
    chance = random.Random(1)  # noqa: S311
    known = words(chance, 500)
    premises = [" ".join(chance.choices(known, k=9)) for _ in range(100)]
    asked = [" ".join(chance.choices(known, k=6)) for _ in range(220)]
    rows = [(premise, asked[(3 * number + one) % 220]) for number, premise in enumerate(premises) for one in range(3)]
    table = pa.table({"text": [row[0] for row in rows], "label": ["a"] * 300, "text_pair": [row[1] for row in rows]})
    return measured(spec_of(tmp_path, by, kind="text-pair"), table)


def test_pairs_share_the_text_they_are_split_by_with_no_train_row_and_the_other_is_counted(tmp_path: Path) -> None:
    test, overlap = pairs(tmp_path, "first_text")
    assert test.num_rows == 3 * len(set(test["text"].to_pylist())) > 0
    assert overlap.counted.near == 0
    assert 0 < overlap.counted.shared < test.num_rows
    assert (overlap.memberships[SHARED] ^ overlap.memberships[NONE]).all()
    spec = spec_of(tmp_path, "first_text", kind="text-pair")
    [said] = sentences("accuracy", judged(spec, test, overlap))
    assert said.startswith(f"{overlap.counted.shared} of {test.num_rows} test rows share one text with a train row")


def test_pairs_split_by_both_texts_share_most_of_them(tmp_path: Path) -> None:
    test, overlap = pairs(tmp_path, "text")
    assert overlap.counted.shared > 0.8 * test.num_rows

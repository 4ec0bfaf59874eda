"""The kind token-classification: rows as they come, targets, loss, measures, and what it asks of a spec."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from tiny_model import write_tiny_tokenizer

from perennial import kinds
from perennial.inference import decoders, spans
from perennial.inference.decoders import Encoded, Meaning
from perennial.inference.tokenization import Tokenizer
from perennial.kinds.token_classification.kind import KIND
from perennial.kinds.token_classification.learning import NOT_LEARNED
from perennial.rows.batch import Batch
from perennial.settings.data import ColumnsSpec
from perennial.settings.pipeline import PipelineSpec
from perennial.settings.training import TrainingSpec

LABELS = ("ORG", "PER")
OUTSIDE, B_ORG, I_ORG, B_PER, I_PER = range(5)
DECODER = decoders.decoder_named(KIND.name)
TOKENS = ColumnsSpec(tokens="tokens")


def span(start: int, end: int, label: str = "ORG") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def spec(*gates: dict[str, Any], labels: tuple[str, ...] = LABELS, **model: Any) -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "entities",
            "kind": KIND.name,
            "data": {"source": {"type": "file", "path": "a.jsonl"}, "labels": labels},
            "model": model,
            "gates": list(gates) or [{"metric": "f1", "min": 0.5}],
        }
    )


def targets(*rows: list[dict[str, Any]]) -> pa.Array:
    return pa.array(rows, KIND.column_types()["spans"])


def canonical(columns: ColumnsSpec = TOKENS, **cells: Any) -> dict[str, Any]:
    """The canonical cells of one row."""
    batch = Batch("rows.jsonl", "line", [1], {name: [cell] for name, cell in cells.items()})
    return {name: values.to_pylist()[0] for name, values in KIND.canonical(batch, columns).items()}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    write_tiny_tokenizer(file)
    return Tokenizer(file, 12)


def test_it_is_known_by_its_name() -> None:
    assert kinds.kind_named("token-classification") is KIND


@pytest.mark.parametrize("metric", KIND.metrics)
def test_every_metric_can_be_gated_and_is_measured(metric: str) -> None:
    assert KIND.spec_problems(spec({"metric": metric, "min": 0})) == []
    metrics = KIND.measure([[span(0, 3)]], [{"spans": [span(0, 3)]}], LABELS)
    assert set(metrics.values) == set(KIND.metrics)
    assert metrics.values[metric] == 1.0
    assert set(metrics.per_label["ORG"]) == set(KIND.label_metrics)


def test_what_does_not_fit_is_a_problem() -> None:
    assert KIND.spec_problems(spec(labels=("ORG",))) == []
    [(setting, _)] = KIND.spec_problems(spec(labels=()))
    assert setting == ("data", "labels")
    [(setting, _)] = KIND.spec_problems(spec({"metric": "accuracy", "min": 0.5}))
    assert setting == ("gates", 0, "metric")
    [(setting, problem)] = KIND.spec_problems(spec(pooling="mean"))
    assert setting == ("model", "pooling")
    assert "'mean' makes one vector of a text" in problem


def test_tokens_become_a_text_with_spans() -> None:
    assert canonical(
        tokens=["Siemens", "AG", "buys", "É\u0301 😀", "Yahoo"], tags=["B-ORG", "I-ORG", "O", "B-PER", "B-ORG"]
    ) == {
        "text": "Siemens AG buys É\u0301 😀 Yahoo",
        "tokens": ["Siemens", "AG", "buys", "É\u0301 😀", "Yahoo"],
        "spans": [span(0, 10), span(16, 20, "PER"), span(21, 26)],
        "fault": None,
    }


@pytest.mark.parametrize(
    "cells",
    [
        {"tokens": "Siemens AG", "tags": "B-ORG I-ORG"},
        {"tokens": '["Siemens", "AG"]', "tags": '["B-ORG", "I-ORG"]'},
        {"tokens": ("Siemens", "AG"), "tags": ("I-ORG", "I-ORG")},
        {"tokens": ["Siemens", "AG"], "tags": ["B-ORG", "E-ORG"]},
        {"tokens": ["Siemens", "AG"], "tags": ["B_ORG", "L_ORG"]},
    ],
)
def test_tokens_and_tags_as_they_come(cells: dict[str, Any]) -> None:
    row = canonical(**cells)
    assert (row["text"], row["tokens"], row["fault"]) == ("Siemens AG", ["Siemens", "AG"], None)
    assert row["spans"] == [span(0, 10)]


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["Siemens", "AG"], "Siemens AG"),
        ("Siemens AG", "Siemens AG"),
        ([], "[]"),
        (" ", "[]"),
        (5, "5"),
        (None, "None"),
    ],
)
def test_a_faulty_row_shows_what_it_holds(tokens: object, text: str) -> None:
    row = canonical(tokens=tokens, tags="X-ORG")
    assert row["fault"]
    assert (row["text"], row["tokens"], row["spans"]) == (text, None, [])


@pytest.mark.parametrize(
    ("cell", "spans"),
    [
        ([], []),
        ("[]", []),
        ([span(3, 5), span(0, 2, "PER")], [span(0, 2, "PER"), span(3, 5)]),
        ('[{"start": 0, "end": 2, "label": "ORG", "text": "ab", "score": 1}]', [span(0, 2)]),
        ([span(0, 2), span(2, 5)], [span(0, 2), span(3, 5)]),
        ([span(1, 2)], [span(0, 2)]),
        ([span(0, 1), span(1, 2)], [span(0, 1), span(1, 2)]),
    ],
)
def test_spans_as_they_come(cell: object, spans: list[dict[str, Any]]) -> None:
    row = canonical(ColumnsSpec(), text="ab cd", spans=cell)
    assert row == {"text": "ab cd", "tokens": None, "spans": spans, "fault": None}


def test_labels_count_once_a_row() -> None:
    labels = KIND.labels_in(targets([span(0, 1), span(2, 3)], [], [span(0, 1), span(2, 3, "PER")]))
    assert sorted(labels.to_pylist()) == ["ORG", "ORG", "PER"]


def learned(encoded: Encoded, *rows: list[dict[str, Any]]) -> list[list[int]]:
    encoded_targets = KIND.encode_targets(targets(*rows), encoded, LABELS)
    assert encoded_targets.type == pa.list_(pa.int64())
    learned_targets: list[list[int]] = encoded_targets.to_pylist()
    assert [len(row) for row in learned_targets] == [len(ids) for ids in encoded.segments]
    return learned_targets


def test_the_first_piece_of_a_word_is_learned(tokenizer: Tokenizer) -> None:
    rows = ["net profit zz fell", "", ["abc", "the"]]
    encoded = DECODER.encode(rows, tokenizer)
    assert [len(ids) for ids in encoded.segments] == [7, 2, 6]
    no = NOT_LEARNED
    assert learned(encoded, [span(4, 13), span(14, 18, "PER")], [], [span(0, 7, "PER")]) == [
        [no, OUTSIDE, B_ORG, I_ORG, no, B_PER, no],
        [no, no],
        [no, B_PER, no, no, I_PER, no],
    ]


def test_a_span_is_of_all_words_that_it_touches(tokenizer: Tokenizer) -> None:
    encoded = DECODER.encode(["net profit fell"] * 3, tokenizer)
    rows = learned(encoded, [span(2, 5)], [span(3, 4)], [span(0, 5), span(5, 15, "PER")])
    assert [row[1:-1] for row in rows] == [
        [B_ORG, I_ORG, OUTSIDE],
        [OUTSIDE, OUTSIDE, OUTSIDE],
        [B_ORG, B_PER, I_PER],
    ]


def test_every_window_learns_what_it_shows(tokenizer: Tokenizer) -> None:
    encoded = DECODER.encode([" ".join(["net profit"] * 12)], tokenizer)
    assert len(encoded.segments) > 2
    classes = learned(encoded, [span(11 * number, 11 * number + 10) for number in range(12)])
    net = tokenizer.encode(["net"])[0][0][1]
    for ids, row in zip(encoded.segments, classes, strict=True):
        assert row[1:-1] == [B_ORG if token == net else I_ORG for token in ids[1:-1]]


def test_targets_are_what_the_decoder_reads(tokenizer: Tokenizer) -> None:
    text = "net zz profit fell the growth ab of order shares rose company plant"
    given = [span(0, 6), span(7, 13, "PER"), span(14, 18), span(30, 48, "PER")]
    for row in (text, text.split()):
        encoded = DECODER.encode([row], tokenizer)
        outputs = [np.eye(5, dtype=np.float32)[np.maximum(each, 0)] * 9 for each in learned(encoded, given)]
        (answer,) = DECODER.decode(outputs, encoded, Meaning(LABELS))
        assert [{name: one[name] for name in ("start", "end", "label")} for one in answer["spans"]] == given
        assert KIND.same_answer(answer, {"spans": given})


def test_no_rows_are_encoded_to_none(tokenizer: Tokenizer) -> None:
    assert learned(DECODER.encode([], tokenizer)) == []


def test_the_model_reads_tokens_where_there_are_any() -> None:
    rows = pa.table({"text": ["a b", "c"], "tokens": pa.array([["a", "b"], None], pa.list_(pa.string()))})
    assert KIND.inputs(rows) == [["a", "b"], "c"]


def test_weights_are_of_the_words_learned() -> None:
    flat = np.array([NOT_LEARNED, OUTSIDE, OUTSIDE, B_ORG, NOT_LEARNED, I_ORG])
    assert KIND.statistics(flat, LABELS, TrainingSpec(class_weights="none")) == {}
    weights = KIND.statistics(flat, LABELS, TrainingSpec(class_weights="balanced"))["weights"]
    assert weights.shape == (KIND.outputs(LABELS),)
    assert weights[:3] == pytest.approx([4 / 10, 4 / 5, 4 / 5])
    assert np.isfinite(weights).all()


def test_the_loss_by_hand() -> None:
    import torch

    outputs = torch.tensor([[[math.log(3), 0.0, -1e9], [5.0, 5.0, 5.0]], [[0.0, 0.0, -1e9], [9.0, 0.0, 0.0]]])
    wanted = torch.tensor([[0, NOT_LEARNED], [1, NOT_LEARNED]])
    plain = KIND.loss(outputs, wanted, {}, TrainingSpec(label_smoothing=0))
    assert plain.item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2)
    weights = {"weights": torch.tensor([3.0, 1.0, 1.0])}
    weighted = KIND.loss(outputs, wanted, weights, TrainingSpec(label_smoothing=0))
    assert weighted.item() == pytest.approx(-(3 * math.log(3 / 4) + math.log(1 / 2)) / 4)


@pytest.mark.parametrize("weights", [None, [0.2, 3.0, 1.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs_mean(weights: list[float] | None, smoothing: float) -> None:
    import torch
    import torch.nn.functional as F

    torch.manual_seed(3)
    outputs, wanted = torch.randn(4, 6, 3), torch.randint(0, 3, (4, 6))
    wanted[1, 2:] = NOT_LEARNED
    statistics = {} if weights is None else {"weights": torch.tensor(weights)}
    theirs = F.cross_entropy(
        outputs.flatten(0, 1), wanted.flatten(), weight=statistics.get("weights"), label_smoothing=smoothing
    )
    ours = KIND.loss(outputs, wanted, statistics, TrainingSpec(label_smoothing=smoothing))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


def test_a_batch_without_a_word_teaches_nothing() -> None:
    import torch

    outputs = torch.randn(2, 3, 5, requires_grad=True)
    loss = KIND.loss(outputs, torch.full((2, 3), NOT_LEARNED), {}, TrainingSpec(label_smoothing=0.1))
    loss.backward()
    assert loss.item() == 0
    assert (outputs.grad == 0).all()


def test_a_model_that_finds_nothing_is_collapsed() -> None:
    assert KIND.collapsed([{"spans": []}] * 2) == "no span"
    assert KIND.collapsed([{"spans": []}, {"spans": [span(0, 1)]}]) is None
    assert KIND.collapsed([]) is None


def test_answers_are_the_same_whatever_their_scores() -> None:
    one = {"spans": [span(0, 3) | {"score": 0.9, "text": "abc"}]}
    assert KIND.same_answer(one, {"spans": [span(0, 3) | {"score": 0.2, "text": "abc"}]})
    for other in ([], [span(0, 2)], [span(0, 3, "PER")], [span(0, 3), span(4, 5)]):
        assert not KIND.same_answer(one, {"spans": other})


def test_models_are_compared_on_the_labels_they_share() -> None:
    right = [[span(0, 1), span(2, 3, "PER")], [span(0, 1, "PER")]]
    answers = [{"spans": [span(2, 3, "PER")], "text": "a b"}, {"spans": [span(0, 1)]}]
    kept, kept_answers = KIND.shared(right, answers, ("ORG",))
    assert kept == [[span(0, 1)], []]
    assert kept_answers == [{"spans": []}, {"spans": [span(0, 1)]}]


def test_the_baseline_answers_every_row() -> None:
    train = pa.table({"text": ["Siemens rose", "it fell"], "spans": targets([span(0, 7)], [])})
    test = pa.table({"text": ["the Siemens plant", "", "fell"], "spans": targets([], [], [])})
    (predictions,) = KIND.baselines(train, test, LABELS).values()
    assert predictions == [{"spans": [span(4, 11)]}, {"spans": []}, {"spans": []}]


def test_measures_of_predictions_are_seqevals_of_their_tags(tokenizer: Tokenizer) -> None:
    draw = np.random.default_rng(5)
    rows = [[*draw.choice(["net", "zzz", "U.S.", "profit", "😀", "the"], draw.integers(1, 30))] for _ in range(80)]
    rows = [[str(token) for token in row] for row in rows]
    encoded = DECODER.encode(rows, tokenizer)
    outputs = [(draw.normal(size=(len(ids), 5)) * 2).astype(np.float32) for ids in encoded.segments]
    predictions = DECODER.decode(outputs, encoded, Meaning(LABELS))
    noisy = [each + draw.normal(size=each.shape).astype(np.float32) for each in outputs]
    right = DECODER.decode(noisy, encoded, Meaning(LABELS))
    tags = [[answer["tags"] for answer in answers] for answers in (right, predictions)]
    cells = [canonical(tokens=row, tags=row_tags) for row, row_tags in zip(rows, tags[0], strict=True)]
    values = KIND.measure([cell["spans"] for cell in cells], predictions, LABELS).values
    assert 0.2 < values["f1"] < 0.9
    assert values["precision"] == pytest.approx(precision_score(*tags), abs=1e-9)
    assert values["recall"] == pytest.approx(recall_score(*tags), abs=1e-9)
    assert values["f1"] == pytest.approx(f1_score(*tags), abs=1e-9)
    assert values["macro_f1"] == pytest.approx(f1_score(*tags, average="macro"), abs=1e-9)
    assert all(spans.scheme(row) is None for row in tags[1])

"""One temperature makes scores as sure as they are right, and changes no answer."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import TINY_LABELS, tiny_spec, tiny_texts, write_tiny_tokenizer

from perennial import kinds
from perennial.export.onnx_package import export
from perennial.inference import decoders
from perennial.inference.decoders import Encoded, Meaning
from perennial.inference.decoders.base import softmax
from perennial.inference.predictor import Predictor
from perennial.inference.tokenization import Tokenizer
from perennial.metrics import temperature

LABELS = ("a", "b", "c")
NOBODY = Encoded([], 0)
SCALES = st.sampled_from([1e-6, 0.01, 1.0, 5.0, 40.0, 1e4])
MEASURABLE = 5.0
"""Beyond, scores are 0 and 1 in floating point, and the metric no longer tells how wrong they are."""
DRAWS = st.tuples(st.integers(0, 1 << 32), st.integers(1, 60), SCALES)


def logits(draw: np.random.Generator, rows: int, scale: float) -> list[np.ndarray]:
    return list((draw.normal(size=(rows, len(LABELS))) * scale).astype(np.float32))


def log_loss(kind: str, targets: list[Any], answers: list[dict[str, Any]]) -> float:
    return kinds.kind_named(kind).measure(targets, answers, LABELS).values["log_loss"]


@given(DRAWS)
def test_a_label_stays_and_its_scores_fit_validation_better(drawn: tuple[int, int, float]) -> None:
    seed, rows, scale = drawn
    draw = np.random.default_rng(seed)
    outputs = logits(draw, rows, scale)
    targets = [LABELS[draw.integers(3)] if draw.random() < 0.5 else LABELS[output.argmax()] for output in outputs]
    decoding = kinds.kind_named("text-classification").decoding(outputs, NOBODY, targets, LABELS, {})
    assert json.loads(json.dumps(decoding, allow_nan=False)) == decoding
    assert temperature.LOWEST * 0.99 <= decoding["temperature"] <= temperature.HIGHEST * 1.01
    decoder = decoders.decoder_named("text-classification")
    plain = decoder.decode(outputs, NOBODY, Meaning(LABELS))
    warm = decoder.decode(outputs, NOBODY, Meaning(LABELS, decoding))
    assert [answer["label"] for answer in warm] == [answer["label"] for answer in plain]
    for answer in warm:
        assert answer["score"] == max(answer["scores"].values())
        assert math.isclose(sum(answer["scores"].values()), 1, abs_tol=1e-6)
    if scale <= MEASURABLE:
        assert log_loss("text-classification", targets, warm) <= log_loss("text-classification", targets, plain) + 1e-6


@given(DRAWS)
def test_labels_that_hold_stay_and_their_scores_fit_validation_better(drawn: tuple[int, int, float]) -> None:
    seed, rows, scale = drawn
    draw = np.random.default_rng(seed)
    outputs = logits(draw, rows, scale)
    targets = [
        [label for label, value in zip(LABELS, output, strict=True) if (value > 0) ^ (draw.random() < 0.2)]
        for output in outputs
    ]
    decoding = kinds.kind_named("multi-label").decoding(outputs, NOBODY, targets, LABELS, {})
    decoder = decoders.decoder_named("multi-label")
    other = logits(draw, 50, scale)
    only_thresholds = Meaning(LABELS, {"thresholds": decoding["thresholds"]})
    for some in (outputs, other):
        plain = decoder.decode(some, NOBODY, only_thresholds)
        warm = decoder.decode(some, NOBODY, Meaning(LABELS, decoding))
        assert [answer["labels"] for answer in warm] == [answer["labels"] for answer in plain]
    plain, warm = (decoder.decode(outputs, NOBODY, meaning) for meaning in (only_thresholds, Meaning(LABELS, decoding)))
    if scale <= MEASURABLE:
        assert log_loss("multi-label", targets, warm) <= log_loss("multi-label", targets, plain) + 1e-6


def test_spans_stay_and_words_fit_validation_better(tmp_path: Path) -> None:
    write_tiny_tokenizer(tmp_path / "tokenizer.json")
    kind, decoder = kinds.kind_named("token-classification"), decoders.decoder_named("token-classification")
    encoded = decoder.encode(tiny_texts(40), Tokenizer(tmp_path / "tokenizer.json", 16))
    draw = np.random.default_rng(5)
    outputs = [draw.normal(size=(len(ids), kind.outputs(LABELS))) * 6 for ids in encoded.segments]
    plain = decoder.decode(outputs, encoded, Meaning(LABELS))
    targets = [[span for span in answer["spans"] if draw.random() < 0.7] for answer in plain]
    targets = [[{name: span[name] for name in ("start", "end", "label")} for span in row] for row in targets]
    decoding = kind.decoding(outputs, encoded, targets, LABELS, {})
    assert decoding["temperature"] > 1
    assert decoding["calibration"]["log_loss_after"] < decoding["calibration"]["log_loss_before"]
    warm = decoder.decode(outputs, encoded, Meaning(LABELS, decoding))
    assert all(kind.same_answer(one, other) for one, other in zip(plain, warm, strict=True))
    scores, right = kind.scored(targets, warm)
    assert max(scores) < 1
    assert 0 < sum(right) < len(right) == len(scores)


def test_the_temperature_that_made_the_labels_is_found() -> None:
    draw = np.random.default_rng(1)
    outputs = draw.normal(size=(5000, 4)) * 4
    chances = softmax(outputs / 2.5)
    right = np.array([draw.choice(4, p=row / row.sum()) for row in chances.astype(np.float64)])
    assert temperature.of_one(outputs, right).temperature == pytest.approx(2.5, rel=0.1)


@pytest.mark.parametrize(
    ("outputs", "right", "expected", "problem"),
    [
        (np.empty((0, 3)), [], 1, "too few"),
        (np.eye(3)[:1], [0], 1, "too few"),
        (np.tile(np.eye(3), (5, 1)), [0, 1, 2] * 5, 1, "every validation answer is right"),
        (np.tile(np.eye(3), (5, 1)), [1, 2, 0] * 5, temperature.HIGHEST, None),
        (np.zeros((12, 3)), [0, 1, 2] * 4, 1, "every validation answer is right"),
    ],
    ids=["no rows", "one row", "all right", "all wrong", "all the same"],
)
def test_rows_that_tell_nothing(outputs: np.ndarray, right: list[int], expected: float, problem: str | None) -> None:
    fitted = temperature.of_one(outputs, np.array(right, dtype=np.int64))
    assert fitted.temperature == pytest.approx(expected, rel=1e-2)
    assert (fitted.problem is None) == (problem is None)
    assert (problem or "") in (fitted.problem or "")


def test_a_package_keeps_its_temperature_and_applies_it(tiny_home: Any, tiny_package: Path) -> None:
    home, model = tiny_home
    texts = tiny_texts(64)
    warm = model.model_copy(update={"decoding": {"temperature": 3.0}})
    packed = export(tiny_spec(), warm, texts, [TINY_LABELS[0]] * len(texts), home, data_digest="d" * 64)
    plain, tempered = Predictor(tiny_package), Predictor(home.store.root / packed.path)
    assert plain.package.decoding == {}, "a package from before there were temperatures"
    expected = softmax(np.stack(plain.outputs(texts)) / 3)
    for before, after, scores in zip(plain.predict(texts), tempered.predict(texts), expected, strict=True):
        assert after["label"] == before["label"]
        assert list(after["scores"].values()) == pytest.approx(scores.tolist(), abs=1e-5)
        assert after["score"] < before["score"]

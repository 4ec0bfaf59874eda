"""Outlier channels are made smaller where int8 gains by it, and what a graph answers in fp32 stays the same."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from perennial.export import outliers, quantization
from perennial.inference.runtime import INPUTS, OUTPUT, Graph

RANDOM = np.random.default_rng(0)
TOKENS, CHANNELS, MADE = 40, 32, 16
SEGMENTS = [RANDOM.integers(0, TOKENS, RANDOM.integers(3, 30)) for _ in range(60)]
OUTLIER = 5
SIZE = 40.0


def write(path: Path, *, outlier: float, reading: int = 1) -> Path:
    """Embeddings, one channel of them made larger, and `reading` products with the same weights, added up."""
    sizes = np.ones(CHANNELS, np.float32)
    sizes[OUTLIER] = outlier
    weights = RANDOM.normal(size=(CHANNELS, MADE)).astype(np.float32)
    weights[OUTLIER] /= outlier
    constants = {
        "table": RANDOM.normal(size=(TOKENS, CHANNELS)).astype(np.float32),
        "sizes": sizes,
        "weights": weights,
    }
    nodes = [
        helper.make_node("Gather", ["table", INPUTS[0]], ["embedded"]),
        helper.make_node("Mul", ["embedded", "sizes"], ["hidden"]),
        *(helper.make_node("MatMul", ["hidden", "weights"], [f"made{number}"]) for number in range(reading)),
        helper.make_node("Sum", [f"made{number}" for number in range(reading)], [OUTPUT]),
    ]
    built = helper.make_graph(
        nodes,
        "outlier",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"]) for name in INPUTS],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["rows", "tokens", MADE])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    onnx.save(helper.make_model(built, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def answers(path: Path, segments: Sequence[np.ndarray] = SEGMENTS) -> np.ndarray:
    return np.concatenate(Graph(path, pad_id=0, gpu=False).outputs_of(segments))


def test_an_outlier_is_made_smaller_and_fp32_answers_the_same_to_the_last_bit(tmp_path: Path) -> None:
    source = write(tmp_path / "source.onnx", outlier=SIZE)
    assert outliers.lessen(source, tmp_path / "less.onnx", SEGMENTS, levels=64) == 1
    assert np.array_equal(answers(source), answers(tmp_path / "less.onnx"))


def test_int8_comes_closer_to_fp32(tmp_path: Path) -> None:
    source = write(tmp_path / "source.onnx", outlier=SIZE)
    plain, lowered = tmp_path / "plain.onnx", tmp_path / "int8.onnx"
    quantization._int8(source, plain)
    assert (
        quantization.lower_precision(source, lowered, "int8", quantization.PER_CHANNEL, SEGMENTS)["products scaled"]
        == 1
    )
    # Not the rows by which the scales were found.
    fresh = [RANDOM.integers(0, TOKENS, 20) for _ in range(60)]
    exact = answers(source, fresh)
    before, after = (np.square(answers(path, fresh) - exact).mean() for path in (plain, lowered))
    assert after < before / 4


@pytest.mark.parametrize(
    ("outlier", "reading"), [(1.0, 1), (SIZE, 2), (np.nan, 1)], ids=["no outlier", "shared weights", "broken model"]
)
def test_what_would_gain_nothing_or_is_shared_stays(tmp_path: Path, outlier: float, reading: int) -> None:
    source = write(tmp_path / "source.onnx", outlier=outlier, reading=reading)
    assert outliers.lessen(source, tmp_path / "less.onnx", SEGMENTS, levels=127) == 0
    assert onnx.load(tmp_path / "less.onnx") == onnx.load(source)


def test_a_graph_without_products_stays(tmp_path: Path) -> None:
    source = write(tmp_path / "source.onnx", outlier=SIZE, reading=2)
    model = onnx.load(source)
    for node in model.graph.node:
        if node.op_type == "MatMul":
            node.op_type, node.input[1] = "Add", "sizes"
    onnx.save(model, source)
    assert outliers.lessen(source, tmp_path / "less.onnx", SEGMENTS, levels=127) == 0
    assert onnx.load(tmp_path / "less.onnx") == model

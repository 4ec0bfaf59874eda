"""Packages of every kind that add up the weights of words, written in milliseconds: what each word adds is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer, models, pre_tokenizers

from perennial.inference.package import DESCRIPTION, MODEL, TOKENIZER, PackageInfo, render, sha256

WORDS = ("good", "bad", "Ada", "visits", "plain", "好")
LABELS = ("negative", "positive")
LENGTH = 32


def write_word_package(
    folder: Path,
    kind: str,
    weights: Mapping[str, Sequence[float]],
    labels: Sequence[str] = LABELS,
    decoding: Mapping[str, Any] | None = None,
) -> Path:
    """A package whose outputs are the sums of its words' `weights` (of entities: each word's own). Other words: 0."""
    folder.mkdir(parents=True)
    width = len(next(iter(weights.values())))
    table = np.zeros((len(WORDS) + 2, width), np.float32)
    for word, values in weights.items():
        table[2 + WORDS.index(word)] = values
    save(_model(table, per_token=kind == "token-classification"), folder / MODEL)
    vocabulary = {word: number for number, word in enumerate(("[PAD]", "[UNK]", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Split("好", "isolated")]
    )
    tokenizer.save(str(folder / TOKENIZER))
    info = PackageInfo(
        kind=kind, labels=tuple(labels), decoding=decoding or {}, max_length=LENGTH, pad_id=0, precision="fp32",
        fallback=None, opset=17, inputs=("input_ids", "attention_mask"), base="tiny", base_revision="0" * 64,
        data_digest="c" * 64, cpu_features=(), graph={}, parity={}, created_with={},
        files={name: sha256(folder / name) for name in (MODEL, TOKENIZER)},
    )  # fmt: skip
    (folder / DESCRIPTION).write_bytes(render(info))
    return folder


def _model(table: np.ndarray, *, per_token: bool) -> Any:
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["words", "wide"], ["logits" if per_token else "kept"]),
    ]
    if not per_token:
        nodes.append(helper.make_node("ReduceSum", ["kept", "tokens"], ["logits"], keepdims=0))
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["r", "t"]) for n in ("input_ids", "attention_mask")]
    shape = ["r", "t", table.shape[1]] if per_token else ["r", table.shape[1]]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)
    constants = {"table": table, "last": np.array([2]), "tokens": np.array([1])}
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "words", inputs, [output], arrays)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

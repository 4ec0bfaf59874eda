"""Outlier channels made smaller before int8, so that they don't cost all other numbers their precision.

What a product reads gets one scale for all its numbers, and in pretrained transformers a few channels are many times as
large as the rest. Those are divided by powers of two, and the weights that they meet are multiplied by the same: in
fp32 that rounds nothing. How far to go is searched for each product by its own error on real rows.

Sources: SmoothQuant (Xiao et al. 2023, arXiv:2211.10438) for moving scales from activations into weights; AWQ (Lin et
al. 2023, arXiv:2306.00978) for the search by a product's error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perennial.core import telemetry
from perennial.export import graph
from perennial.inference import cpu
from perennial.inference.batching import pad
from perennial.inference.runtime import CPU, INPUTS

if TYPE_CHECKING:
    import onnx

PRODUCTS = {"MatMul", "Attention"}
"""Operators that multiply their first input (rows × tokens × channels) with weights, their second."""
TOKENS = 1024
"""Looked at; with 8,000 the answers came no closer to fp32's."""
HALVINGS = 5
"""Of the largest channel, at most."""
WORTH = 0.8
"""Of a product's squared error, at most, must be left for it to be changed."""


def lessen(source: Path, target: Path, segments: Sequence[np.ndarray], *, levels: int) -> int:
    """Write the fp32 graph `source` with its outlier channels made smaller to `target`; the number of products changed.

    `segments`: token ids of real rows, one or more. `levels`: positive values that a quantized weight can have. Holds
    what all products read of TOKENS tokens.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    products = list(_products(model))
    read = _read(model, sorted({node.input[0] for node in products}), target, segments) if products else {}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    scales = {}
    for node in products:
        factors = _best(read[node.input[0]], numpy_helper.to_array(weights[node.input[1]]), levels)
        if factors is not None:
            scales[node.input[1]] = factors
    _scale(model, scales)
    graph.save_graph(model, target)
    return len(scales)


def _products(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Those with weights of their own: what several share can't be scaled for one of them."""
    dimensions = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    uses = Counter(name for node in model.graph.node for name in node.input)
    for node in model.graph.node:
        if node.op_type in PRODUCTS and dimensions.get(node.input[1]) == 2 and uses[node.input[1]] == 1:
            yield node


def _read(
    model: onnx.ModelProto, names: Sequence[str], target: Path, segments: Sequence[np.ndarray]
) -> dict[str, np.ndarray]:
    """What the products read, by name: tokens × channels."""
    telemetry.off()
    import onnx
    import onnxruntime as ort

    watched, path = onnx.ModelProto(), target.with_name(f"watched-{target.name}")
    watched.CopyFrom(model)
    watched.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names
    )
    graph.save_graph(watched, path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = cpu.cores()
    session = ort.InferenceSession(str(path), options, providers=[CPU])
    inputs_read: dict[str, list[np.ndarray]] = {name: [] for name in names}
    tokens = 0
    for segment in segments:  # each alone, so that nothing is padding
        for name, values in zip(
            names, session.run(names, dict(zip(INPUTS, pad([segment], 0), strict=True))), strict=True
        ):
            inputs_read[name].append(values.reshape(-1, values.shape[-1]))
        tokens += len(segment)
        if tokens >= TOKENS:
            break
    return {name: np.concatenate(values) for name, values in inputs_read.items()}


def _best(read: np.ndarray, weights: np.ndarray, levels: int) -> np.ndarray | None:
    """What to divide each channel of `read` (tokens × channels) by, 1 or more; None: nothing is worth it."""
    largest = np.abs(read).max(axis=0)
    if not largest.max() > 0:  # nothing but zeros, or NaN
        return None
    exact = read @ weights
    before = least = _error(read, weights, exact, levels)
    best = None
    for halvings in range(1, HALVINGS + 1):
        limit = largest.max() / 2**halvings
        scales = np.exp2(np.ceil(np.log2(np.maximum(largest / limit, 1)))).astype(np.float32)
        error = _error(read / scales, weights * scales[:, None], exact, levels)
        if not error < least:
            break
        least, best = error, scales
    return best if least <= WORTH * before else None


def _error(read: np.ndarray, weights: np.ndarray, exact: np.ndarray, levels: int) -> float:
    """Mean square of what is lost when both factors are rounded as ONNX Runtime rounds them."""
    low, high = min(read.min(), 0), max(read.max(), 0)
    step = (high - low) / 255
    zero = np.round(-low / step)
    rounded = (np.clip(np.round(read / step) + zero, 0, 255) - zero) * step
    steps = np.maximum(np.abs(weights).max(axis=0), np.finfo(np.float32).tiny) / levels
    return float(np.square(rounded @ (np.round(weights / steps) * steps) - exact).mean())


def _scale(model: onnx.ModelProto, scales: dict[str, np.ndarray]) -> None:
    """Divide what meets the weights named in `scales`, and multiply those."""
    from onnx import helper, numpy_helper

    for tensor in model.graph.initializer:
        if tensor.name in scales:
            scaled = numpy_helper.to_array(tensor) * scales[tensor.name][:, None]
            tensor.CopyFrom(numpy_helper.from_array(scaled, tensor.name))
    nodes = []
    for node in model.graph.node:
        if len(node.input) > 1 and node.input[1] in scales:
            inverse, less = f"{node.input[1]}_inverse_scales", f"{node.input[1]}_read"
            model.graph.initializer.append(numpy_helper.from_array(1 / scales[node.input[1]], inverse))
            nodes.append(helper.make_node("Mul", [node.input[0], inverse], [less], name=less))
            node.input[0] = less
        nodes.append(node)
    # A copy: nodes don't outlive the list that they are taken out of.
    ordered = type(model.graph)(node=nodes).node
    del model.graph.node[:]
    model.graph.node.extend(ordered)

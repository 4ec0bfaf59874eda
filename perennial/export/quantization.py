"""Smaller numbers: int8 for CPUs, fp16 for GPUs."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perennial.core import telemetry
from perennial.export import graph, outliers
from perennial.inference import cpu

# Node types that read or make quantized numbers, and so show that quantizing did something.
QUANTIZED = {
    *("MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm", "QAttention", "MatMulNBits"),
    *("QEmbedLayerNormalization", "DynamicQuantizeLinear", "DequantizeLinear"),
}

PER_CHANNEL = "per channel"
BLOCKWISE = "blockwise"
RECIPES = {"int8": (PER_CHANNEL, BLOCKWISE), "fp16": ("fp16",)}
"""Ways to each precision, the fastest first; the next is for a model that the one before costs too much.

blockwise scales each block of 128 weights, and the numbers they are multiplied with, by itself: less than half the
error of per channel, at two thirds of its speed and the same size.
"""
BLOCK = 128
LEVELS, REDUCED = 127, 64
"""Positive values of a weight in 8 and in 7 bits, as ONNX Runtime's tools scale them."""


def lower_precision(
    source: Path, target: Path, precision: str, recipe: str, segments: Sequence[np.ndarray]
) -> dict[str, int]:
    """Write the fp32 graph `source` in `precision` (int8 or fp16) to `target`; what shows it, counted.

    `recipe`: one of the precision's RECIPES. `segments`: token ids of real rows, to look at where numbers are large.
    Raises whatever onnxruntime's tools raise at operators they can't lower.
    """
    telemetry.off()
    with graph.quiet():
        if precision == "fp16":
            _fp16(source, target)
            return {"float16 weights": _float16_weights(target)}
        if recipe == BLOCKWISE:
            return _blockwise(source, target)
        return _per_channel(source, target, segments)


def _per_channel(source: Path, target: Path, segments: Sequence[np.ndarray]) -> dict[str, int]:
    halfway = target.with_name(f"halfway-{target.name}")
    scaled = outliers.lessen(source, halfway, segments, levels=REDUCED if _reduces() else LEVELS)
    _int8(halfway, target)
    return _count(target, QUANTIZED) | {"products scaled": scaled}


def _blockwise(source: Path, target: Path) -> dict[str, int]:
    """Matrix products in blocks of 8 bits; what is no plain product as per channel."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    # accuracy_level 4: the other factor is turned into int8, too, block by block, so that whole numbers are multiplied.
    blocks = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4, bits=8)
    quantizer = MatMulNBitsQuantizer(str(source), algo_config=blocks)
    quantizer.process()
    halfway = target.with_name(f"halfway-{target.name}")
    quantizer.model.save_model_to_file(str(halfway), use_external_data_format=_is_large(source))
    _int8(halfway, target)
    return _count(target, QUANTIZED)


def _int8(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        reduce_range=_reduces(),
        use_external_data_format=_is_large(source),
        # onnx can't infer the types around fused nodes; all of them are float.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def _reduces() -> bool:
    """Whether weights get 7 bits: where products are added up in 16 bits, that keeps them from saturating."""
    return not cpu.multiplies_int8()


def _fp16(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = OnnxModel(onnx.load(source))
    model.convert_float_to_float16(keep_io_types=True)
    graph.save_graph(model.model, target)


def _is_large(path: Path) -> bool:
    return path.with_name(path.name + ".data").exists()


def _count(path: Path, types: set[str]) -> dict[str, int]:
    import onnx

    nodes = onnx.load(path, load_external_data=False).graph.node
    return dict(sorted(Counter(node.op_type for node in nodes if node.op_type in types).items()))


def _float16_weights(path: Path) -> int:
    import onnx

    weights = onnx.load(path, load_external_data=False).graph.initializer
    return sum(weight.data_type == onnx.TensorProto.FLOAT16 for weight in weights)

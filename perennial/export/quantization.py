"""Smaller numbers: int8 for CPUs, fp16 for GPUs."""

from collections import Counter
from pathlib import Path

from perennial import telemetry
from perennial.export import graph
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


def lower(source: Path, target: Path, precision: str, recipe: str) -> dict[str, int]:
    """Write the fp32 graph `source` in `precision` (int8 or fp16) to `target`; the nodes that show it, by type.

    `recipe`: one of the precision's RECIPES. Raises whatever onnxruntime's tools raise at operators they can't lower.
    """
    telemetry.off()
    if precision == "int8":
        with graph.quiet():
            _int8(_blockwise(source, target) if recipe == BLOCKWISE else source, target)
        return _count(target, QUANTIZED)
    with graph.quiet():
        _fp16(source, target)
    return {"float16 weights": _float16_weights(target)}


def _int8(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        source,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        # Where products are added up in 16 bits, weights of 7 bits keep them from saturating.
        reduce_range=not cpu.multiplies_int8(),
        use_external_data_format=_is_large(source),
        # onnx can't infer the types around fused nodes; all of them are float.
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )


def _blockwise(source: Path, target: Path) -> Path:
    """`source` with its matrix products in blocks of 8 bits; what is no plain product stays for `_int8`."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    # accuracy_level 4: the other factor is turned into int8, too, block by block, so that whole numbers are multiplied.
    blocks = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=4, bits=8)
    quantizer = MatMulNBitsQuantizer(str(source), algo_config=blocks)
    quantizer.process()
    halfway = target.with_name(f"halfway-{target.name}")
    quantizer.model.save_model_to_file(str(halfway), use_external_data_format=_is_large(source))
    return halfway


def _fp16(source: Path, target: Path) -> None:
    import onnx
    from onnxruntime.transformers.onnx_model import OnnxModel

    model = OnnxModel(onnx.load(source))
    model.convert_float_to_float16(keep_io_types=True)
    graph.save(model.model, target)


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

#!/usr/bin/env bash
# onnxruntime 1.32.0: whether ReduceMax and ArgMax notice a NaN depends on where in the row it stands.
#
# Versions:  onnxruntime 1.32.0 (1.31.1 does the same), onnx 1.23.2, numpy 2.4.6; Python 3.11; Linux on x86-64.
# Expected:  one of two: NaN wherever it stands, as numpy, torch, onnx's reference and onnxruntime's own Max and Softmax
#            have it, or never. So one looks at the largest logit to see that a model has broken.
# Behaviour: a NaN that is first makes ReduceMax NaN and is ArgMax's answer; one that comes later is passed over, and a
#            class is answered. ReduceMin does the same, by which the MinMax calibration of onnxruntime.quantization
#            finds ranges.
# Output seen:
#   rows: [[nan, 1.0, 2.0], [0.0, nan, 2.0], [0.0, 1.0, nan]]
#   ReduceMax: onnxruntime [nan, 2.0, 1.0], onnx's reference [nan, nan, nan]
#   ReduceMin: onnxruntime [nan, 0.0, 0.0], onnx's reference [nan, nan, nan]
#   ArgMax: onnxruntime [0, 2, 1], onnx's reference [0, 1, 2]
# Who meets it: graphs that end in ArgMax (labels, tags) and have overflowed in half precision.
# What Perennial does: its graphs give logits; answers are taken of them by numpy.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

nan = float("nan")
rows = numpy.float32([[nan, 1, 2], [0, nan, 2], [0, 1, nan]])


def answers(operator, **attributes):
    """What onnxruntime says of each row, and what onnx's reference says."""
    axes = [numpy_helper.from_array(numpy.array([1]), "axes")] if operator.startswith("Reduce") else []
    kind = TensorProto.INT64 if operator == "ArgMax" else TensorProto.FLOAT
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, [None, None])
    node = helper.make_node(operator, ["given", *(one.name for one in axes)], ["back"], keepdims=0, **attributes)
    graph = helper.make_graph([node], "one", [given], [helper.make_tensor_value_info("back", kind, [None])], axes)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [run.run(None, {"given": rows})[0].tolist() for run in (session, ReferenceEvaluator(model))]


came = {"ReduceMax": answers("ReduceMax"), "ReduceMin": answers("ReduceMin"), "ArgMax": answers("ArgMax", axis=1)}
print("rows:", rows.tolist())
for name, (ours, reference) in came.items():
    print(f"{name}: onnxruntime {ours}, onnx's reference {reference}")
as_told = (
    repr(came["ReduceMax"]) == "[[nan, 2.0, 1.0], [nan, nan, nan]]"
    and repr(came["ReduceMin"]) == "[[nan, 0.0, 0.0], [nan, nan, nan]]"
    and came["ArgMax"] == [[0, 2, 1], [0, 1, 2]]
)
sys.exit(0 if as_told else "changed: a NaN is no longer noticed so")
PYTHON

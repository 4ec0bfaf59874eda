#!/usr/bin/env bash
# onnxruntime 1.32.0 reads a big-endian numpy array as if it were little-endian, without a word.
#
# Versions:  onnxruntime 1.32.0 (1.31.1 does the same), onnx 1.23.2, numpy 2.4.6; Python 3.11; Linux on x86-64.
# Expected:  the right numbers or a refusal. An array of dtype `>f4` is an ordinary array to numpy: it prints, adds up and
#            compares like any other. onnx.numpy_helper and pyarrow refuse it, torch does too, safetensors swaps the bytes.
# Behaviour: InferenceSession.run takes it, as its type is float32, and computes with the bytes in the wrong order; so
#            does OrtValue.ortvalue_from_numpy. The same with token ids of dtype `>i8`.
# Output seen:
#   numpy:        [1.0, 2.0] [101, 2023]
#   session.run:  [4.600602988224807e-41, 8.96831017167883e-44] [7277816997830721536, -1799469526111223808]
#   OrtValue:     [4.600602988224807e-41, 8.96831017167883e-44]
#   onnx refuses: Unable to convert type dtype('>f4') into TensorProto element type.
# Who meets it: arrays from IDX, FITS, NetCDF classic, Java's DataOutputStream, or a .npy of such a machine.
# Reported:  for Java alone, as a matter of documentation: microsoft/onnxruntime issue 26408.
# What Perennial does: makes all arrays it feeds by itself, in native order.
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
import onnx
import onnxruntime
from onnx import helper


def echo(element):
    value = [helper.make_tensor_value_info(name, element, [None]) for name in ("given", "back")]
    graph = helper.make_graph([helper.make_node("Identity", ["given"], ["back"])], "echo", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


scores, ids = numpy.array([1, 2], dtype=">f4"), numpy.array([101, 2023], dtype=">i8")
(scores_back,) = echo(onnx.TensorProto.FLOAT).run(None, {"given": scores})
(ids_back,) = echo(onnx.TensorProto.INT64).run(None, {"given": ids})
held = onnxruntime.OrtValue.ortvalue_from_numpy(scores).numpy()
try:
    refusal = f"onnx takes it: {onnx.numpy_helper.from_array(scores).dims}"
except ValueError as error:
    refusal = f"onnx refuses: {error}"
print("numpy:       ", scores.tolist(), ids.tolist())
print("session.run: ", scores_back.tolist(), ids_back.tolist())
print("OrtValue:    ", held.tolist())
print(refusal)
swapped = scores.view("<f4"), ids.view("<i8")
as_told = (scores_back == swapped[0]).all() and (ids_back == swapped[1]).all() and (held == swapped[0]).all()
sys.exit(0 if as_told and refusal.startswith("onnx refuses") else "changed: the bytes are no longer read so")
PYTHON

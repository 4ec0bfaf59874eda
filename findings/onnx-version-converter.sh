#!/usr/bin/env bash
# onnx 1.23.2: version_converter gives Hardmax, Softmax and linear Upsample another meaning, and the checker is content.
#
# Versions:  onnx 1.23.2, onnxruntime 1.32.0 to run the models, numpy 2.4.6; Python 3.11; Linux.
# Expected:  a converted model answers as the one before, or the conversion is refused. With opset 13 Softmax, LogSoftmax
#            and Hardmax no longer flatten all axes from `axis` on; from 12 to 13 the converter knows this of Softmax.
# Behaviour: Hardmax goes from 11 to 13 as it is, one winner in all becomes one a row. Softmax over an axis that is not
#            the last goes from 13 to 12 as it is: it is taken over that axis and all behind it. Upsample in mode linear
#            becomes a Resize that samples elsewhere (half pixels). No error, no warning; onnx.checker is content.
# Output seen:
#   Hardmax 11 -> 13 0 0 0 0 0 0 0 1 -> 0 0 0 1 0 0 0 1
#   Softmax 13 -> 12, axis 1 0.018 0.018 0.018 0.018 0.982 0.982 0.982 0.982 -> 0.000577 0.00157 0.00426 0.0116 …
#   Upsample 9 -> 11, linear 0 0.5 1 1 1 1.5 2 2 -> 0 0.25 0.75 1 0.5 0.75 1.25 1.5
#   Softmax 11 -> 13 0.000577 0.00157 0.00426 0.0116 0.0315 0.0856 0.233 0.632 -> the same
# Reported:  Softmax from 13 to 12 was asked for in onnx/onnx issue 6340, where this is pointed out, and added by pull
#            request 6608.
# Who meets it: models converted for a runtime that wants another opset: attention weights, one-hot choices.
# What Perennial does: exports at the opset that it runs, converts nothing, and compares answers with the trained model.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter


def answer(model, value):
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"given": value})[0]


def before_and_after(operator, value, older, newer, scales=None, **attributes):
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, value.shape)
    back = helper.make_tensor_value_info("back", TensorProto.FLOAT, numpy.multiply(value.shape, scales or 1).tolist())
    held = [] if scales is None else [numpy_helper.from_array(numpy.float32(scales), "scales")]
    node = helper.make_node(operator, ["given", *(one.name for one in held)], ["back"], **attributes)
    graph = helper.make_graph([node], "one", [given], [back], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", older)], ir_version=7)
    return answer(model, value), answer(version_converter.convert_version(model, newer), value)


value = numpy.arange(8, dtype=numpy.float32).reshape(1, 2, 4)
square = numpy.float32([[[[0, 1], [2, 3]]]])
cases = {
    "Hardmax 11 -> 13": before_and_after("Hardmax", value, 11, 13),
    "Softmax 13 -> 12, axis 1": before_and_after("Softmax", value, 13, 12, axis=1),
    "Upsample 9 -> 11, linear": before_and_after("Upsample", square, 9, 11, scales=[1, 1, 2, 2], mode="linear"),
    "Softmax 11 -> 13": before_and_after("Softmax", value, 11, 13),
}
changed = set()
for name, (before, after) in cases.items():
    same = before.shape == after.shape and numpy.allclose(before, after, atol=1e-6)
    changed |= set() if same else {name}
    print(name, *(f"{number:.3g}" for number in before.ravel()[:8]), "->", end=" ")
    print("the same" if same else " ".join(f"{number:.3g}" for number in after.ravel()[:8]))
sys.exit(0 if changed == {*list(cases)[:3]} else f"changed: other answers now come from {sorted(changed)}")
PYTHON

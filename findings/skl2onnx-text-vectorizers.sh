#!/usr/bin/env bash
# skl2onnx 1.20.0 turns TfidfVectorizer and CountVectorizer into graphs that count other things, without a warning.
#
# Versions:  skl2onnx 1.20.0, scikit-learn 1.9.1, onnxruntime 1.32.0, numpy 2.4.6; Python 3.11; Linux.
# Expected:  the same features, as the conversion succeeds and nothing is said. These are lower-case English texts, with
#            the vectorizers' own token pattern: no accents, no stop words. The converter's tutorials tell of differences
#            in general, and of tokens that hold a blank; here is none.
# Behaviour: sublinear_tf=True is 1 + log(count) in scikit-learn and log(1 + count) in the graph: 0.69 for one, 1.39 for
#            three (scikit-learn: 1 and 2.10), so the balance of frequent and rare words differs. With ngram_range=(1, 2)
#            a pair of words between which a one-letter word was left out ("don't know", "on a mat") counts 0.
# Output seen:
#   words:           {}
#   words and pairs: {'don know': (1.0, 0.0), 'on mat': (1.0, 0.0)}
#   sublinear_tf:    {'good': (2.1, 1.39), 'day': (1.0, 0.69)}
# Who meets it: linear models of words and pairs, put into ONNX beside or before a transformer.
# What Perennial does: its linear model counts token ids in numpy, for training and serving alike
#            (perennial/inference/cascade.py).
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(skl2onnx==1.20.0 scikit-learn==1.9.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import numpy
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

warnings.simplefilter("error", UserWarning)
texts = ["good good good day", "i don't know", "a cat on a mat"]


def differences(vectorizer):
    """By feature, what scikit-learn and the graph say where they differ."""
    expected = vectorizer.fit_transform(texts).toarray()
    options = {id(vectorizer): {"locale": "C"}}
    model = to_onnx(vectorizer, initial_types=[("text", StringTensorType([None, 1]))], options=options)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (came,) = session.run(None, {"text": numpy.array(texts, dtype=object).reshape(-1, 1)})
    features = vectorizer.get_feature_names_out()
    rows, columns = numpy.nonzero(~numpy.isclose(expected, came))
    return {
        str(features[column]): (round(float(expected[row, column]), 2), round(float(came[row, column]), 2))
        for row, column in zip(rows, columns, strict=True)
    }


plain = differences(CountVectorizer())
pairs = differences(CountVectorizer(ngram_range=(1, 2)))
sublinear = differences(TfidfVectorizer(sublinear_tf=True, use_idf=False, norm=None))
print("words:          ", plain)
print("words and pairs:", pairs)
print("sublinear_tf:   ", {word: sublinear[word] for word in ("good", "day") if word in sublinear})
as_told = not plain and pairs == {"don know": (1.0, 0.0), "on mat": (1.0, 0.0)}
as_told = as_told and sublinear.get("good") == (2.1, 1.39) and sublinear.get("day") == (1.0, 0.69)
sys.exit(0 if as_told else "changed: the graphs no longer count so")
PYTHON

#!/usr/bin/env bash
# datasets 5.2.0: to_json writes numbers with ten decimals, so that small probabilities are 0, and dates as milliseconds.
#
# Versions:  datasets 5.2.0, pandas 3.1.1; Python 3.11; Linux.
# Expected:  what Python's json and the same library's to_csv write: the shortest digits that give the same number back;
#            a date as a date. Saved scores are compared, ranked, and their logarithms taken.
# Behaviour: to_json goes through pandas.DataFrame.to_json, whose double_precision is 10 decimals behind the point, not
#            ten digits: 1e-11 becomes 0.0. A date becomes an integer, which the same library reads back as one.
# Output seen:
#   given: [1e-11, 2.5e-10, 0.1234567890123456] date32
#   JSON:  [0.0, 2e-10, 0.123456789] 1704153600000 int64
#   CSV:   [1e-11, 2.5e-10, 0.1234567890123456] 2024-01-02
# Who meets it: log losses and calibration of saved probabilities, soft labels for distillation, hashes of rows.
# What Perennial does: writes no data through datasets.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(datasets==5.2.0 pandas==3.1.1)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$folder/venv/bin/python" - <<'PYTHON'
import datetime
import json
import pathlib
import sys

from datasets import Dataset, load_dataset

scores = [1e-11, 2.5e-10, 0.1234567890123456]
rows = Dataset.from_dict({"score": scores, "day": [datetime.date(2024, 1, 2)] * 3})
rows.to_json("rows.jsonl")
rows.to_csv("rows.csv")
back = load_dataset("json", data_files="rows.jsonl", split="train")
from_csv = [float(line.split(",")[0]) for line in pathlib.Path("rows.csv").read_text().splitlines()[1:]]
print("given:", json.dumps(scores), rows.features["day"].dtype)
print("JSON: ", back["score"][:], back["day"][0], back.features["day"].dtype)
print("CSV:  ", from_csv, pathlib.Path("rows.csv").read_text().split()[-1].split(",")[1])
as_told = back["score"][:] == [0.0, 2e-10, 0.123456789] and back["day"][0] == 1704153600000 and from_csv == scores
sys.exit(0 if as_told else "changed: to_json no longer writes so")
PYTHON

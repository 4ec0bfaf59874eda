#!/usr/bin/env bash
# datasets 5.2.0: class_encode_column gives labels that are numbers from 0 on other numbers, once there are more than ten.
#
# Versions:  datasets 5.2.0; Python 3.11; Linux.
# Expected:  a column that holds 0 to 11 is unchanged but for its type. One calls it as train_test_split stratifies by a
#            ClassLabel only, and then trains on a column that one believes to be the same.
# Behaviour: values become strings, are sorted as such ("0", "1", "10", "11", "2", …) and numbered anew: ten classes are
#            as before, with the eleventh 2 turns into 3 or more. A label -1, which stands for none, becomes class 0.
# Output seen:
#   0 to 9:  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
#   0 to 11: [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]
#   0, 1, -1: [1, 2, 0]
# Reported:  that names are sorted, for labels that are words: huggingface/datasets issue 3762.
# Who meets it: a head whose output i was meant for label i: metrics beside a model trained on the numbers before.
# What Perennial does: names of labels are strings throughout; their order is data.labels', and is kept with the model.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(datasets==5.2.0)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from datasets import Dataset


def encoded(labels):
    return Dataset.from_dict({"label": labels}).class_encode_column("label")["label"][:]


ten, twelve, unlabelled = encoded(list(range(10))), encoded(list(range(12))), encoded([0, 1, -1])
print("0 to 9: ", ten)
print("0 to 11:", twelve)
print("0, 1, -1:", unlabelled)
as_told = ten == [*range(10)] and twelve == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3] and unlabelled == [1, 2, 0]
sys.exit(0 if as_told else "changed: numbers are no longer encoded so")
PYTHON

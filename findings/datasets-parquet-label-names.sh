#!/usr/bin/env bash
# datasets 5.2.0 gives the labels of a second Parquet file the first file's names: its labels turn into others.
#
# Versions:  datasets 5.2.0, pyarrow 25.0.1; Python 3.11; Linux.
# Expected:  each file's labels by the names that Dataset.to_parquet wrote beside them, or a refusal: concatenate_datasets
#            and interleave_datasets refuse two orders of names ("The features can't be aligned").
# Behaviour: load_dataset("parquet", …) takes the features of the first file for all files, of all splits, and keeps the
#            second file's numbers. Where its names are in another order each of its rows has a wrong label.
# Output seen:
#   test alone:           {'good': 'pos', 'bad': 'neg'}
#   test beside train:    {'good': 'neg', 'bad': 'pos'}
#   last two of one split: {'good': 'neg', 'bad': 'pos'}
#   concatenate_datasets:  The features can't be aligned bec
# Who meets it: data exported twice, when the set of labels or its order was another: what class_encode_column makes of
#            two months of which one lacks a label, for one.
# What Perennial does: a source of files reads each file's own names (perennial/ingest/sources/class_labels.py); the
#            source `huggingface` has what the library gives.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(datasets==5.2.0 pyarrow==25.0.1)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

cd "$folder"
export HF_HOME="$folder/home" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1
"$folder/venv/bin/python" - <<'PYTHON'
import sys

from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets, load_dataset

made = {}
for split, names in (("train", ["neg", "pos"]), ("test", ["pos", "neg"])):
    features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
    labels = [names.index("pos"), names.index("neg")]
    made[split] = Dataset.from_dict({"text": ["good", "bad"], "label": labels}, features=features)
    made[split].to_parquet(f"{split}.parquet")


def shown(rows):
    return {row["text"]: rows.features["label"].int2str(row["label"]) for row in rows}


alone = load_dataset("parquet", data_files="test.parquet", split="train")
both = load_dataset("parquet", data_files={"train": "train.parquet", "test": "test.parquet"})
one = load_dataset("parquet", data_files=["train.parquet", "test.parquet"], split="train")
print("test alone:          ", shown(alone))
print("test beside train:   ", shown(both["test"]))
print("last two of one split:", shown(one.select([2, 3])))
try:
    concatenate_datasets([made["train"], made["test"]])
    refused = False
except ValueError as error:
    refused = True
    print("concatenate_datasets: ", str(error)[:33])
wrong = {"good": "neg", "bad": "pos"}
right = {"good": "pos", "bad": "neg"}
as_told = refused and shown(alone) == right and shown(both["test"]) == wrong == shown(one.select([2, 3]))
sys.exit(0 if as_told else "changed: labels are no longer exchanged so")
PYTHON

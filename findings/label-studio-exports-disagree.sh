#!/usr/bin/env bash
# label-studio-sdk 2.1.2 exports one annotated task with another id in CSV than in JSON_MIN, and loses a column in one.
#
# Versions:  label-studio-sdk 2.1.2, whose converter is what Label Studio exports with; Python 3.11; Linux.
# Expected:  the formats hold the same fields with the same values; tasks imported with columns `id` and `label` are
#            usual, as that is what one's own data has.
# Behaviour: where a task's own data has `id`, JSON_MIN says the task's number under `id` and drops the data's; CSV says
#            the data's and drops the task's. Where it has a column of the control's name, CSV keeps it as _data_label,
#            JSON_MIN drops it. CONLL2003 splits a full stop from the last word of a text alone: inside, the token is
#            `Paris.`; of two spans that overlap the second is dropped. None of it is told.
# Output seen:
#   CSV:      id 77 {'_data_label': 'as imported', 'label': 'pos'}
#   JSON_MIN: id 1 {'label': 'pos'}
#   CONLL2003: Acme/B-ORG left/O Paris./B-LOC Bank/B-ORG of/I-ORG Lima/I-ORG grew/O ./O
# Who meets it: exports joined by `id` with the data they came from, or with an earlier export in the other format.
# What Perennial does: reads all but CONLL2003; docs/annotation.md says which formats keep what, and to export JSON.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(label-studio-sdk==2.1.2)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import csv
import json
import pathlib
import sys

from label_studio_sdk.converter import Converter

text = "Acme left Paris. Bank of Lima grew."
control = {
    "choices": '<Choices name="label" toName="text"><Choice value="pos"/></Choices>',
    "labels": '<Labels name="label" toName="text"><Label value="ORG"/><Label value="LOC"/></Labels>',
}


def region(kind, **value):
    return {"id": str(value), "from_name": "label", "to_name": "text", "type": kind, "value": value}


def exported(kind, form, regions):
    annotation = {"id": 5, "completed_by": 1, "result": regions, "was_cancelled": False, "lead_time": 1.0}
    annotation |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    task = {"id": 1, "data": {"text": text, "id": 77, "label": "as imported"}, "annotations": [annotation]}
    pathlib.Path("tasks.json").write_text(json.dumps([task]))
    config = f'<View><Text name="text" value="$text"/>{control[kind]}</View>'
    Converter(config, project_dir=".").convert("tasks.json", form, form, is_dir=False)
    (path,) = [path for path in pathlib.Path(form).rglob("result.*")]
    return path.read_text()


(as_csv,) = csv.DictReader(exported("choices", "CSV", [region("choices", choices=["pos"])]).splitlines())
(as_json,) = json.loads(exported("choices", "JSON_MIN", [region("choices", choices=["pos"])]))
spans = [(0, 4, "ORG"), (10, 15, "LOC"), (17, 29, "ORG"), (25, 29, "LOC")]
regions = [region("labels", start=start, end=end, labels=[label]) for start, end, label in spans]
lines = [line.split() for line in exported("labels", "CONLL2003", regions).splitlines()[1:] if line]
conll = [(line[0], line[-1]) for line in lines]
print("CSV:      id", as_csv["id"], {name: value for name, value in as_csv.items() if "label" in name})
print("JSON_MIN: id", as_json["id"], {name: value for name, value in as_json.items() if "label" in name})
print("CONLL2003:", *(f"{token}/{tag}" for token, tag in conll))
as_told = as_csv["id"] == "77" and as_json["id"] == 1 and "as imported" in as_csv.values()
as_told = as_told and "as imported" not in as_json.values() and ("Paris.", "B-LOC") in conll
as_told = as_told and ("Lima", "I-ORG") in conll and (".", "O") in conll
sys.exit(0 if as_told else "changed: the exports no longer differ so")
PYTHON

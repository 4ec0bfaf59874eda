#!/usr/bin/env bash
# datasets 5.2.0 rewrites texts in a JSON file that look like times, even where the column is declared to be a string.
#
# Versions:  datasets 5.2.0, pyarrow 25.0.1; Python 3.11; Linux.
# Expected:  a JSON string in a column declared Value("string") comes back as it is. JSON has no times, and a declared
#            type is there so that nothing is guessed. The CSV reader of the same library keeps these texts.
# Behaviour: pyarrow's JSON reader makes times of a block whose strings are all ISO dates or times; datasets casts them
#            to the declared string afterwards. A date gains a midnight, a time loses its T and its zone, and its clock
#            is moved to UTC. One string in the block that is no time, and all are kept. Without declared features the
#            column of texts is a timestamp. Where types differ from block to block of a large file it is refused.
# Output seen:
#   dates: ['2024-01-02', '2024-01-03'] -> ['2024-01-02 00:00:00', '2024-01-03 00:00:00']
#   zone: ['2024-01-02T03:04:05+02:00'] -> ['2024-01-02 01:04:05']
#   one other: ['2024-01-02', 'none'] -> ['2024-01-02', 'none']
#   dates, undeclared: Value('timestamp[s]')
# Who meets it: row ids like 2024-01-02, spans whose surface is a date, texts that are dates alone, keys to join by.
# What Perennial does: a source of files reads JSON Lines by itself, values as they are; the source `huggingface` has
#            what the library gives.
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
import json
import pathlib
import sys

from datasets import Features, Value, load_dataset


def read(number, texts, features):
    pathlib.Path(f"{number}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return load_dataset("json", data_files=f"{number}.jsonl", split="train", features=features)


string = Features({"text": Value("string")})
texts = {
    "dates": ["2024-01-02", "2024-01-03"],
    "zone": ["2024-01-02T03:04:05+02:00"],
    "one other": ["2024-01-02", "none"],
}
came = {name: read(number, given, string)["text"][:] for number, (name, given) in enumerate(texts.items())}
for name, given in texts.items():
    print(f"{name}: {given} -> {came[name]}")
undeclared = read("undeclared", texts["dates"], None).features["text"]
print("dates, undeclared:", undeclared)
as_told = (
    came["dates"] == ["2024-01-02 00:00:00", "2024-01-03 00:00:00"]
    and came["zone"] == ["2024-01-02 01:04:05"]
    and came["one other"] == texts["one other"]
    and undeclared.dtype == "timestamp[s]"
)
sys.exit(0 if as_told else "changed: these texts are no longer rewritten so")
PYTHON

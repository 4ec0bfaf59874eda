#!/usr/bin/env bash
# pandas 3.1.1 reads other texts from one .xlsx by its two engines, of which the default is about to change.
#
# Versions:  pandas 3.1.1, openpyxl 3.1.5, python-calamine 0.9.1, XlsxWriter 3.3.1, polars 2.1.0 with fastexcel 0.21.0.
# Expected:  the text that was written. The standard (ECMA-376, ST_Xstring) writes what XML can't hold as `_x000D_`, and a
#            literal `_x` of that form as `_x005F_x`; a spreadsheet program does so with a line end in a cell.
# Behaviour: openpyxl reads `_x000D_` as those seven letters, but takes `_x005F_` away: a carriage return and the letters
#            `_x000D_` read alike. It also writes such letters as they are, and a reader that follows the standard makes
#            a character of them: `unit_x0041_1` written by pandas with openpyxl is `unitA1` for calamine.
#            (A carriage return it writes bare, which XML makes a line feed; with lxml installed it stays.) polars has
#            calamine as its default, pandas openpyxl, and it warns that this will be calamine.
# Output seen:
#   given: ['line one\r\nline two', 'unit_x0041_1']
#   written by xlsxwriter, read by openpyxl: ['line one_x000D_\nline two', 'unit_x0041_1']
#   written by xlsxwriter, read by calamine: ['line one\r\nline two', 'unit_x0041_1']
#   written by xlsxwriter, read by polars: ['line one\r\nline two', 'unit_x0041_1']
#   written by openpyxl, read by openpyxl: ['line one\nline two', 'unit_x0041_1']
#   written by openpyxl, read by calamine: ['line one\nline two', 'unitA1']
#   written by openpyxl, read by polars: ['line one\nline two', 'unitA1']
# Who meets it: texts with line ends pasted into a sheet; identifiers like `col_x0041_`; ids made on either side.
# What Perennial does: does not read .xlsx.
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(pandas==3.1.1 openpyxl==3.1.5 python-calamine==0.9.1 XlsxWriter==3.3.1 polars==2.1.0 fastexcel==0.21.0)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings

import pandas
import polars

warnings.simplefilter("ignore")
texts = ["line one\r\nline two", "unit_x0041_1"]
came = {}
for writer in ("xlsxwriter", "openpyxl"):
    path = f"{writer}.xlsx"
    pandas.DataFrame({"text": texts}).to_excel(path, engine=writer, index=False)
    for reader in ("openpyxl", "calamine"):
        came[writer, reader] = pandas.read_excel(path, engine=reader)["text"].tolist()
    came[writer, "polars"] = polars.read_excel(path)["text"].to_list()
print("given:", texts)
for (writer, reader), read in came.items():
    print(f"written by {writer}, read by {reader}: {read}")
as_told = (
    came["xlsxwriter", "openpyxl"] == ["line one_x000D_\nline two", "unit_x0041_1"]
    and came["xlsxwriter", "calamine"] == texts == came["xlsxwriter", "polars"]
    and came["openpyxl", "openpyxl"][1] == "unit_x0041_1"
    and came["openpyxl", "calamine"][1] == "unitA1" == came["openpyxl", "polars"][1]
)
sys.exit(0 if as_told else "changed: the engines no longer differ so")
PYTHON

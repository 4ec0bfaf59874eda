#!/usr/bin/env bash
# conllu 6.0.0 reads valid CoNLL-U and writes less of it: values behind a second "=", repeated keys, free comments.
#
# Versions:  conllu 6.0.0; pyconll 3.3.1 beside it; Python 3.11.
# Expected:  parse and serialize give the sentence back; the package says that it can turn what it parsed into CoNLL-U
#            again. MISC may hold any text but `|` and white space, a comment may be any line that begins with `#`.
# Behaviour: a value in MISC is cut at its second "=": `Gloss=a=b` comes back as `Gloss=a`. Of a key that stands
#            twice, in MISC or in comments, the last is kept. Comments without "=" are dropped but for the known ones
#            (newpar, newdoc). No error, no warning. pyconll keeps a second "=" and
#            free comments, and loses repeated comments too.
# Output seen:
#   conllu loses: ['# note = first', '# checked twice'] MISC: Gloss=a|Ref=2|Checked
#   pyconll loses: ['# note = first'] MISC: Checked|Gloss=a=b|Ref=2
# Reported:  a MISC value without "=" was lost once and is kept now: EmilStenstrom/conllu issues 25 and 66.
# Who meets it: entity labels and links kept in MISC, glosses, notes of annotators in comments.
# What Perennial does: reads the lines by itself (perennial/ingest/sources/annotation/formats/conll.py).
#
# It needs a Python 3.11 or newer with venv (PYTHON names another than python3), a minute, and packages from the index
# that pip is set up for. It ends with 0 as long as it is so, and with 1 once it is not.
set -euo pipefail

PINS=(conllu==6.0.0 pyconll==3.3.1)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "${PINS[@]}" 2>"$folder/pip" || { cat "$folder/pip" >&2; exit 2; }

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import conllu
import pyconll

sentence = """\
# sent_id = 1
# note = first
# note = second
# checked twice
1\tAcme\tAcme\tPROPN\t_\t_\t0\troot\t_\tGloss=a=b|Ref=1|Ref=2|Checked

"""
back = conllu.parse(sentence)[0].serialize()
other = pyconll.load_from_string(sentence).conll()
lines = [line for line in sentence.splitlines() if line]
for name, text in (("conllu", back), ("pyconll", other)):
    lost = [line for line in lines[:-1] if line not in text.splitlines()]
    print(f"{name} loses: {lost} MISC: {text.rstrip().split(chr(9))[-1]}")
misc = next(line for line in back.splitlines() if line.startswith("1\t")).split("\t")[-1]
as_told = misc == "Gloss=a|Ref=2|Checked" and "first" not in back and "checked twice" not in back
as_told = as_told and "Gloss=a=b" in other and "# checked twice" in other and "first" not in other
sys.exit(0 if as_told else "changed: other things are lost now")
PYTHON

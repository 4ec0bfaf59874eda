"""The file to review of a kind that finds spans: a person sees them marked in the text, and can mend them there."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import report_data
from slice_data import spec_of, table

from perennial.core.home import Home
from perennial.evaluation import label_errors, label_review
from perennial.records.data import CheckedPart, Part
from perennial.records.run import Evidence
from perennial.settings.pipeline import PipelineSpec
from perennial.validation import corrections

PLACE = "validate/x/rows.parquet"
TEXT = "Acme pays Ann"
ORG = {"start": 0, "end": 4, "label": "negative"}
PERSON = {"start": 10, "end": 13, "label": "positive"}


def answer(*spans: dict[str, Any]) -> dict[str, Any]:
    words = np.array([[0, 4], [5, 9], [10, 13]])
    scores = np.full((3, 3), 0.01)
    for number, (start, _) in enumerate(words.tolist()):
        inside = [span["label"] for span in spans if span["start"] == start]
        scores[number, 1 + ("negative", "positive").index(inside[0]) if inside else 0] = 0.98
    return {"spans": [{**span, "text": TEXT, "score": 0.98} for span in spans], "words": words, "scores": scores}


def evidence(spec: PipelineSpec, home: Home) -> Evidence:
    """Of forty rows two have a wrong label: one lacks a span, one has it with another label."""
    targets = [[ORG, PERSON] for _ in range(40)]
    targets[7], targets[30] = [ORG], [ORG, PERSON | {"label": "negative"}]
    rows = table(spec, [{"text": TEXT, "spans": target} for target in targets])
    read = rows.append_column("file", pa.array(["a.csv"] * 40)).append_column("line", pa.array(range(40)))
    for folder in ("validate/x", "evaluate/x"):
        (home.store.root / folder).mkdir(parents=True)
    pq.write_table(read, home.store.root / PLACE)
    looked = label_errors.find_label_errors(spec, rows, [answer(ORG, PERSON)] * 40, home.store.root / "evaluate" / "x")
    made = report_data.evidence()
    source = Part(path=PLACE, sha256="0" * 64, rows=40)
    part = CheckedPart(source=source, path=PLACE, sha256="0" * 64, rows=40, quarantined=0, quarantine_path=None)
    changes = {
        "validated": made.validated.model_copy(update={"parts": (part,)}),
        "evaluation": made.evaluation.model_copy(update={"label_errors": looked}),
    }
    return made.model_copy(update=changes)


def test_spans_are_listed_and_mended_in_their_text(tmp_path: Path) -> None:
    home, spec = Home(tmp_path / "home"), spec_of("token-classification")
    out = tmp_path / "review.csv"
    done = label_review.write_label_review(spec, evidence(spec, home), home.store, out, 10)
    assert (done.looked_at, done.found, done.written) == (40, 2, 2)
    with out.open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.DictReader(file))
    assert {row["row_id"]: row["given_label"] for row in listed} == {
        "7": "[Acme](negative) pays Ann",
        "30": "[Acme](negative) pays [Ann](negative)",
    }
    assert {row["suggested_label"] for row in listed} == {"[Acme](negative) pays [Ann](positive)"}
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(row | {"label": row["suggested_label"]} for row in listed)
    data = spec.data.model_copy(update={"corrections": ("review.csv",)})
    mended = spec.model_copy(update={"data": data}).located(tmp_path)
    assert corrections.read_corrections(mended) == {"7": [ORG, PERSON], "30": [ORG, PERSON]}

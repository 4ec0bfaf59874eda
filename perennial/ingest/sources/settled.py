"""What a person decided of texts of which others said different things: labels in data.corrections, by the tool's id.

Validation replaces the labels of rows; a text without a decision is no row yet, so its label must be known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from perennial import kinds
from perennial.ingest.sources import delimited
from perennial.ingest.sources.annotation.opinions import Answer, Labels, MarkedSpan, Number, Spans
from perennial.ingest.sources.lines import TextLines
from perennial.ingest.sources.opening import opened
from perennial.rows import spreadsheet
from perennial.rows.columns import ROW_ID
from perennial.settings.pipeline import PipelineSpec

LABEL = "label"


def settled_answers(spec: PipelineSpec) -> dict[str, Answer]:
    """The answers by row id. What can't be read or is no label is left out here: validation tells of it."""
    kind, answers = kinds.kind_named(spec.kind), dict[str, Answer]()
    for path in correction_files(spec):
        for row_id, words in _rows(path):
            try:
                answers[row_id] = _answer(kind.target_of_words(words, spec.data.labels))
            except ValueError:
                continue
    return answers


def correction_files(spec: PipelineSpec) -> list[Path]:
    """Those files of data.corrections that are there."""
    paths = [spec.folder / name for name in spec.data.corrections]
    return [path for path in paths if path.is_file()]


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    with opened(path, path.name) as stream:
        for batch in delimited.read(TextLines(stream, path.name), path.name, None):
            if {ROW_ID, LABEL} <= set(batch.columns):
                for row_id, words in zip(batch.columns[ROW_ID], batch.columns[LABEL], strict=True):
                    if row_id is not None and words is not None and str(words).strip():
                        yield spreadsheet.unsafe(str(row_id)), spreadsheet.unsafe(str(words).strip())


def _answer(target: Any) -> Answer:
    if isinstance(target, str):
        return Labels((target,))
    if isinstance(target, int | float):
        return Number(float(target))
    if all(isinstance(one, str) for one in target):
        return Labels(tuple(target), several=True)
    return Spans(tuple(MarkedSpan(one["start"], one["end"], one["label"]) for one in target))

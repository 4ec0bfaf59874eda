"""A pipeline with a live source, read as often as a test likes, and a store of what was committed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from notes import Notes

from perennial.core.progress import heard_by
from perennial.settings.pipeline import PipelineSpec
from perennial.stream.live_text import LiveText
from perennial.stream.sources import LiveReader, ReadBatch, open_source


def live_spec(folder: Path, source: dict[str, Any], columns: dict[str, Any] | None = None, **data: Any) -> PipelineSpec:
    """A pipeline whose monitor reads `source`; `data`: settings of its data."""
    return PipelineSpec.model_validate(
        {
            "name": "newsroom",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "data.csv"}, "labels": ["good", "bad"], **data},
            "gates": [{"metric": "accuracy", "min": 0.5}],
            "monitor": {"source": source, "columns": columns or {}},
        }
    ).located(folder)


class LiveStream:
    """What reads, and stores as the store does: rows and position together, rows that are known once."""

    def __init__(
        self, folder: Path, source: dict[str, Any], columns: dict[str, Any] | None = None, **data: Any
    ) -> None:
        self.folder = folder
        self.spec = live_spec(folder, source, columns, **data)
        self.position: str | None = None
        self.stored: dict[str, LiveText] = {}
        self.left_out: Counter[str] = Counter()
        self.notes: list[str] = []

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def append(self, name: str, content: str | bytes) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def open(self) -> LiveReader:
        return open_source(self.spec, self.position)

    def commit(self, batch: ReadBatch) -> list[LiveText]:
        """The texts of the batch that were not known."""
        new = [text for text in batch.texts if self.stored.setdefault(text.id, text) is text]
        self.position = batch.position
        self.left_out.update(batch.left_out)
        return new

    def read(self) -> list[str]:
        """One reading to the end; the texts that were not known. Errors are raised after what came before is stored."""
        listener = Notes()
        new: list[str] = []
        self.left_out = Counter()
        with heard_by(listener):
            reader = self.open()
            try:
                for batch in reader.batches():
                    new += [text.text for text in self.commit(batch)]
                    reader.committed(batch.position)
            finally:
                self.notes = listener.messages
                reader.close()
        return new


def lines(*rows: dict[str, Any]) -> str:
    """JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def texts(*numbers: int) -> str:
    """JSON Lines of rows with text and time."""
    return lines(*({"text": f"text {n}", "time": f"2026-01-01T00:{n // 60 % 60:02}:{n % 60:02}Z"} for n in numbers))

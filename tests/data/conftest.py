"""Pipelines over small real sources, and a real PostgreSQL."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from notes import Notes

from perennial.core.home import Home
from perennial.core.progress import heard_by
from perennial.ingest import retirements, snapshot_heads
from perennial.ingest.snapshots import accept, ingest
from perennial.records.data import Snapshot
from perennial.settings.pipeline import PipelineSpec

Row = dict[str, Any]


class Pipeline:
    """A pipeline folder with a home, ingested as often as a test likes."""

    def __init__(self, folder: Path, source: Row, columns: Row, **data: Any) -> None:
        self.folder = folder
        self.home = Home(folder / "home")
        self.notes: list[str] = []
        self.spec = PipelineSpec.model_validate(
            {
                "name": "sentiment",
                "kind": "text-classification",
                "data": {"source": source, "columns": columns, "labels": ["good", "bad"], **data},
                "gates": [{"metric": "accuracy", "min": 0.5}],
            }
        ).located(folder)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ingest(self, *, reread: bool = False) -> Snapshot:
        listener = Notes()
        with heard_by(listener):
            snapshot = ingest(self.spec, self.home, reread=reread)
        accept(self.spec, snapshot, self.home)
        self.notes = listener.messages
        return snapshot

    def accepted(self) -> Snapshot | None:
        """The snapshot that was accepted last."""
        head = snapshot_heads.read_head(snapshot_heads.stored_at(self.spec, self.home).path)
        return head.snapshot if head else None

    def rows(self, snapshot: Snapshot | None = None) -> list[Row]:
        """Those that count."""
        found = snapshot or self.ingest()
        gone = retirements.RetiredIds(found.retired, self.home.store)
        rows: list[Row] = []
        for number, part in enumerate(found.parts):
            for batch in pq.read_table(self.home.store.root / part.path).to_batches():
                rows += gone.filtered(number, batch).to_pylist()
        return rows


@pytest.fixture
def pipeline(tmp_path: Path) -> Callable[..., Pipeline]:
    """Makes a pipeline whose source is `path`, or the settings `source`; other arguments are data.columns."""

    def make(path: str | list[str] = "data.csv", *, source: Row | None = None, data: Row | None = None, **columns: Any):
        settings = source if source and "type" in source else {"type": "file", "path": path, **(source or {})}
        return Pipeline(tmp_path, settings, columns, **(data or {}))

    return make


@pytest.fixture
def unreadable() -> Iterator[Callable[[Path], None]]:
    """Makes a file one that this process may not read, as root too (by giving up root's rights meanwhile)."""
    user = os.geteuid()

    def lock(path: Path) -> None:
        for folder in path.parents[:4]:
            if folder.stat().st_uid == user and folder != Path(tempfile.gettempdir()):
                folder.chmod(0o755)
        for other in path.parent.rglob("*"):
            other.chmod(0o777)
        path.chmod(0)
        if user == 0:
            os.seteuid(65534)

    yield lock
    os.seteuid(user)

"""A pipeline with ids, corrections, deletions and rows set aside, in a home without MLflow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiny_pipeline

from perennial.core.home import Home
from perennial.erasure import forgetting
from perennial.erasure.receipt import Receipt
from perennial.erasure.request import GivenNames
from perennial.ingest import differing, snapshot_heads
from perennial.ingest.retirements import RetiredIds
from perennial.ingest.snapshots import accept, ingest
from perennial.pipeline_file import loader
from perennial.records.data import Snapshot
from perennial.settings.pipeline import PipelineSpec

COLUMNS = {"id": "key", "deleted": "gone", "time": "published_at"}
Row = dict[str, Any]


def person(number: int) -> str:
    return f"person-{number}@x.example"


class People:
    """A pipeline whose rows are people's."""

    def __init__(self, folder: Path, base: Path | str = "nowhere") -> None:
        self.folder, self.home = folder, Home(folder / "home")
        self.base = base
        (folder / "tiny" / "data").mkdir(parents=True, exist_ok=True)
        self.settings()

    def settings(self, **changes: Any) -> PipelineSpec:
        tiny_pipeline.write_settings(self.folder / "tiny", self.base, data__columns=COLUMNS, **changes)
        self.spec: PipelineSpec = loader.read_pipeline(self.folder / "tiny" / "pipeline.yaml")
        return self.spec

    def write(self, name: str, rows: Sequence[Row]) -> None:
        tiny_pipeline.write_jsonl(self.folder / "tiny" / "data" / name, [{"gone": "", **row} for row in rows])

    def read(self, spec: PipelineSpec | None = None, *, reread: bool = False) -> Snapshot:
        """The rows, read and accepted."""
        spec = spec or self.spec
        snapshot = ingest(spec, self.home, reread=reread)
        accept(spec, snapshot, self.home)
        return snapshot

    def rows(self) -> dict[str, str]:
        """The text of each row that counts in the newest snapshot, by its id."""
        import pyarrow.parquet as pq

        snapshot = snapshot_heads.heads_in(self.home, "tiny")[snapshot_heads.head_path(self.spec, self.home)].snapshot
        gone, texts = RetiredIds(snapshot.retired, self.home.store), {}
        for number, part in enumerate(snapshot.parts):
            for batch in pq.read_table(self.home.store.root / part.path).to_batches():
                for row in gone.filtered(number, batch).to_pylist():
                    assert row["row_id"] not in texts
                    texts[row["row_id"]] = row["text"]
        assert len(texts) == snapshot.rows
        return texts

    def forget(self, *ids: str, texts: Sequence[str] = (), **more: Any) -> Receipt:
        given = GivenNames(ids, [(text,) for text in texts])
        return forgetting.forget(self.spec, self.home, given, "they asked", **more)


def day(start: int, count: int, first_minute: int = 0, **more: str) -> list[Row]:
    """Rows of `count` people, from the person `start` on."""
    rows = tiny_pipeline.rows(count, start)
    return [
        {**row, "key": person(start + number), "published_at": stamp(first_minute + number), **more}
        for number, row in enumerate(rows)
    ]


def stamp(minute: int) -> str:
    return f"2026-03-{1 + minute // 1440:02}T{minute // 60 % 24:02}:{minute % 60:02}:00Z"


def leave_differing(people: People, row_id: str, text: str) -> None:
    rows = [
        {"row_id": row_id, "texts": {"text": text}, "given": [], "decided": None, "file": "f", "place": 1},
        {"row_id": person(1), "texts": {"text": "another"}, "given": [], "decided": None, "file": "f", "place": 2},
    ]
    differing.write(people.home, "tiny", json.loads(json.dumps(rows)))

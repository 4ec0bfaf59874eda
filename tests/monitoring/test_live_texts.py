"""Live texts are kept as long as triggers.keep_days says, not for ever; what is left of them brings none back."""

import os
import shutil
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny_pipeline
from notes import Notes

from perennial.core.home import Home
from perennial.core.progress import heard_by
from perennial.ingest import forgotten, live_texts, snapshot_heads
from perennial.ingest.forgotten import ForgetRequest, ForgottenPart, ForgottenRows
from perennial.ingest.snapshots import accept, ingest
from perennial.monitoring.measuring import live_spec
from perennial.monitoring.rows import windows
from perennial.pipeline_file import loader
from perennial.promotion import retention
from perennial.promotion.retention_versions import Policy
from perennial.records.data import Part
from perennial.settings.drift import TriggersSpec
from perennial.settings.pipeline import PipelineSpec

DAYS = 86400


class Live:
    """A pipeline to whose live source texts come."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "tiny", Home(folder / "home")
        source = {"type": "file", "path": "live/*"}
        tiny_pipeline.write_settings(self.folder_made(), "nowhere", triggers={"source": source, "keep_days": 10})
        spec = loader.read_pipeline(self.folder / "pipeline.yaml")
        assert spec.triggers
        self.spec: PipelineSpec = live_spec(spec, spec.triggers)
        self.lines: list[str] = []

    def folder_made(self) -> Path:
        (self.folder / "live").mkdir(parents=True)
        return self.folder

    def come(self, *texts: str) -> None:
        self.lines += texts
        tiny_pipeline.write_jsonl(self.folder / "live" / "one.jsonl", [{"text": text} for text in self.lines])
        self.read = ingest(self.spec, self.home)
        accept(self.spec, self.read, self.home)
        live_texts.keep_for(self.head, 10)

    @property
    def head(self) -> Path:
        return snapshot_heads.head_path(self.spec, self.home)

    def texts(self) -> list[str | None]:
        paths = [part.path for part in snapshot_heads.heads_in(self.home, "tiny")[self.head].snapshot.parts]
        return [text for path in paths for text in pq.read_table(self.home.store.root / path)["text"].to_pylist()]


@pytest.fixture
def live(tmp_path: Path) -> Live:
    made = Live(tmp_path)
    made.come("the first text", "the second text")
    return made


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    moment = time.time() + days * DAYS
    monkeypatch.setattr(live_texts.time, "time", lambda: moment)


def test_old_texts_go_new_ones_stay_and_none_comes_back(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    assert live_texts.empty_old(live.home, "tiny") == 0
    later(monkeypatch, 11)
    assert live_texts.empty_old(live.home, "tiny", dry_run=True) == 2
    assert live.texts() == ["the first text", "the second text"]
    listener = Notes()
    with heard_by(listener):
        assert live_texts.empty_old(live.home, "tiny") == 2
    assert any("2 live texts of tiny were read more than 10 days ago" in note for note in listener.messages)
    assert live.texts() == [None, None]
    assert live_texts.empty_old(live.home, "tiny") == 0
    monkeypatch.undo()
    # The file grew, and is read from its start.
    live.come("the third text")
    assert (live.read.new_rows, live.read.repeated_rows) == (1, 2)
    assert live.texts() == [None, None, "the third text"]
    snapshot = snapshot_heads.heads_in(live.home, "tiny")[live.head].snapshot
    assert live_texts.emptied_rows(live.head, snapshot) == 2
    skip = live_texts.emptied_rows(live.head, snapshot)
    ((number, rows),) = windows(live.spec, snapshot.parts, live.home.store, 1, skip, 3)
    assert (number, rows.texts) == (1, [("the third text",)])


def test_gc_empties_them_too_and_removes_what_held_them(
    live: Live, monkeypatch: pytest.MonkeyPatch, empty_database: Path
) -> None:
    live.home.mlflow.mkdir()
    shutil.copyfile(empty_database, live.home.mlflow / "mlflow.db")
    (part,) = (live.home.store.root / "parts").glob("*")
    old = time.time() - 2 * DAYS
    os.utime(part, (old, old))
    later(monkeypatch, 11)
    looked = retention.clear_out(live.home, (), Policy(), dry_run=True)
    assert (looked.live_texts, looked.places) == (2, ())
    cleared = retention.clear_out(live.home, (), Policy(), dry_run=False)
    assert cleared.live_texts == 2
    assert [one.path for one in cleared.places] == [f"store/parts/{part.name}"]
    assert not part.exists()
    assert live.texts() == [None, None]


def test_what_the_champion_was_trained_on_is_known_after_rows_were_forgotten(tmp_path: Path) -> None:
    def part(name: str, rows: int) -> Part:
        return Part(path=f"parts/{name}/rows.parquet", sha256=name, rows=rows)

    chain = {"a": ForgottenPart(rows=1, train_rows=1, now="b"), "c": ForgottenPart(rows=3, train_rows=3, now=None)}
    asked = [
        ForgetRequest(number=n, moment=forgotten.now(), who="us", reason="", columns=("text",), parts=parts)
        for n, parts in ((1, chain), (2, {"b": ForgottenPart(rows=2, train_rows=0, now="d")}))
    ]
    forgotten.write_forgotten(tmp_path, ForgottenRows(salt="00", requests=tuple(asked)))
    before = [part("a", 10), part("c", 3), part("e", 5)]
    assert forgotten.parts_now(tmp_path, before) == (part("d", 7), part("e", 5))
    assert forgotten.parts_now(tmp_path / "none", before) == tuple(before)


def test_the_times_of_live_texts_are_written_as_those_of_the_rows(tmp_path: Path) -> None:
    spec = Live(tmp_path).spec
    columns = spec.data.columns.model_copy(update={"time": "at", "time_format": "epoch_ms"})
    written = spec.model_copy(update={"data": spec.data.model_copy(update={"columns": columns})}).located(spec.folder)
    source = {"type": "file", "path": "live/*.jsonl"}
    for column, form in (("asked", "epoch_ms"), (None, None)):
        live = live_spec(written, TriggersSpec.model_validate({"source": source, "time": column}))
        assert (live.data.columns.time, live.data.columns.time_format) == (column, form)

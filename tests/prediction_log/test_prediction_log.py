"""The prediction log: whole files, bounded memory, drops counted, nothing of a text unless asked for."""

import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from only_these import Missing
from pydantic import ValidationError
from serving_helpers import tiny_spec

from perennial.core.errors import ServingError
from perennial.core.home import Home
from perennial.ingest.sources import file
from perennial.prediction_log import files, parquet
from perennial.prediction_log.background import BackgroundLog
from perennial.prediction_log.files import OPEN, FileWriter, closed_files, lines_of
from perennial.prediction_log.logged import COLUMNS, LoggedAnswers, LoggedRow, rows_of
from perennial.prediction_log.opening import logged_rows, open_writer
from perennial.settings.data import FileSource
from perennial.settings.prediction_log import PredictionLogSpec

SECRET = "zanzibar quarterly secret"


def logged(request: str = "r1", inputs: Sequence[Any] = (SECRET, "soup"), **answer: Any) -> LoggedAnswers:
    answers = [{"label": "x", "score": 0.9, "scores": {"x": 0.9, "y": 0.1}} | answer for _ in inputs]
    return LoggedAnswers(request, 1_800_000_000.5, "tiny", "3", "champion", 0.01, inputs, answers)


def settings(**values: Any) -> PredictionLogSpec:
    return PredictionLogSpec.model_validate(values)


def rows(*requests: LoggedAnswers) -> list[LoggedRow]:
    return [row for one in requests for row in rows_of(one, texts=False, redact=None)]


@pytest.mark.parametrize("to", ["jsonl", "parquet", "sql"])
def test_what_was_written_is_read_back_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    monkeypatch.setenv("LOG_URL", f"sqlite:///{tmp_path}/log.db")
    spec = settings(to=to, **({"url_env": "LOG_URL"} if to == "sql" else {}))
    writer = open_writer(Home(tmp_path), "tiny", spec)
    writer.write(rows(logged("r1"), logged("r2")))
    before = list(logged_rows(Home(tmp_path), "tiny", spec, ["r2/1", "r9/0"]))
    writer.tick()
    writer.close()
    [row] = logged_rows(Home(tmp_path), "tiny", spec, ["r2/1", "r9/0"])
    assert [row] == before
    assert set(row) == set(COLUMNS)
    assert (row["id"], row["row"], row["version"], row["label"]) == ("r2/1", 1, "3", "x")
    assert row["time"] == "2027-01-15T08:00:00.500+00:00"
    assert json.loads(row["answer"])["scores"] == {"x": 0.9, "y": 0.1}
    assert all(SECRET.encode() not in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_closed_files_are_whole_and_what_a_killed_server_left_is_closed(tmp_path: Path) -> None:
    child = os.fork()
    if not child:
        writer = FileWriter(tmp_path, "hour", 30, as_parquet=False)
        writer.write(rows(logged("r1")))
        with next(tmp_path.glob(f"*{OPEN}")).open("ab") as file:
            file.write(b'{"id": "half')
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert closed_files(tmp_path) == []
    FileWriter(tmp_path, "hour", 30, as_parquet=False)
    [closed] = closed_files(tmp_path)
    assert [row["id"] for row in lines_of(closed)] == ["r1/0", "r1/1"]
    assert list(tmp_path.glob(f"*{OPEN}")) == []


def test_servers_of_one_home_leave_each_others_open_files_alone(tmp_path: Path) -> None:
    one = FileWriter(tmp_path, "hour", 30, as_parquet=True)
    one.write(rows(logged("r1")))
    other = FileWriter(tmp_path, "hour", 30, as_parquet=True)
    other.write(rows(logged("r2")))
    assert len(list(tmp_path.glob(f"*{OPEN}"))) == 2
    one.close()
    other.close()
    read = [row["id"] for path in closed_files(tmp_path) for row in parquet.rows_of_parquet(path)]
    assert sorted(read) == ["r1/0", "r1/1", "r2/0", "r2/1"]


def test_files_are_closed_when_their_hour_is_over_and_deleted_when_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FileWriter(tmp_path, "hour", 1, as_parquet=False)
    writer.write(rows(logged("r1")))
    writer.tick()
    assert closed_files(tmp_path) == []
    monkeypatch.setattr(writer, "_now", lambda: "2099-01-01T00")
    writer.tick()
    [closed] = closed_files(tmp_path)
    old = time.time() - 2 * files.DAY
    os.utime(closed, (old, old))
    FileWriter(tmp_path, "hour", 1, as_parquet=False)
    assert closed_files(tmp_path) == []


def test_drift_reads_it_as_a_source_of_live_texts(tmp_path: Path) -> None:
    folder = tmp_path / "predictions" / "tiny"
    writers = [open_writer(Home(tmp_path), "tiny", settings(to=to, texts=True)) for to in ("jsonl", "parquet", "jsonl")]
    for writer in writers:
        writer.write(list(rows_of(logged(), texts=True, redact=None)))
    for writer in writers[:2]:
        writer.close()
    spec = tiny_spec()
    source = FileSource(type="file", path=("predictions/tiny/*.jsonl", "predictions/tiny/*.parquet"))
    pieces = file.pieces(spec.located(tmp_path), source, ())
    assert len(pieces) == 2  # not the one that is open
    for piece in pieces:
        [batch] = list(piece.read(None))
        assert list(batch.columns["text"]) == [SECRET, "soup"]
    assert folder.is_dir()


class Stuck:
    """A writer that gets on when it is let, and fails when told to."""

    def __init__(self) -> None:
        self.rows: list[LoggedRow] = []
        self.go_on = threading.Event()
        self.failures = 0

    def write(self, batch: Sequence[LoggedRow]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError(28, "no space")
        assert self.go_on.wait(60)
        self.rows += batch

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_what_comes_faster_than_it_is_written_is_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    writer, lost = Stuck(), [0]
    log = BackgroundLog(writer, 100, texts=False, dropped=lambda rows: lost.__setitem__(0, lost[0] + rows))
    log.start()
    for number in range(200):
        log.put(logged(f"r{number}"))
    writer.go_on.set()
    log.end()
    assert len(writer.rows) + lost[0] == 400
    assert len(writer.rows) == 100
    assert "300 answers were not written to the prediction log" in caplog.text
    assert SECRET not in caplog.text


def test_what_could_not_be_written_is_tried_again() -> None:
    writer = Stuck()
    writer.failures = 1
    writer.go_on.set()
    log = BackgroundLog(writer, 100, texts=True, redact=lambda text: text.replace("zanzibar", "[place]"))
    log.put(logged())
    log.start()
    deadline = time.monotonic() + 30
    while not writer.rows and time.monotonic() < deadline:
        time.sleep(0.05)
    log.end()
    assert [row["text"] for row in writer.rows] == ["[place] quarterly secret", "soup"]


def test_texts_of_pairs_and_tokens_and_spans() -> None:
    spans = [{"start": 0, "end": 8, "label": "P", "text": "zanzibar"}]
    [pair] = rows_of(logged(inputs=[("a", "b")]), texts=True, redact=None)
    assert (pair["text"], pair["text_pair"]) == ("a", "b")
    [tokens] = rows_of(logged(inputs=[["zan", "zi"]], spans=spans), texts=True, redact=None)
    assert json.loads(tokens["tokens"]) == ["zan", "zi"]
    [hidden] = rows_of(logged(inputs=[["zan", "zi"]], spans=spans, text="zan zi"), texts=False, redact=None)
    assert "zan" not in json.dumps(hidden)


def test_what_is_missing_is_said_before_anything_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.meta_path", [Missing(["pyarrow"]), *__import__("sys").meta_path])
    for name in [name for name in __import__("sys").modules if name.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(__import__("sys").modules, name)
    with pytest.raises(ServingError, match="pyarrow, which writes it, is not installed"):
        open_writer(Home(tmp_path), "tiny", settings(to="parquet"))
    with pytest.raises(ServingError, match="The variable NOWHERE_URL"):
        open_writer(Home(tmp_path), "tiny", settings(to="sql", url_env="NOWHERE_URL"))
    with pytest.raises(ValidationError, match="url_env goes with to: sql"):
        settings(to="sql")
    (tmp_path / "predictions").write_text("in the way")
    with pytest.raises(ServingError, match="can't be written"):
        open_writer(Home(tmp_path), "tiny", settings(to="jsonl"))

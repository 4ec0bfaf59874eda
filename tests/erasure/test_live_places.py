"""Live texts and logged answers of somebody who is forgotten: gone, bytes and all, and not taken in again."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from byte_search import holders
from erasure_data import People, day, person
from live_rows import START, stored

from perennial.core.errors import SpecError
from perennial.labelling.choosing.choice import choose_texts
from perennial.monitoring.alarms.alarm import Alarm
from perennial.monitoring.alarms.alarm_database import writing
from perennial.monitoring.alarms.alarm_table import alarms_of, keep_alarms
from perennial.monitoring.surges.events import Headline, Surge
from perennial.prediction_log import files, opening
from perennial.prediction_log.logged import LoggedAnswers, rows_of
from perennial.settings.prediction_log import PredictionLogSpec
from perennial.stream.store import StreamStore

GONE, COPY, OTHER = person(7), person(8), person(9)
SECRET = "the lawsuit of somebody at north plant"
MONITOR = {"source": {"type": "file", "path": "live/*.jsonl"}, "columns": {"id": "key", "time": "published_at"}}
PLACES = {
    "stored live texts": 2,
    "live texts that wait to be labelled": 2,
    "headlines of alarms": 1,
    "texts of logged answers": 2,
}


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> People:
    """Two live texts that are the same, the second of the first one's story, and a third; each kept in every place."""
    monkeypatch.setenv("LOG_URL", f"sqlite:///{tmp_path / 'home' / 'log.db'}")
    made = People(tmp_path)
    made.write("first.jsonl", day(100, 30))
    log = {"to": "sql", "url_env": "LOG_URL", "texts": True}
    made.settings(monitor=MONITOR, serving={"log": log})
    made.read()
    rows = [
        stored(GONE, SECRET, story=GONE),
        stored(COPY, SECRET, story=GONE, telling="copy"),
        stored(OTHER, "shares of the bank rose", story=GONE, telling="retelling"),
    ]
    with closing(StreamStore.open(made.home, "tiny")) as store:
        store.commit(rows_table(rows), "end", {})
    choose_texts(made.spec, made.home, [rows_table([row | {"story": row["id"]} for row in rows])])
    with writing(made.home, "tiny") as connection:
        keep_alarms(connection, [alarm(Headline(id=GONE, text=SECRET), Headline(id=OTHER, text="shares"))])
    log_answers(made, PredictionLogSpec.model_validate(log))
    log_answers(made, PredictionLogSpec(to="parquet", texts=True))
    return made


def rows_table(rows: list[dict[str, Any]]) -> pa.Table:
    from perennial.stream.live_text import stored_schema

    return pa.Table.from_pylist(rows, schema=stored_schema())


def alarm(*headlines: Headline) -> Alarm:
    surge = Surge(
        id="a1", key=(), label="negative", opened=START, until=START, texts=9, counted=9, usual_share=0.1,
        p_value=1e-9, headlines=headlines,
    )  # fmt: skip
    return Alarm(surge=surge, severity="warning", noticed=START)


def log_answers(made: People, settings: PredictionLogSpec) -> None:
    texts = [SECRET, "shares of the bank rose"]
    answers = [{"label": "negative", "score": 0.9}] * 2
    logged = LoggedAnswers("r1", 1.7e9, "tiny", "1", "champion", 0.1, texts, answers)
    with closing(opening.open_writer(made.home, "tiny", settings)) as writer:
        writer.write(list(rows_of(logged, texts=True, redact=None)))


def left(made: People) -> list[str]:
    return holders(made.home.root, [SECRET, GONE, COPY], [])


def test_a_text_is_gone_from_every_place_and_its_neighbours_stay(people: People) -> None:
    assert len(left(people)) > 4
    looked = people.forget(texts=[SECRET.upper()], dry_run=True)
    assert {one.what: one.rows for one in looked.places if "log.db" not in one.where} == PLACES | {
        "texts of logged answers": 1
    }
    assert len(left(people)) > 4
    receipt = people.forget(texts=[SECRET.upper()])
    assert receipt.erased == PLACES
    assert receipt.finished
    assert left(people) == []
    with closing(StreamStore.open(people.home, "tiny")) as store:
        (row,) = [row for table in store.tables() for row in table.to_pylist()]
        assert row["id"] == OTHER
        assert row["story"].startswith("forgotten-")
        assert store.unknown([GONE, COPY, OTHER, "another"]) == [3]
    (told,) = alarms_of(people.home, "tiny")
    assert [one.id for one in told.surge.headlines] == [OTHER]
    (file,) = files.closed_files(files.predictions_folder(people.home, "tiny"))
    assert pq.read_table(file)["text"].to_pylist() == ["shares of the bank rose"]
    again = people.forget(texts=[SECRET])
    assert again.number == receipt.number


def test_an_id_takes_the_text_with_it_and_labels_that_people_gave_are_named(people: People) -> None:
    said = {"id": GONE, "text": SECRET, "label": "negative", "annotator": "ann", "labelled_at": START.isoformat(),
            "chosen_by": "random", "weight": 1.0}  # fmt: skip
    path = people.spec.folder / "labelled" / "labels.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(said) + "\n")
    receipt = people.forget(GONE)
    assert receipt.erased["stored live texts"] == 1
    assert any("are of 1 of the texts: take their lines out there" in one for one in receipt.yours)


def test_a_file_that_a_server_has_open_stays_and_is_named(people: People) -> None:
    writer = opening.open_writer(people.home, "tiny", PredictionLogSpec(to="jsonl", texts=True))
    logged = LoggedAnswers("r2", 1.7e9, "tiny", "1", "champion", 0.1, [SECRET], [{"label": "x", "score": 1.0}])
    with closing(writer):
        writer.write(list(rows_of(logged, texts=True, redact=None)))
        receipt = people.forget(texts=[SECRET])
        assert [one.what for one in receipt.places] == ["texts of logged answers"]
        assert "a server has the file open" in receipt.places[0].stays
        assert receipt.finished is None
    assert people.forget(texts=[SECRET]).finished
    assert left(people) == []


def test_a_text_that_is_nowhere_is_told(people: People) -> None:
    with pytest.raises(SpecError, match="No row of tiny has these ids or texts"):
        people.forget(texts=["nobody ever wrote this"])

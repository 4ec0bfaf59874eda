"""Stored live texts in a database's table: each once, whatever is killed, and gone when they are to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from live_rows import START, stored

from perennial.core.errors import SpecError, StoreError
from perennial.core.home import Home
from perennial.settings.monitor.streams import TextTableSpec
from perennial.stream import text_table
from perennial.stream.live_text import stored_schema
from perennial.stream.store import StreamStore
from perennial.stream.text_table import TextTable

SETTINGS = TextTableSpec(url_env="TEXTS_URL")
NOW = START + timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    postgres = request.param == "postgresql"
    address = request.getfixturevalue("new_postgres")() if postgres else f"sqlite:///{tmp_path / 'texts.db'}"
    monkeypatch.setenv("TEXTS_URL", address)
    made = sa.create_engine(address)
    yield made
    made.dispose()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StreamStore]:
    with closing(StreamStore.open(Home(tmp_path / "home"), "tiny")) as made, made.alone():
        yield made


def keep(store: StreamStore, *numbers: int, minutes: int = 0) -> None:
    read = START + timedelta(minutes=minutes)
    rows = [stored(f"t{one}", f"text {one}", read=read, kept=[("sector", "banks")], topic=["tax"]) for one in numbers]
    store.commit(pa.Table.from_pylist(rows, schema=stored_schema()), "here", {})


def rows(engine: sa.Engine) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        asked = sa.text("SELECT * FROM perennial_live_texts ORDER BY id")
        return [dict(row._mapping) for row in connection.execute(asked)]


def follow(store: StreamStore, keep_days: float = 30) -> int:
    return text_table.follow(SETTINGS, "tiny", store, keep_days, NOW)


def test_each_text_is_added_once_also_when_a_look_was_cut_short(
    engine: sa.Engine, store: StreamStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(store, 1, 2)
    assert follow(store) == 2
    assert follow(store) == 0
    keep(store, 3, 4, minutes=1)
    keep(store, 5, minutes=2)
    with monkeypatch.context() as patch:
        # Added, and the power fails before it is noted how far.
        patch.setattr(StreamStore, "note_copied_to", lambda *_: pytest.fail("the power failed"))
        with pytest.raises(pytest.fail.Exception):
            follow(store)
    follow(store)
    there = rows(engine)
    assert [row["id"] for row in there] == ["t1", "t2", "t3", "t4", "t5"]
    assert (there[0]["pipeline"], there[0]["label"], there[0]["topic"]) == ("tiny", "negative", '["tax"]')
    assert there[0]["kept"] == '[["sector", "banks"]]'


def test_what_is_erased_from_the_store_leaves_the_table(engine: sa.Engine, store: StreamStore) -> None:
    keep(store, 1)
    keep(store, 2, 3, minutes=600)
    follow(store)
    with closing(TextTable(SETTINGS, "tiny")) as table:
        table.erase(["t2"])
    store.erase(["t2"], {})
    assert [row["id"] for row in rows(engine)] == ["t1", "t3"]
    assert follow(store, keep_days=0.9) == 0
    assert [row["id"] for row in rows(engine)] == ["t3"]


def test_a_database_that_is_away_is_told_and_nothing_is_lost(
    store: StreamStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TEXTS_URL", raising=False)
    with pytest.raises(SpecError, match="TEXTS_URL, which monitor"):
        follow(store)
    keep(store, 1)
    for address in ("postgresql+psycopg://me:secret@127.0.0.1:1/x", "nonsense", "sqlite:////nowhere/at/all.db"):
        monkeypatch.setenv("TEXTS_URL", address)
        with pytest.raises(StoreError) as error:
            follow(store)
        assert "secret" not in str(error.value)
    monkeypatch.setenv("TEXTS_URL", f"sqlite:///{tmp_path / 'later.db'}")
    assert follow(store) == 1

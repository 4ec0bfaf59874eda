"""Streams of a real Redis server: read from a position, by a group, and while the server dies."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import redis
from live_sources import LiveStream
from redis_servers import RedisServer

from perennial.core.errors import SourceError, UnreachableError
from perennial.stream.sources import live_redis

ENV = "TEST_LIVE_REDIS_URL"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def client(server, monkeypatch) -> redis.Redis:
    monkeypatch.setenv(ENV, server.url)
    client = redis.Redis.from_url(server.url)
    client.flushall()
    return client


def source(**more: object) -> dict:
    return {"type": "redis", "url_env": ENV, "stream": "news", **more}


def add(client: redis.Redis, *numbers: int) -> None:
    for number in numbers:
        client.xadd("news", {"text": f"text {number}", "time": "2026-01-01T10:00:00Z"})


@pytest.mark.parametrize("group", [None, "watchers"])
def test_entries_are_read_once_from_the_position_on(tmp_path, client, group) -> None:
    stream = LiveStream(tmp_path, source(group=group))
    assert stream.read() == []
    assert "no stream 'news'" in stream.notes[0]
    assert not client.exists("news"), "nothing is made on the server"
    add(client, 1, 2)
    assert stream.read() == ["text 1", "text 2"]
    assert stream.read() == []
    add(client, 3)
    assert stream.read() == ["text 3"]
    assert {text.time for text in stream.stored.values()} == {datetime(2026, 1, 1, 10, tzinfo=UTC)}
    assert list(stream.stored) == [entry.decode() for entry, _ in client.xrange("news")]
    if group:
        assert client.xpending("news", group)["pending"] == 0


def test_a_group_acknowledges_only_what_was_stored(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source(group="watchers"))
    add(client, *range(5))
    reader = stream.open()
    list(reader.batches())
    reader.close()
    assert client.xpending("news", "watchers")["pending"] == 5, "read, and dead before it was stored"
    reader = stream.open()
    (batch,) = reader.batches()
    stream.commit(batch)
    reader.close()
    assert client.xpending("news", "watchers")["pending"] == 5, "stored, and dead before it was acknowledged"
    add(client, 5)
    assert stream.read() == ["text 5"]
    assert client.xpending("news", "watchers")["pending"] == 0


def test_others_of_a_group_get_other_entries(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source(group="watchers"))
    add(client, 1, 2)
    client.xgroup_create("news", "watchers", "0")
    client.xreadgroup("watchers", "another", {"news": ">"}, count=1)
    assert stream.read() == ["text 2"]


def test_an_entry_without_a_time_has_that_of_the_stream(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source())
    client.xadd("news", {"text": "a"}, id="1767225600000-5")
    stream.read()
    (text,) = stream.stored.values()
    assert (text.id, text.time) == ("1767225600000-5", datetime(2026, 1, 1, tzinfo=UTC))


def test_json_in_a_field_and_ids_of_ones_own(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source(json_field="data"), {"id": "id", "source": "by", "kept": ["desk"]})
    row = {"id": 1, "text": "a", "time": 1767225600, "by": "Wire", "desk": "uk"}
    client.xadd("news", {"data": json.dumps(row)})
    client.xadd("news", {"data": "{half"})
    client.xadd("news", {"other": "x"})
    client.xadd("news", {"data": json.dumps({**row, "text": "the same id"})})
    assert stream.read() == ["a"]
    (text,) = stream.stored.values()
    assert (text.id, text.source, dict(text.kept)) == ("1", "Wire", {"desk": "uk"})
    assert stream.left_out == {"entries whose value is no JSON object": 2}


def test_bad_entries_stop_no_other(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source())
    client.xadd("news", {"text": b"\xff\xfe"})
    client.xadd("news", {"text": ""})
    client.xadd("news", {"body": "x"})
    client.xadd("news", {"text": "x" * 10_000_000})
    add(client, 1)
    assert stream.read() == ["text 1"]
    assert stream.left_out == {
        "texts that are not UTF-8": 1,
        "texts that are empty": 2,
        "texts of more than 100,000 characters (data.max_text_length)": 1,
    }


def test_a_field_that_has_gone_stops_reading_before_its_entries_are_passed_over(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source())
    add(client, 1)
    stream.read()
    client.xadd("news", {"body": "text 2"})
    with pytest.raises(SourceError, match=r"none has a 'text'; they have: body"):
        stream.read()
    renamed = LiveStream(tmp_path, source(), {"text": "body"})
    renamed.position = stream.position
    assert renamed.read() == ["text 2"]


@pytest.mark.parametrize("group", [None, "watchers"])
def test_a_server_that_dies_in_the_middle_loses_nothing(tmp_path, monkeypatch, group) -> None:
    server = RedisServer(tmp_path / "own")
    client = server.start()
    monkeypatch.setenv(ENV, server.url)
    # Small batches, so that there is a middle.
    monkeypatch.setattr(live_redis, "FIRST_COUNT", 10)
    monkeypatch.setattr(live_redis, "BATCH_ROWS", 10)
    monkeypatch.setattr("perennial.stream.sources.reader.BATCH_ROWS", 10)
    try:
        add(client, *range(40))
        stream = LiveStream(tmp_path, source(group=group))
        reader = stream.open()
        batches = reader.batches()
        stream.commit(next(batches))
        server.kill()
        if group:
            with pytest.raises(UnreachableError, match="does not answer"):
                reader.committed(stream.position)
        with pytest.raises(UnreachableError, match="does not answer"):
            list(map(stream.commit, batches))
        reader.close()
        assert len(stream.stored) == 10
        with pytest.raises(UnreachableError):
            stream.read()
        server.start()
        assert stream.read() == [f"text {n}" for n in range(10, 40)]
        assert len(stream.stored) == 40
    finally:
        server.kill()


def test_entries_that_were_trimmed_before_they_were_read_are_told(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source())
    add(client, 1)
    stream.read()
    add(client, *range(2, 10))
    client.xtrim("news", maxlen=2, approximate=False)
    assert stream.read() == ["text 8", "text 9"]
    assert stream.left_out == {live_redis.TRIMMED: 6}
    add(client, 10, 11)
    assert stream.read() == ["text 10", "text 11"]
    assert not stream.left_out


def test_a_stream_that_was_made_anew_is_told_and_read_from_its_beginning(tmp_path, client) -> None:
    stream = LiveStream(tmp_path, source())
    client.xadd("news", {"text": "a"}, id="2767225600000-0")
    stream.read()
    client.delete("news")
    add(client, 1)
    assert stream.read() == ["text 1"]
    assert "made anew" in stream.notes[0]


def test_what_is_wrong_with_the_server_is_told(tmp_path, client, server, monkeypatch) -> None:
    stream = LiveStream(tmp_path, source())
    client.set("news", "no stream")
    with pytest.raises(SourceError, match="WRONGTYPE"):
        stream.read()
    monkeypatch.setenv(ENV, f"redis://user:verysecret@127.0.0.1:{server.port}/0")
    with pytest.raises(SourceError) as error:
        stream.read()
    assert not isinstance(error.value, UnreachableError)
    assert "verysecret" not in str(error.value)
    monkeypatch.setenv(ENV, "nonsense://x")
    with pytest.raises(SourceError, match="no URL of a Redis server"):
        stream.read()
    monkeypatch.delenv(ENV)
    with pytest.raises(SourceError, match="is not set"):
        stream.read()
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(SourceError, match="not installed"):
        stream.read()

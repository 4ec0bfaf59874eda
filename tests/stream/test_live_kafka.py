"""Topics on librdkafka's own broker, which speaks Kafka's protocol over TCP: a process that can be killed.

It is a stand-in for Kafka itself (one machine, in memory, no retention), of the client's own makers and for tests like
these.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from live_sources import LiveStream

from perennial.core.errors import SourceError, SpecError, UnreachableError
from perennial.stream.sources import live_kafka

BROKER = """
import sys
from confluent_kafka import Producer
broker = Producer({"test.mock.num.brokers": 1, "log_level": 0, "bootstrap.servers": "none"})
told = broker.list_topics(timeout=30).brokers.values()
print(",".join(f"{one.host}:{one.port}" for one in told), flush=True)
sys.stdin.read()
"""


class Broker:
    def __init__(self) -> None:
        command = [sys.executable, "-c", BROKER]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.servers = self.process.stdout.readline().strip()

    def send(self, topic: str, *values: object, partition: int = 0) -> None:
        producer = Producer({"bootstrap.servers": self.servers, "log_level": 0})
        for value in values:
            content = value if isinstance(value, bytes | None) else json.dumps(value).encode()
            producer.produce(topic, content, partition=partition, timestamp=1767261600000)
        assert producer.flush(20) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def own_broker() -> Iterator[Broker]:
    broker = Broker()
    try:
        yield broker
    finally:
        broker.kill()


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with own_broker() as broker:
        yield broker


def source(broker: Broker, topic: str, **more: object) -> dict:
    return {"type": "kafka", "servers": broker.servers.split(","), "topic": topic, **more}


def rows(*numbers: int) -> list[dict[str, str]]:
    return [{"text": f"text {n}", "time": "2026-01-01T10:00:00Z"} for n in numbers]


def test_messages_of_all_partitions_are_read_once_from_the_position_on(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "all"))
    broker.send("all", *rows(1, 2))
    broker.send("all", *rows(3), partition=2)
    assert sorted(stream.read()) == ["text 1", "text 2", "text 3"]
    assert stream.read() == []
    broker.send("all", *rows(4), partition=1)
    assert stream.read() == ["text 4"]
    assert json.loads(stream.position)["at"]["offsets"] == {"0": 2, "1": 1, "2": 1, "3": 0}
    assert {text.time for text in stream.stored.values()} == {datetime(2026, 1, 1, 10, tzinfo=UTC)}


def test_what_was_read_and_not_stored_comes_again_by_the_same_id(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "again"))
    broker.send("again", *rows(1, 2))
    (first,) = stream.open().batches()
    assert stream.read() == ["text 1", "text 2"]
    assert {text.id for text in first.texts} == set(stream.stored)


def test_a_group_is_told_what_was_stored(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "told", group="watchers"))
    broker.send("told", *rows(1, 2))
    list(stream.open().batches())
    other = Consumer({"bootstrap.servers": broker.servers, "group.id": "watchers", "log_level": 0})
    assert other.committed([TopicPartition("told", 0)], 20)[0].offset < 0
    stream.read()
    assert other.committed([TopicPartition("told", 0)], 20)[0].offset == 2
    other.close()


def test_bad_messages_stop_no_other_and_times_and_ids_are_the_messages(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "bad"), {"id": "id"})
    broker.send("bad", b"{half", None, b"[1]", {"text": "", "id": 1}, {"text": "a"}, {"text": "b", "id": "mine"})
    assert stream.read() == ["a", "b"]
    assert stream.left_out == {"entries whose value is no JSON object": 3, "texts that are empty": 1}
    assert list(stream.stored) == ["bad/0/4@1767261600000", "mine"]
    assert {text.time for text in stream.stored.values()} == {datetime(2026, 1, 1, 10, tzinfo=UTC)}


def test_a_value_can_be_the_text_alone(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "plain", value="text"))
    broker.send("plain", "Zürich".encode(), b"\xff", None)
    assert stream.read() == ["Zürich"]
    assert stream.left_out == {"texts that are not UTF-8": 1, "texts that are empty": 1}


def test_a_field_that_has_gone_stops_reading_before_its_messages_are_passed_over(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "gone"))
    broker.send("gone", {"body": "a"})
    with pytest.raises(SourceError, match="none has a 'text'"):
        stream.read()
    assert LiveStream(tmp_path, source(broker, "gone"), {"text": "body"}).read() == ["a"]


def test_a_broker_that_dies_in_the_middle_loses_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(live_kafka, "MOST_MESSAGES", 10)
    monkeypatch.setattr("perennial.stream.sources.reader.BATCH_ROWS", 10)
    with own_broker() as broker:
        settings = source(broker, "news", group="watchers", timeout_seconds=1)
        settings["properties"] = {
            "fetch.message.max.bytes": "50000", "queued.max.messages.kbytes": "60", "fetch.queue.backoff.ms": "10"
        }  # fmt: skip
        stream = LiveStream(tmp_path, settings)
        for number in range(10):
            broker.send("news", *({**row, "more": "x" * 20_000} for row in rows(*range(number * 10, number * 10 + 10))))
        reader = stream.open()
        batches = reader.batches()
        stream.commit(next(batches))
        broker.kill()
        with pytest.raises(UnreachableError, match="do not answer"):
            list(map(stream.commit, batches))
        with pytest.raises(UnreachableError):
            reader.committed(stream.position)
        reader.close()
        position, count = stream.position, len(stream.stored)
        assert 10 <= count < 100
        with pytest.raises(UnreachableError):
            stream.read()
        assert (stream.position, len(stream.stored)) == (position, count)


def test_offsets_beyond_what_is_there_are_told(tmp_path, broker) -> None:
    stream = LiveStream(tmp_path, source(broker, "anew"))
    broker.send("anew", *rows(1, 2))
    stream.read()
    place = json.loads(stream.position)
    place["at"]["offsets"]["0"] = 99
    stream.position = json.dumps(place)
    broker.send("anew", *rows(3))
    assert stream.read() == ["text 3"]
    assert "it was made anew, or cut" in stream.notes[0]


def test_messages_that_the_brokers_deleted_are_counted(tmp_path, broker) -> None:
    # What retention does to offsets, which this broker has not.
    broker.send("short", *rows(1, 2))
    reader = LiveStream(tmp_path, source(broker, "short")).open()
    source_of_messages = reader._source
    left_out = live_kafka.Counter()
    assert source_of_messages._start(0, 5, 8, 20, left_out) == 8
    assert source_of_messages._start(0, 8, 8, 20, left_out) == 8
    assert list(left_out.values()) == [3]


def test_what_is_wrong_is_told(tmp_path, broker, monkeypatch) -> None:
    with pytest.raises(SourceError, match="know no topic 'nope'"):
        LiveStream(tmp_path, source(broker, "nope")).read()
    with pytest.raises(SpecError, match=r"enable\.auto\.commit"):
        LiveStream(tmp_path, source(broker, "x", properties={"enable.auto.commit": "true"})).read()
    with pytest.raises(SpecError, match="nonsense"):
        LiveStream(tmp_path, source(broker, "x", properties={"nonsense": "1"})).read()
    with pytest.raises(SourceError, match="TEST_KAFKA_PASSWORD"):
        LiveStream(tmp_path, source(broker, "x", properties_env={"sasl.password": "TEST_KAFKA_PASSWORD"})).read()
    begun = datetime.now(UTC)
    with pytest.raises(UnreachableError):
        LiveStream(tmp_path, {**source(broker, "x"), "servers": "127.0.0.1:1", "timeout_seconds": 1}).read()
    assert datetime.now(UTC) - begun < timedelta(seconds=15)
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(SourceError, match="not installed"):
        LiveStream(tmp_path, source(broker, "x")).read()

"""A topic of Kafka: each partition is read from the offset that the position names on."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from perennial.core import progress
from perennial.core.errors import SourceError, SpecError, UnreachableError
from perennial.rows.moments import EPOCH
from perennial.settings.monitor.streams import KafkaSource
from perennial.stream.sources.live_rows import RowColumns
from perennial.stream.sources.reader import SourceChunk
from perennial.stream.sources.stream_entries import StreamEntry, as_text, entry_rows, json_fields

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message

MOST_MESSAGES = 1_000
"""Of a chunk."""
OURS = ("bootstrap.servers", "group.id", "enable.auto.commit", "enable.partition.eof", "auto.offset.reset")
"""Properties that settings may not name: reading rests on them."""
WAIT = 0.5
"""Seconds for which messages are gathered, at most."""
QUEUE_KIB = 16 << 10
"""Of messages that the client fetches ahead, so that memory is bounded."""


class LiveKafka:
    """A topic that is open; brokers are asked first when it is read."""

    def __init__(self, source: KafkaSource, columns: RowColumns, pipeline: str) -> None:
        """Raises SpecError and SourceError where a property, the package or a variable is not to be had."""
        self._source = source
        self._columns = columns
        self._consumer = _consumer(source, pipeline)
        self._group = _Group(source, pipeline) if source.group else None

    def chunks(self, at: Any) -> Iterator[SourceChunk]:
        """The messages that are there now and were not read. Raises UnreachableError when the brokers are away."""
        if at and at["topic"] != self._source.topic:
            progress.note(f"monitor.source.topic is another one now: {self._source.topic} is read from its beginning.")
            at = None
        offsets = {int(partition): offset for partition, offset in (at["offsets"] if at else {}).items()}
        with _clear_errors(self._source):
            partitions, left_out = self._partitions(offsets)
        reading = _Reading(self._source, self._consumer, self._columns, partitions)
        yield from reading.chunks(left_out)

    def committed(self, at: Any) -> None:
        """Tell the brokers how far the group is; where to go on is never read from there."""
        if self._group is not None and at and at["topic"] == self._source.topic:
            self._group.tell({int(number): offset for number, offset in at["offsets"].items()})

    def close(self) -> None:
        """Let go of connections."""
        self._consumer.close()
        if self._group is not None:
            self._group.close()

    def _partitions(self, offsets: Mapping[int, int]) -> tuple[dict[int, _Partition], Counter[str]]:
        """Where each partition is read from, to where, and what is lost."""
        from confluent_kafka import TopicPartition

        topic, patience = self._source.topic, self._source.timeout_seconds
        topic_data = self._consumer.list_topics(topic, timeout=patience).topics[topic]
        if topic_data.error is not None:
            raise SourceError(
                f"The brokers know no topic {topic!r} that may be read: {topic_data.error.str()}.",
                remedy="Look at monitor.source.topic, and at what the user may read.",
            )
        partitions, left_out = dict[int, _Partition](), Counter[str]()
        for number in sorted(topic_data.partitions):
            low, high = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=patience)
            start = self._start(number, offsets.get(number), low, high, left_out)
            partitions[number] = _Partition(start, high)
        return partitions, left_out

    def _start(self, number: int, offset: int | None, low: int, high: int, left_out: Counter[str]) -> int:
        if offset is None:
            return low
        if offset < low:
            left_out["messages that the brokers deleted before they were read (retention)"] += low - offset
            return low
        if offset > high:
            progress.note(
                f"Partition {number} of {self._source.topic} ends at {high:,}, before {offset:,}, to where it was read:"
                " it was made anew, or cut. It is read from its beginning; messages that are known by their ids are not"
                " stored twice."
            )
            return low
        return offset


class _Group:
    """Tells the brokers how far a group is.

    By a client of its own: only one that reads nothing can wait for the answer for as long as it likes and no longer.
    """

    def __init__(self, source: KafkaSource, pipeline: str) -> None:
        self._source = source
        self._answers: list[KafkaError | None] = []
        # The session, of which it never has one, is how long closing waits for brokers that are away.
        waits = {"session.timeout.ms": int(source.timeout_seconds * 1000), "heartbeat.interval.ms": 1}
        self._client = _consumer(source, pipeline, on_commit=lambda error, _: self._answers.append(error), **waits)

    def tell(self, offsets: Mapping[int, int]) -> None:
        """Raises UnreachableError when the brokers do not answer."""
        from confluent_kafka import KafkaException, TopicPartition

        self._answers.clear()
        with _clear_errors(self._source):
            ends = [TopicPartition(self._source.topic, number, offset) for number, offset in offsets.items()]
            self._client.commit(offsets=ends, asynchronous=True)
            ends_at = time.monotonic() + self._source.timeout_seconds
            while not self._answers:
                if time.monotonic() > ends_at:
                    raise _silent(self._source, "how far the group is could not be told")
                self._client.poll(WAIT / 10)
            if (error := self._answers[0]) is not None:
                raise KafkaException(error)

    def close(self) -> None:
        self._client.close()


@dataclass
class _Partition:
    next: int
    """The offset to read next."""
    end: int
    """The offset after the last message, when reading began."""

    @property
    def is_done(self) -> bool:
        return self.next >= self.end


@dataclass(frozen=True)
class _Reading:
    """One reading of the topic, to its end."""

    source: KafkaSource
    consumer: Consumer
    columns: RowColumns
    partitions: Mapping[int, _Partition]

    def chunks(self, left_out: Counter[str]) -> Iterator[SourceChunk]:
        from confluent_kafka import TopicPartition

        topic = self.source.topic
        if left_out:
            yield SourceChunk(None, self._here(), left_out)
        open_ones = [
            TopicPartition(topic, number, one.next) for number, one in self.partitions.items() if not one.is_done
        ]
        if not open_ones:
            return
        with _clear_errors(self.source):
            self.consumer.assign(open_ones)
            heard = time.monotonic()
            while not all(one.is_done for one in self.partitions.values()):
                if messages := self.consumer.consume(MOST_MESSAGES, WAIT):
                    heard = time.monotonic()
                    yield self._chunk(messages)
                elif time.monotonic() - heard > self.source.timeout_seconds:
                    raise _silent(self.source, "no message came, and not all were read")
            self.consumer.unassign()

    def _chunk(self, messages: Sequence[Message]) -> SourceChunk:
        left_out, entries, next_offsets = Counter[str](), list[StreamEntry](), dict[int, int]()
        for message in messages:
            # Each has both; None is what the client's types have of a message that is still to be sent.
            number, offset = message.partition() or 0, message.offset() or 0
            if message.error() is None:
                next_offsets[number] = offset + 1
                if entry := self._entry(message, left_out):
                    entries.append(entry)
            elif self._is_end(message):
                # There may be markers of transactions behind the last message.
                next_offsets[number] = max(offset, self.partitions[number].end)
        rows = entry_rows(f"the topic {self.source.topic!r}", entries, self.columns)
        for number, offset in next_offsets.items():
            self.partitions[number].next = offset
        return SourceChunk(rows, self._here(), left_out)

    def _here(self) -> dict[str, Any]:
        offsets = {str(number): one.next for number, one in self.partitions.items()}
        return {"topic": self.source.topic, "offsets": offsets}

    def _is_end(self, message: Message) -> bool:
        from confluent_kafka import KafkaError, KafkaException

        error = message.error()
        if error is None or error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        return True

    def _entry(self, message: Message, left_out: Counter[str]) -> StreamEntry | None:
        kind, milliseconds = message.timestamp()
        has_time = kind != 0 and 0 < milliseconds < 2**47
        moment = EPOCH + timedelta(milliseconds=milliseconds) if has_time else None
        # With its time, for offsets begin anew when a topic is made anew.
        name = f"{message.topic()}/{message.partition()}/{message.offset()}@{milliseconds}"
        value = message.value()
        if self.source.value == "text":
            return StreamEntry(name, moment, {self.columns.text: None if value is None else as_text(value)})
        fields = json_fields(value, left_out)
        return None if fields is None else StreamEntry(name, moment, fields)


def _consumer(source: KafkaSource, pipeline: str, **more: object) -> Consumer:
    try:
        from confluent_kafka import Consumer, KafkaException
    except ModuleNotFoundError:
        raise SourceError(
            "monitor.source is a topic of Kafka, and the Python package 'confluent-kafka' is not installed.",
            remedy="Install it: pip install 'perennial[kafka]'",
        ) from None
    if named := sorted({*source.properties, *source.properties_env} & set(OURS)):
        raise SpecError(
            f"monitor.source.properties names {named[0]}, on which reading rests.",
            remedy="Take it out; servers and group are settings of their own.",
        )
    properties: dict[str, Any] = {
        # What the client logs is said in errors, where a person sees it.
        "log_level": 2,
        "queued.max.messages.kbytes": QUEUE_KIB,
        **source.properties,
        **{name: _secret(name, variable) for name, variable in source.properties_env.items()},
        "bootstrap.servers": ",".join(source.servers),
        "group.id": source.group or f"perennial-{pipeline}",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "error",
        **more,
    }
    try:
        return Consumer(properties)
    except KafkaException as error:
        raise SpecError(
            f"Kafka's client takes monitor.source.properties not so: {error.args[0].str()}.",
            remedy="Look at librdkafka's page of properties.",
        ) from None


def _secret(name: str, variable: str) -> str:
    value = os.environ.get(variable)
    if value is None:
        raise SourceError(
            f"The environment variable {variable}, which monitor.source.properties_env names for {name}, is not set.",
            remedy="Set it.",
        )
    return value


@contextmanager
def _clear_errors(source: KafkaSource) -> Iterator[None]:
    from confluent_kafka import KafkaError, KafkaException

    away = {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._WAIT_COORD,
    }
    try:
        yield
    except KafkaException as error:
        cause = error.args[0]
        if cause.code() in away or cause.retriable():
            raise _silent(source, cause.str()) from error
        raise SourceError(
            f"The Kafka brokers {', '.join(source.servers)} object to reading {source.topic!r}: {cause.str()}.",
            remedy="Look at monitor.source.topic, and at what the user may read.",
        ) from error


def _silent(source: KafkaSource, why: str) -> UnreachableError:
    return UnreachableError(
        f"The Kafka brokers {', '.join(source.servers)} do not answer: {why.rstrip('.')}. What was read and stored "
        "stays; reading goes on from there.",
        remedy="Look whether they are up, and reached from here.",
    )

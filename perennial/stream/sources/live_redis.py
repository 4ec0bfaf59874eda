"""A stream of Redis: read from the entry that the position names on, or as a consumer of a group."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from perennial.core import progress
from perennial.core.errors import SourceError, UnreachableError
from perennial.ingest.sources.base import BATCH_BYTES, BATCH_ROWS
from perennial.rows.moments import EPOCH
from perennial.settings.monitor.streams import RedisSource
from perennial.stream.sources.live_rows import RowColumns
from perennial.stream.sources.reader import SourceChunk
from perennial.stream.sources.stream_entries import StreamEntry, as_text, entry_rows, json_fields

if TYPE_CHECKING:
    import redis

FIRST_COUNT = 64
"""Entries that are asked for at first; after that as many as fit into a batch by their size so far."""
ACK_COUNT = 1_000
PATIENCE = 20.0
"""Seconds that the server may be silent."""
BEFORE_ALL = "0-0"
TRIMMED = "entries that were deleted from the stream before they were read (is its MAXLEN too short?)"
Raw = tuple[bytes, dict[bytes, bytes] | None]


@dataclass(frozen=True)
class _Extent:
    """What the stream holds when reading begins."""

    newest: str
    """The id of the newest entry there ever was."""
    oldest: str | None
    """The id of the oldest that is there."""
    length: int
    added: int | None
    """How many were ever added; None: a server before Redis 7 does not say."""

    def begun(self, at: Any) -> tuple[str, int | None, int]:
        """The last entry that was read, how many were added up to it, and how many after it were deleted unread."""
        last = at["last"] if at else BEFORE_ALL
        if self.added is None:
            return last, None, 0
        if self.oldest is not None and _order(self.oldest) <= _order(last):
            # Streams are cut at their old end, which is not reached.
            return last, at["added"], 0
        before = self.added - self.length
        added_before = at["added"] if at else None
        return last, before, max(0, before - added_before) if added_before is not None else 0


class LiveRedis:
    """A stream of Redis that is open; the server is asked first when it is read."""

    def __init__(self, source: RedisSource, columns: RowColumns, consumer: str) -> None:
        """`consumer`: its name in the group. Raises SourceError where the package or the URL is missing."""
        self._source = source
        self._columns = columns
        self._consumer = consumer
        self._client = _client(source)
        self._given: list[bytes] = []
        """Entries of the group that are not acknowledged, in the order in which they were given."""
        self._acknowledged = 0
        self._reader = uuid4().hex[:8]
        self._count = FIRST_COUNT

    def chunks(self, at: Any) -> Iterator[SourceChunk]:
        """The entries that are there now and were not read. Raises UnreachableError when the server is away."""
        with _clear_errors(self._source):
            extent = self._extent()
            if extent is None:
                progress.note(f"There is no stream {self._source.stream!r} on the Redis server yet.")
                return
            yield from self._own(at, extent) if self._source.group is None else self._of_group(at, extent)

    def committed(self, at: Any) -> None:
        """Acknowledge to the group what was given up to `at`."""
        if self._source.group is None or not at or at.get("reader") != self._reader:
            return  # Those of a reader before this one come again, are known by their ids, and acknowledged then.
        with _clear_errors(self._source):
            while self._acknowledged < at["given"]:
                ids = self._given[: min(ACK_COUNT, at["given"] - self._acknowledged)]
                self._client.xack(self._source.stream, self._source.group, *ids)
                del self._given[: len(ids)]
                self._acknowledged += len(ids)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _extent(self) -> _Extent | None:
        """None: there is no stream."""
        if not self._client.exists(self._source.stream):
            return None
        info: Any = self._client.xinfo_stream(self._source.stream)
        first = info["first-entry"]
        return _Extent(
            newest=info["last-generated-id"].decode(),
            oldest=first[0].decode() if first else None,
            length=info["length"],
            added=info.get("entries-added"),
        )

    def _own(self, at: Any, extent: _Extent) -> Iterator[SourceChunk]:
        if at and _order(at["last"]) > _order(extent.newest):
            progress.note(
                f"The stream {self._source.stream!r} ends at {extent.newest}, before {at['last']}, which was read last:"
                " it was made anew, or its server's clock or its copy fell back. It is read from its beginning; entries"
                " that are known by their ids are not stored twice."
            )
            at = None
        last, added, lost = extent.begun(at)
        left_out = Counter({TRIMMED: lost})
        while _order(last) < _order(extent.newest):
            reply: Any = self._client.xread({self._source.stream: last}, count=self._count)
            entries = _entries_of(reply)
            if not entries:
                break
            last = entries[-1][0].decode()
            added = None if added is None else added + len(entries)
            yield self._chunk(entries, {"last": last, "added": added}, left_out)
            left_out = Counter()

    def _of_group(self, at: Any, extent: _Extent) -> Iterator[SourceChunk]:
        self._make_group(at)
        newest, start = extent.newest, BEFORE_ALL
        # First what this consumer was given before and nobody acknowledged, as when it died.
        while entries := self._of_consumer(start):
            start = entries[-1][0].decode()
            yield self._given_chunk(entries)
        while entries := self._of_consumer(">"):
            yield self._given_chunk(entries)
            if _order(entries[-1][0].decode()) >= _order(newest):
                break

    def _make_group(self, at: Any) -> None:
        import redis

        try:
            self._client.xgroup_create(self._source.stream, str(self._source.group), at["last"] if at else "0")
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def _of_consumer(self, start: str) -> Sequence[Raw]:
        reply: Any = self._client.xreadgroup(
            str(self._source.group), self._consumer, {self._source.stream: start}, count=self._count
        )
        return _entries_of(reply)

    def _given_chunk(self, entries: Sequence[Raw]) -> SourceChunk:
        here: dict[str, Any] = {"last": entries[-1][0].decode(), "reader": self._reader}
        left_out = Counter({TRIMMED: sum(1 for _, fields in entries if not fields)})
        chunk = self._chunk(entries, here, left_out)
        self._given += [entry for entry, _ in entries]
        here["given"] = self._acknowledged + len(self._given)
        return chunk

    def _chunk(self, raw: Sequence[Raw], at: Any, left_out: Counter[str]) -> SourceChunk:
        size = sum(len(value) for _, fields in raw for value in (fields or {}).values())
        self._count = max(1, min(BATCH_ROWS, self._count * 4, BATCH_BYTES * len(raw) // max(size, 1)))
        entries = [self._entry(entry.decode(), fields, left_out) for entry, fields in raw if fields]
        read = [entry for entry in entries if entry is not None]
        return SourceChunk(entry_rows(f"the stream {self._source.stream!r}", read, self._columns), at, left_out)

    def _entry(self, entry: str, fields: dict[bytes, bytes], left_out: Counter[str]) -> StreamEntry | None:
        milliseconds = _order(entry)[0]
        time = EPOCH + timedelta(milliseconds=milliseconds) if 0 < milliseconds < 2**47 else None
        if self._source.json_field is None:
            return StreamEntry(entry, time, {as_text(name): as_text(value) for name, value in fields.items()})
        inside = json_fields(fields.get(self._source.json_field.encode()), left_out)
        return None if inside is None else StreamEntry(entry, time, inside)


def _order(entry: str) -> tuple[int, int]:
    time, _, number = entry.partition("-")
    return int(time), int(number or 0)


def _entries_of(reply: Any) -> Sequence[Raw]:
    """Of the one stream that was asked for, in either form of the protocol."""
    if not reply:
        return []
    streams = list(reply.values()) if isinstance(reply, dict) else [entries for _, entries in reply]
    entries = streams[0]
    return entries[0] if isinstance(reply, dict) and entries and isinstance(entries[0], list) else entries


def _client(source: RedisSource) -> redis.Redis:
    try:
        import redis
        from redis.backoff import ExponentialBackoff
        from redis.retry import Retry
    except ModuleNotFoundError:
        raise SourceError(
            "monitor.source is a stream of Redis, and the Python package 'redis' is not installed.",
            remedy="Install it: pip install 'perennial[redis]'",
        ) from None
    url = os.environ.get(source.url_env, "").strip()
    if not url:
        raise SourceError(
            f"The environment variable {source.url_env}, which monitor.source.url_env names, is not set; the URL of a "
            "Redis server was expected in it.",
            remedy="Set it, for example to redis://localhost:6379/0.",
        )
    retry = Retry(ExponentialBackoff(cap=1, base=0.1), 3)
    try:
        return redis.Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE / 2, retry=retry)
    except ValueError:
        # Without its cause: that could show the URL, and its password.
        raise SourceError(
            f"What the environment variable {source.url_env} holds is no URL of a Redis server.",
            remedy="Write it like redis://user:password@host:6379/0, or rediss:// for TLS.",
        ) from None


@contextmanager
def _clear_errors(source: RedisSource) -> Iterator[None]:
    import redis

    where = f"The Redis server that {source.url_env} names"
    refused = (redis.AuthenticationError, redis.exceptions.AuthorizationError, redis.exceptions.NoPermissionError)
    away = (redis.ConnectionError, redis.TimeoutError, redis.ReadOnlyError, redis.exceptions.MasterDownError)
    try:
        yield
    except refused as error:
        raise SourceError(
            f"{where} lets nobody in so: {_said(error)}.", remedy="Look at the user and the password in the URL."
        ) from error
    except away as error:
        raise UnreachableError(
            f"{where} does not answer: {_said(error)}. What was read and stored stays; reading goes on from there.",
            remedy="Look whether it is up, and reached from here.",
        ) from error
    except redis.RedisError as error:
        raise SourceError(
            f"{where} objects to reading {source.stream!r}: {_said(error)}.",
            remedy="Look whether monitor.source.stream is a stream (TYPE), and the user may read it.",
        ) from error


def _said(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")[:200] or type(error).__name__

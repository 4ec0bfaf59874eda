"""Feeds as a live stream: each is asked by itself, and one that fails stops no other."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from perennial.core.errors import PerennialError, SourceError, UnreachableError
from perennial.ingest.sources import file
from perennial.settings.monitor.streams import FeedSource
from perennial.stream.sources.feeds.entries import entries_of
from perennial.stream.sources.feeds.fetching import Fetched, fetch, read_file, shown
from perennial.stream.sources.reader import SourceChunk

AT_ONCE = 4
"""Feeds that are asked at the same time, so that one that is slow holds up few."""


@dataclass(frozen=True)
class _Feed:
    address: str

    @property
    def is_remote(self) -> bool:
        return "://" in self.address

    @property
    def name(self) -> str:
        return shown(self.address) if self.is_remote else self.address

    @property
    def key(self) -> str:
        """What stands for it in positions and ids: an address may hold a secret."""
        return hashlib.sha256(self.address.encode()).hexdigest()[:16]


class LiveFeeds:
    """The feeds of a pipeline."""

    def __init__(self, folder: Path, source: FeedSource) -> None:
        """`folder`: the pipeline's, to which paths are relative."""
        self._folder = folder
        self._source = source

    def chunks(self, at: Any) -> Iterator[SourceChunk]:
        """The entries of each feed that has changed. Raises what the last one raised when every feed failed."""
        marks: dict[str, Any] = dict(at["feeds"]) if at else {}
        feeds, problems = self._feeds()
        yield from (SourceChunk(None, {"feeds": marks}, {_sentence(problem): 1}) for problem in problems)
        failed_paths = len(problems)
        keys = {feed.key for feed in feeds}
        marks = {key: mark for key, mark in marks.items() if key in keys}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in _by(feeds, AT_ONCE):
                asked = list(pool.map(partial(self._asked, marks=dict(marks)), some))
                for feed, answer in zip(some, asked, strict=True):
                    try:
                        chunk = self._chunk(feed, answer, marks)
                    except SourceError as error:
                        problems.append(error)
                        chunk = SourceChunk(None, {"feeds": marks}, {_sentence(error): 1})
                    if chunk is not None:
                        yield chunk
        _require_any(len(feeds) + failed_paths, problems)

    def committed(self, at: Any) -> None:
        """Feeds want no word."""

    def close(self) -> None:
        """Each connection ended with its answer."""

    def _feeds(self) -> tuple[list[_Feed], list[SourceError]]:
        """Each feed once, and what is wrong with paths."""
        feeds, problems = dict[_Feed, None](), list[SourceError]()
        for address in self._source.feeds:
            try:
                names = [address] if "://" in address else file.matching(self._folder, address, ())
            except SourceError as error:
                problems.append(error)
                continue
            feeds |= {_Feed(name): None for name in names}
        return list(feeds), problems

    def _asked(self, feed: _Feed, marks: Mapping[str, Any]) -> Fetched | SourceError:
        mark, most = marks.get(feed.key, {}), int(self._source.most_mib * (1 << 20))
        try:
            if feed.is_remote:
                return fetch(feed.address, mark, self._source.timeout_seconds, most)
            return read_file(self._folder / feed.address, feed.name, mark, most)
        except SourceError as error:
            return error

    def _chunk(self, feed: _Feed, answer: Fetched | SourceError, marks: dict[str, Any]) -> SourceChunk | None:
        """What is new of a feed; None: nothing. The mark moves with it, unless something of it may be missing."""
        if isinstance(answer, SourceError):
            raise answer
        if answer.body is None:
            return None
        entries = entries_of(answer.body, answer.headers, feed.name, feed.key, self._source.text)
        if entries.is_whole:
            marks[feed.key] = dict(answer.mark)
        return SourceChunk(entries.rows, {"feeds": marks}, entries.left_out)


def _require_any(asked: int, problems: Sequence[PerennialError]) -> None:
    """Raises SourceError when none of the feeds and paths could be read."""
    if not problems or len(problems) < asked:
        return
    away = any(isinstance(problem, UnreachableError) for problem in problems)
    raise (UnreachableError if away else SourceError)(
        f"None of the feeds could be read. The last one: {problems[-1].problem}", remedy=problems[-1].remedy
    )


def _by(feeds: Sequence[_Feed], size: int) -> Iterator[Sequence[_Feed]]:
    rest = iter(feeds)
    while some := list(itertools.islice(rest, size)):
        yield some


def _sentence(error: SourceError) -> str:
    return f"feeds that were left out: {error.problem.rstrip('.')}"

"""The entries of a feed as rows, by feedparser, which knows RSS 0.9x to 2.0 and Atom as people write them."""

from __future__ import annotations

import calendar
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from perennial.core.errors import SourceError
from perennial.rows.batch import Batch
from perennial.rows.moments import EPOCH
from perennial.stream.sources.feeds.html_text import looks_like_html, one_line, text_of_html
from perennial.stream.sources.live_rows import RowColumns

COLUMNS = ("text", "id", "time", "source", "link", "author", "category", "feed")
CUT = "feeds that are not well-formed: read as far as they go"
_HARMLESS = ("CharacterEncodingOverride", "NonXMLContentType")
"""What the parser says of feeds that it reads as they are meant."""


@dataclass(frozen=True)
class Entries:
    """What a feed holds."""

    rows: Batch
    left_out: Counter[str]

    @property
    def is_whole(self) -> bool:
        """Whether nothing of it can be missing."""
        return CUT not in self.left_out


def feed_columns(columns: RowColumns) -> RowColumns:
    """Where the rows of `entries_of` have what is read; of `columns`, those that are kept."""
    return RowColumns("text", "id", "time", "source", kept=columns.kept)


def entries_of(body: bytes, headers: Mapping[str, str], name: str, key: str, text: str) -> Entries:
    """The entries of the feed in `body`, the oldest first, markup taken out.

    `headers`: what the server said of it; `name`: the feed's, for errors and where it has no title; `key`: what stands
    before ids that are its own; `text`: monitor.source.text. Raises SourceError for what is no feed.
    """
    import feedparser

    # As a stream, for text that looks like a path or an address would be opened.
    feed = feedparser.parse(
        io.BytesIO(body), response_headers=dict(headers), sanitize_html=False, resolve_relative_uris=False
    )
    broken = bool(feed.get("bozo")) and type(feed.get("bozo_exception")).__name__ not in _HARMLESS
    if not feed.get("version") or (broken and not feed.entries):
        raise SourceError(
            f"The feed {name} is no RSS or Atom that can be read ({len(body):,} bytes).",
            remedy="Open the address: it may be a page, or another one by now.",
        )
    title = _plain(feed.feed, "title") or name
    rows = [_row(entry, title, key, text) for entry in reversed(feed.entries)]
    columns = {column: [row.get(column) for row in rows] for column in COLUMNS}
    return Entries(Batch(name, "entry", range(len(rows)), columns), Counter({CUT: 1} if broken else {}))


def _row(entry: Any, feed: str, key: str, text: str) -> dict[str, object]:
    return {
        "text": _text(entry, text),
        "id": _id(entry, key),
        "time": _time(entry),
        "source": _plain(entry.get("source") or {}, "title") or feed,
        "link": entry.get("link"),
        "author": entry.get("author"),
        "category": ", ".join(tag["term"] for tag in entry.get("tags", ()) if tag.get("term")),
        "feed": feed,
    }


def _text(entry: Any, text: str) -> str:
    title = _plain(entry, "title") if text != "summary" else ""
    summary = _plain(entry, "summary") if text != "title" else ""
    if not (title and summary):
        return title or summary
    return f"{title} {summary}" if title[-1] in ".!?…:;" else f"{title}. {summary}"


def _plain(entry: Any, name: str) -> str:
    value = str(entry.get(name) or "")
    kind = (entry.get(f"{name}_detail") or {}).get("type", "")
    return text_of_html(value) if "html" in kind or looks_like_html(value) else one_line(value)


def _id(entry: Any, key: str) -> str | None:
    guid = entry.get("id") or entry.get("link")
    if not guid:
        return None
    # An address or a URN is the same everywhere, so that an entry in two feeds is one; 17 is the feed's own.
    return str(guid) if ":" in guid else f"{key}:{guid}"


def _time(entry: Any) -> datetime | str | None:
    for name in ("published", "updated"):
        # Not by get, which would take one for the other.
        parsed = dict.get(entry, f"{name}_parsed")
        if parsed is not None:
            return EPOCH + timedelta(seconds=calendar.timegm(parsed))
        if written := dict.get(entry, name):
            return str(written)
    return None

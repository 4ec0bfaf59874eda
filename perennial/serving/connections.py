"""Connections: bound in their number, and closed when a request's headers do not end or its answer is not read.

uvicorn waits for both as long as the client likes, so whoever opens connections and stalls could keep all others out,
and whoever asks and never reads could fill the memory.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

SPARE = 32
"""Connections beyond `serving.connections`, so that a server with no room for more requests can say so."""
MOST_HEADER_BYTES = 65_536
"""Of a request that has not begun: eight times what other servers take, and little beside a body."""
SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CROWDED = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def bounded_protocol(settings: ServingSpec, figures: ServingMetrics) -> type[asyncio.Protocol]:
    """uvicorn's HTTP, which lets in as many connections as `settings` say and waits no longer than they."""
    base: Any = AutoHTTPProtocol

    class BoundedProtocol(base):  # type: ignore[misc]
        _headers_end: asyncio.TimerHandle | None = None
        _answer_ends: asyncio.TimerHandle | None = None
        _bytes = 0
        """That came since the last request whose headers were whole."""

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            # So that it is told as soon as something waits to be read, and as soon as nothing does. Not 0: with TLS an
            # empty buffer has reached that, too, so that every other look pauses what nothing resumes.
            transport.set_write_buffer_limits(high=1, low=0)
            if len(self.connections) > settings.connections + SPARE:
                self._end("too_many", CROWDED)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._bytes = 0 if self._is_answering() else self._bytes + len(data)
            if self._bytes > MOST_HEADER_BYTES:
                self._end("headers", LONG if self._owes_an_answer() else b"")
            self._watch()

        def pause_writing(self) -> None:
            super().pause_writing()
            if self._answer_ends is None:
                self._answer_ends = self.loop.call_later(settings.answer_seconds, self._is_not_read)

        def resume_writing(self) -> None:
            self._stop("_answer_ends")
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop("_headers_end")
            self._stop("_answer_ends")
            super().connection_lost(exc)

        def _stop(self, timer: str) -> None:
            if (running := getattr(self, timer)) is not None:
                running.cancel()
                setattr(self, timer, None)

        def _is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _owes_an_answer(self) -> bool:
            # After an answer nothing more is owed: what comes is the rest of a body that was refused.
            return self.cycle is None

        def _watch(self) -> None:
            if self._is_answering():
                self._stop("_headers_end")
            elif self._headers_end is None and not self.transport.is_closing():
                self._headers_end = self.loop.call_later(settings.body_seconds, self._too_late)

        def _too_late(self) -> None:
            self._headers_end = None
            if not self._is_answering():
                self._end("slow", SLOW if self._owes_an_answer() else b"")

        def _is_not_read(self) -> None:
            self._answer_ends = None
            figures.connection_closed("unread")
            # Not closed: that would wait until all is read.
            self.transport.abort()

        def _end(self, why: str, words: bytes) -> None:
            if not self.transport.is_closing():
                figures.connection_closed(why)
                self.transport.write(words)
                self.transport.close()

    return BoundedProtocol

"""Connections that ask nothing: bound in their number, and closed when the headers of a request do not end.

uvicorn waits for them as long as the client likes, so whoever opens connections and stalls could keep all others out.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

SPARE = 32
"""Connections beyond `serving.connections`, so that a server with no room for more requests can say so."""
SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
CROWDED = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"


def bounded_protocol(settings: ServingSpec, figures: ServingMetrics) -> type[asyncio.Protocol]:
    """uvicorn's HTTP, which lets in as many connections as `settings` say and waits for headers no longer than they."""
    base: Any = AutoHTTPProtocol

    class BoundedProtocol(base):  # type: ignore[misc]
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if len(self.connections) > settings.connections + SPARE:
                self._end("too_many", CROWDED)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watching()
            super().connection_lost(exc)

        def _is_answering(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _watch(self) -> None:
            if self._is_answering():
                self._stop_watching()
            elif self._deadline is None and not self.transport.is_closing():
                self._deadline = self.loop.call_later(settings.body_seconds, self._too_late)

        def _stop_watching(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _too_late(self) -> None:
            self._deadline = None
            if not self._is_answering():
                # After an answer nothing more is owed: what comes is the rest of a body that was refused.
                self._end("slow", SLOW if self.cycle is None else b"")

        def _end(self, why: str, words: bytes) -> None:
            if not self.transport.is_closing():
                figures.connection_closed(why)
                self.transport.write(words)
                self.transport.close()

    return BoundedProtocol

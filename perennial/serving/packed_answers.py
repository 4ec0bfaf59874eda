"""Answers in gzip, for clients that read it, where it pays."""

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

WORTH_PACKING = 2048
"""Bytes of an answer from which on gzip may save a client time: below, it fits into two packets on most networks."""
LEVEL = 1
"""zlib's quickest: answers, in which the labels' names come again and again, shrink to a fraction with it already."""


class PackedAnswers(GZipMiddleware):
    """Starlette's, which looks for the word gzip alone, and so would pack for who refuses it (`gzip;q=0`, RFC 9110)."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, WORTH_PACKING, LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, packed or not."""
        if scope["type"] == "http" and _refuses_gzip(Headers(scope=scope).get("accept-encoding", "")):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _refuses_gzip(accepted: str) -> bool:
    for one in accepted.lower().split(","):
        coding, _, weight = one.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0").rstrip(".") in {"q=0", "q="}
    return False

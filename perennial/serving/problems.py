"""What a client is told when a request can't be answered: a status, a code for programs, and a paragraph for people.

Nothing of the request's own content is ever in it: errors end up in logs.
"""

from collections.abc import Mapping

from starlette.responses import JSONResponse


class RequestProblem(Exception):  # noqa: N818 - it is an answer
    """A request that is answered with an error."""

    def __init__(
        self, status: int, code: str, problem: str, *, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """`status`: of HTTP. `code`: the same for the same kind of problem, for programs."""
        super().__init__(problem)
        self.status, self.code, self.problem, self.remedy, self.headers = status, code, problem, remedy, headers

    def response(self) -> JSONResponse:
        """The answer: {"code", "error", "remedy"}."""
        content = {"code": self.code, "error": self.problem, "remedy": self.remedy}
        return JSONResponse(content, self.status, self.headers)


def bad(problem: str, remedy: str = "") -> RequestProblem:
    """400: the request is not what can be answered."""
    return RequestProblem(400, "bad_request", problem, remedy=remedy)


def too_large(problem: str, remedy: str) -> RequestProblem:
    """413: the request, or a text in it, is larger than allowed."""
    return RequestProblem(413, "too_large", problem, remedy=remedy)


def busy(waiting: int, rows: int) -> RequestProblem:
    """429: too many rows wait already."""
    return RequestProblem(
        429,
        "busy",
        f"{waiting:,} rows wait to be answered, and with the {rows:,} of this request they would be more than may.",
        remedy="Try again in a moment; if it lasts, start more servers.",
        headers={"Retry-After": "1"},
    )


def too_slow(seconds: float) -> RequestProblem:
    """408: the request did not come in in time."""
    return RequestProblem(
        408,
        "too_slow",
        f"The body of the request did not come in within {seconds:g} seconds.",
        remedy="Ask in smaller requests, or raise serving.body_seconds.",
        headers={"Connection": "close"},
    )


def too_late(seconds: float, rows: int) -> RequestProblem:
    """503: the answers did not come in time."""
    return RequestProblem(
        503,
        "too_late",
        f"These {rows:,} rows were not answered within {seconds:g} seconds, and will not be.",
        remedy="Ask fewer rows at once, start more servers, or raise serving.queue_seconds.",
        headers={"Retry-After": "10"},
    )


def crowded(requests: int) -> RequestProblem:
    """503: too many requests are under way already."""
    return RequestProblem(
        503,
        "crowded",
        f"{requests:,} requests are under way, and no more are let in.",
        remedy="Try again in a moment; if it lasts, start more servers, or raise serving.connections.",
        headers={"Retry-After": "1", "Connection": "close"},
    )


def nothing_serves() -> RequestProblem:
    """503: there is no champion to answer."""
    return RequestProblem(
        503,
        "no_champion",
        "There is no model to answer with yet: no champion, or none that could be loaded.",
        remedy="The server goes on looking for one; its log says what is wrong.",
        headers={"Retry-After": "10"},
    )


def failed(rows: int) -> RequestProblem:
    """500: the model gave no answer."""
    return RequestProblem(
        500,
        "failed",
        f"The model could not answer these {rows:,} rows.",
        remedy="The server's log says where it failed. Other rows are still answered.",
    )

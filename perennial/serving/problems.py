"""What a client is told when a request can't be answered: a status, a code for programs, and a paragraph for people.

Nothing of the request's own content is ever in it: errors end up in logs.
"""

from collections.abc import Mapping, Sequence

from starlette.responses import JSONResponse

from perennial.core.errors import listing


class RequestProblem(Exception):  # noqa: N818 - it is an answer
    """A request that is answered with an error."""

    def __init__(
        self, status: int, code: str, problem: str, *, remedy: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """`status`: of HTTP. `code`: the same for the same kind of problem, for programs."""
        super().__init__(problem)
        self.status, self.code, self.problem, self.remedy, self.headers = status, code, problem, remedy, headers

    @property
    def content(self) -> dict[str, str]:
        """What is answered: {"code", "error", "remedy"}."""
        return {"code": self.code, "error": self.problem, "remedy": self.remedy}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.content, self.status, self.headers)


def bad(problem: str, remedy: str = "") -> RequestProblem:
    """400: the request is not what can be answered."""
    return RequestProblem(400, "bad_request", problem, remedy=remedy)


def unsupported(problem: str, remedy: str) -> RequestProblem:
    """415: the body is of a type, or packed in a way, that is not read here."""
    return RequestProblem(415, "unsupported", problem, remedy=remedy)


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


def deadline_passed(header: str) -> RequestProblem:
    """504: the answers did not come within the time that the client gave."""
    return RequestProblem(
        504,
        "deadline_passed",
        f"The answer was not there within the time that {header} gives, and will not be.",
        remedy="Give it more time, ask fewer rows at once, or start more servers.",
    )


def ending() -> RequestProblem:
    """503: the server was told to end, and this request had not come in, or could not be answered, in the time left."""
    return RequestProblem(
        503,
        "ending",
        "This server is ending, and takes nothing more on.",
        remedy="Ask again: another server, or this one when it has started again.",
        headers={"Retry-After": "1", "Connection": "close"},
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


def unauthorized(problem: str, remedy: str) -> RequestProblem:
    """401: no key, or none that is good. Bearer for programs; Basic, so that a browser asks for it."""
    challenge = 'Bearer realm="perennial", Basic realm="perennial: any name, and the key as password", charset="UTF-8"'
    return RequestProblem(401, "unauthorized", problem, remedy=remedy, headers={"WWW-Authenticate": challenge})


def forbidden(scope: str) -> RequestProblem:
    """403: the key is good, but not for this."""
    return RequestProblem(
        403,
        "forbidden",
        f"The key may not ask this: it lacks the scope {scope}.",
        remedy="Ask who runs this server for a key that has it.",
    )


def keys_unreadable() -> RequestProblem:
    """503: whose key is good can't be told now."""
    return RequestProblem(
        503,
        "keys_unreadable",
        "The server can't read its keys now, and lets nobody in until it can.",
        remedy="Its log says what is wrong with the file.",
        headers={"Retry-After": "10"},
    )


def too_often(unit: str, per_minute: int, seconds: int) -> RequestProblem:
    """429: the caller has asked its share."""
    return RequestProblem(
        429,
        "too_often",
        f"You may ask {per_minute:,} {unit} a minute, and have.",
        remedy=f"Ask again in {seconds:,} seconds.",
        headers={"Retry-After": str(seconds)},
    )


def not_found(problem: str) -> RequestProblem:
    """404: there is no such thing."""
    return RequestProblem(404, "not_found", problem)


def no_such_model(names: Sequence[str]) -> RequestProblem:
    """404: the path names a model that is not served here."""
    return RequestProblem(404, "no_such_model", f"That model is not served here. There are: {listing(names)}.")


def nothing_serves(model: str = "") -> RequestProblem:
    """503: there is no champion to answer; of `model`, where there are several."""
    which = f"no version of {model}" if model else "no model"
    return RequestProblem(
        503,
        "no_champion",
        f"There is {which} to answer with yet: no champion, or none that could be loaded.",
        remedy="The server goes on looking for one; its log says what is wrong.",
        headers={"Retry-After": "10"},
    )


FAILED = "failed"


def failed(rows: int) -> RequestProblem:
    """500: the model gave no answer."""
    return RequestProblem(
        500,
        FAILED,
        f"The model could not answer these {rows:,} rows.",
        remedy="The server's log says where it failed. Other rows are still answered.",
    )

"""The page's places: itself and what it is made of, and below /api/ what it asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial.core.errors import PerennialError
from perennial.labelling.answers import AnswerError
from perennial.labelling.desk import Desk, check_name
from perennial.labelling.page.checks import Admits, Checks, refused
from perennial.labelling.stopping import MoreLabels, more_labels

FOLDER = Path(__file__).with_name("web")
FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/spans.js": ("spans.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
MORE_EVERY = 20
"""Labels between two looks at what more would bring."""


def make_app(desk: Desk, *, hosts: Collection[str] | None, admits: Admits | None) -> Starlette:
    """The page of `desk`; `hosts` and `admits`: as of `Checks`."""
    api: dict[str, tuple[str, Callable[[Mapping[str, Any]], Any]]] = {
        "/api/begin": ("POST", partial(_begin, desk)),
        "/api/text": ("POST", partial(_text, desk)),
        "/api/answer": ("POST", partial(_answer, desk)),
        "/api/skip": ("POST", partial(_skip, desk)),
        "/api/undo": ("POST", partial(_undo, desk)),
        "/api/more": ("POST", _WhatMoreBrings(desk)),
    }
    routes = [Route(path, partial(_file, *file)) for path, file in FILES.items()]
    routes += [Route(path, partial(_asked, ask), methods=[method]) for path, (method, ask) in api.items()]
    application = Starlette(routes=routes, middleware=[Middleware(Checks, hosts=hosts, admits=admits)])
    application.router.redirect_slashes = False
    return application


async def _file(name: str, media_type: str, _: Request) -> Response:
    return Response(_content(name), media_type=media_type)


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


async def _asked(ask: Callable[[Mapping[str, Any]], Any], request: Request) -> Response:
    try:
        body = _checked(json.loads(await request.body()))
        # The disk is waited for, and other people are not to wait with it.
        return JSONResponse(await run_in_threadpool(ask, body))
    except ValueError:
        return refused(400, "What was sent is no JSON.")
    except AnswerError as error:
        return refused(422, error.problem, error.remedy)
    except PerennialError as error:
        return refused(503, error.problem, error.remedy)


def _checked(body: Any) -> Mapping[str, Any]:
    if not isinstance(body, dict) or not isinstance(body.get("annotator"), str):
        raise AnswerError("An object with the name of who labels (`annotator`) was expected.")
    check_name(body["annotator"])
    return body


def _begin(desk: Desk, body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pipeline": desk.spec.name,
        "form": desk.form.model_dump(mode="json"),
        "queue": desk.queue(body["annotator"]),
        "progress": desk.progress(body["annotator"]).model_dump(mode="json"),
    }


def _text(desk: Desk, body: Mapping[str, Any]) -> dict[str, Any]:
    return desk.shown(body["annotator"], _id(body)).model_dump(mode="json")


def _answer(desk: Desk, body: Mapping[str, Any]) -> dict[str, Any]:
    desk.answer(body["annotator"], _id(body), body.get("value"))
    return _after(desk, body)


def _skip(desk: Desk, body: Mapping[str, Any]) -> dict[str, Any]:
    desk.skip(body["annotator"], _id(body))
    return _after(desk, body)


def _undo(desk: Desk, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": desk.undo(body["annotator"]), **_after(desk, body)}


def _after(desk: Desk, body: Mapping[str, Any]) -> dict[str, Any]:
    return {"progress": desk.progress(body["annotator"]).model_dump(mode="json")}


def _id(body: Mapping[str, Any]) -> str:
    text_id = body.get("id")
    if not isinstance(text_id, str):
        raise AnswerError("The id of a text was expected.")
    return text_id


class _WhatMoreBrings:
    """Tells what more labels would bring; reckoned again only when there are MORE_EVERY more."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._told: tuple[int, MoreLabels] | None = None

    def __call__(self, _: Mapping[str, Any]) -> dict[str, Any]:
        """What more would bring, now or a few labels ago."""
        labelled = self._desk.labelled()
        if self._told is None or abs(len(labelled) - self._told[0]) >= MORE_EVERY:
            self._told = (len(labelled), more_labels(labelled))
        return self._told[1].model_dump(mode="json")

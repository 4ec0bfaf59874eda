"""GET /openapi.json, /docs and /pages/…: the interface described, and what the pages are made of."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial.serving import problems, web_pages
from perennial.serving.host import Host
from perennial.serving.openapi.document import document


def routes(host: Host) -> list[Route]:
    """The places' routes."""

    async def openapi(request: Request) -> Response:
        return JSONResponse(document(host, _paths(request)))

    async def docs(request: Request) -> Response:
        return web_pages.page_of_docs(document(host, _paths(request)))

    async def asset(request: Request) -> Response:
        file = web_pages.asset(request.path_params["name"])
        return file or problems.not_found("There is no such file.").response()

    return [Route("/openapi.json", openapi), Route("/docs", docs), Route("/pages/{name}", asset)]


def _paths(request: Request) -> Sequence[str]:
    """Of all places of this server."""
    return [route.path for route in request.app.routes if isinstance(route, Route)]

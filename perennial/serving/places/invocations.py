"""POST /invocations, GET /ping, /health and /version: what clients of MLflow's scoring server ask."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perennial.serving import asking, problems
from perennial.serving.host import Host, HostedModel
from perennial.serving.json_answers import json_answer
from perennial.serving.requests import bodies, invocations, reading

IGNORED = "Perennial-Ignored"
"""A header that names what a request held and nothing was made of; so says MLflow's server in its log."""


def routes(host: Host) -> list[Route]:
    """The places' routes."""

    async def answering(request: Request, hosted: HostedModel) -> Response:
        body = await bodies.read_body(request, host.settings)
        rows, has_params = invocations.read_invocation(body, request.headers.get("content-type", ""))
        served = hosted.served(request)
        inputs = reading.read_rows(rows, served.predictor.decoder, hosted.names, host.settings)
        _, answers = await asking.ask(host, request, hosted, served, inputs)
        response = json_answer({"predictions": answers})
        if has_params:
            response.headers[IGNORED] = invocations.PARAMS
        return response

    async def invoke(request: Request) -> Response:
        return await asking.let_in(host, request, answering)

    async def ping(request: Request) -> Response:
        # Where there are several models and none is named, all of them are meant.
        several = len(host.models) > 1 and "model" not in request.path_params
        for model in host.models.values() if several else (host.asked(request),):
            if model.current.served is None:
                return problems.nothing_serves(model.name if several else "").response()
        # MLflow's server calls both of these JSON, which they are not; its clients don't mind.
        return Response("\n", media_type="text/plain")

    async def protocol_version(_: Request) -> Response:
        return Response(mlflow_version(), media_type="text/plain")

    return [
        Route("/invocations", invoke, methods=["POST"]),
        Route("/ping", ping),
        Route("/health", ping),
        Route("/version", protocol_version),
    ]


@cache
def mlflow_version() -> str:
    """Of the MLflow that is installed here, whole or its client; as MLflow's server says it, without quotes."""
    for name in ("mlflow", "mlflow-skinny"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"

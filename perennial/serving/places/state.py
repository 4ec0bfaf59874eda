"""GET /, /healthz, /readyz and /metrics: what people, orchestrators and Prometheus ask."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perennial.serving import metrics, problems, web_pages
from perennial.serving.current import LoadedVersion
from perennial.serving.host import Host
from perennial.serving.json_answers import json_answer


def routes(host: Host) -> list[Route]:
    """The places' routes."""

    async def describe(request: Request) -> Response:
        response = web_pages.page_of_a_model() if web_pages.wants_page(request) else _described(host, request)
        # Between a browser and the server may be a cache.
        response.headers["Vary"] = "Accept"
        return response

    async def health(_: Request) -> Response:
        # Never seen; but a server that lets requests in and answers none would have to be started again.
        if host.batcher_ended():
            return problems.failed(0).response()
        return json_answer({"status": "alive"})

    async def ready(request: Request) -> Response:
        if host.draining.begun:
            # So that who sends requests here sends them elsewhere.
            return problems.ending().response()
        if _means_all(host, request):
            return _all_ready(host)
        current = host.asked(request).current
        if current.served is None:
            return problems.nothing_serves().response()
        return json_answer({"status": "ready", "version": current.served.version, "problem": current.problem})

    async def figures(_: Request) -> Response:
        return Response(host.first.figures.text(), media_type=metrics.CONTENT_TYPE)

    return [
        Route("/", describe),
        Route("/healthz", health),
        Route("/readyz", ready),
        Route("/metrics", figures),
    ]


def _means_all(host: Host, request: Request) -> bool:
    return len(host.models) > 1 and "model" not in request.path_params


def _described(host: Host, request: Request) -> Response:
    if _means_all(host, request):
        every = {name: _description(model.current.served) for name, model in host.models.items()}
        return json_answer({"models": every})
    served = host.asked(request).current.served
    return problems.nothing_serves().response() if served is None else json_answer(_description(served))


def _description(served: LoadedVersion | None) -> dict[str, Any]:
    if served is None:
        return problems.nothing_serves().content
    package = served.predictor.package
    return {
        "model": served.model,
        "version": served.version,
        "kind": package.kind,
        "labels": package.labels,
        "reads": served.predictor.decoder.columns,
        "package": served.digest,
        "precision": package.precision,
        "max_length": package.max_length,
        "cpu_lacks": served.predictor.missing_cpu_features,
    }


def _all_ready(host: Host) -> Response:
    versions: dict[str, Any] = {}
    for name, model in host.models.items():
        if model.current.served is None:
            return problems.nothing_serves(name).response()
        versions[name] = {"version": model.current.served.version, "problem": model.current.problem}
    return json_answer({"status": "ready", "models": versions})

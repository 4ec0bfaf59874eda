"""POST /predict: answers of the version that serves."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perennial.serving import asking
from perennial.serving.host import Host, HostedModel
from perennial.serving.json_answers import json_answer
from perennial.serving.requests import bodies, reading


def routes(host: Host) -> list[Route]:
    """The place's routes."""

    async def answering(request: Request, hosted: HostedModel) -> Response:
        body = await bodies.read_body(request, host.settings)
        served = hosted.served(request)
        inputs = reading.read_request(body, served.predictor.decoder, hosted.names, host.settings)
        served, answers = await asking.ask(host, request, hosted, served, inputs)
        return json_answer({"model": served.model, "version": served.version, "predictions": answers})

    async def predict(request: Request) -> Response:
        return await asking.let_in(host, request, answering)

    return [Route("/predict", predict, methods=["POST"])]

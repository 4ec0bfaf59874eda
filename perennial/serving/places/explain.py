"""POST /explain: which words moved the answers of the version that serves.

An explanation asks the model about a text without some of its words, several times. Those rows go through the batcher
like any others, and count as what they are, so that who explains can't starve who predicts.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from perennial.core.errors import PackageError, listing
from perennial.inference.decoders import Input
from perennial.inference.explanations.explaining import METHOD, Explaining, explaining
from perennial.inference.explanations.games import METHODS
from perennial.serving import asking, problems
from perennial.serving.batches.fair_queue import Answers
from perennial.serving.current import LoadedVersion
from perennial.serving.host import Host, HostedModel
from perennial.serving.json_answers import json_answer
from perennial.serving.requests import bodies, reading


def routes(host: Host) -> list[Route]:
    """The place's routes."""

    async def answering(request: Request, hosted: HostedModel) -> Response:
        body = await bodies.read_body(request, host.settings)
        served = hosted.served(request)
        # Its own, smaller limit: a text here is as much work as several there.
        limits = host.settings.model_copy(update={"max_rows": host.settings.explain_texts})
        inputs = reading.read_request(body, served.predictor.decoder, hosted.names, limits, limit="explain_texts")
        explaining_all = _explained(host, request, served, inputs, *_asked_for(request))
        rows = len(inputs) * host.settings.explain_rows
        explanations = await asking.while_waited_for(host, request, explaining_all, rows)
        return json_answer({"model": served.model, "version": served.version, "explanations": explanations})

    async def explain(request: Request) -> Response:
        return await asking.let_in(host, request, answering, counted=lambda hosted: hosted.figures.explained)

    return [Route("/explain", explain, methods=["POST"])]


def _asked_for(request: Request) -> tuple[str, str | None]:
    """The method and the label of the query."""
    unknown = sorted(set(request.query_params) - {"method", "label"})
    if unknown:
        raise problems.bad("The query names what /explain does not know; it knows method and label.")
    method = request.query_params.get("method", METHOD)
    if method not in METHODS:
        raise problems.bad(f"There is no such method to explain by; there are {listing(METHODS)}.")
    return method, request.query_params.get("label")


async def _explained(
    host: Host,
    request: Request,
    served: LoadedVersion,
    inputs: Sequence[Input],
    method: str,
    label: str | None,
) -> list[dict[str, Any]]:
    """Some texts at a time, so that what waits never is more than what is answered together."""
    settings = host.settings
    together = max(1, settings.batch_rows // settings.explain_rows)
    explanations: list[dict[str, Any]] = []
    for start in range(0, len(inputs), together):
        each = [
            explaining(served.predictor, one, method=method, rows=settings.explain_rows, label=label)
            for one in inputs[start : start + together]
        ]
        explanations += await _answered(host, request, served, each)
    return explanations


async def _answered(
    host: Host, request: Request, served: LoadedVersion, each: Sequence[Explaining]
) -> list[dict[str, Any]]:
    """The explanations that `each` comes to, in order; what all ask next is one request of the batcher."""
    explanations: list[dict[str, Any]] = [{}] * len(each)
    answers: list[Answers | None] = [None] * len(each)
    under_way = list(range(len(each)))
    while under_way:
        # In a thread, as long texts take a moment to be parted.
        asked = await asyncio.to_thread(_next, each, under_way, answers, explanations)
        under_way = list(asked)
        if under_way:
            if host.access:
                host.access.count_rows(request, sum(map(len, asked.values())))
            together = [one for inputs in asked.values() for one in inputs]
            rows = await host.batcher.answer(served, together, asking.caller_of(request))
            for number, inputs in asked.items():
                answers[number], rows = rows[: len(inputs)], rows[len(inputs) :]
    return explanations


def _next(
    each: Sequence[Explaining],
    under_way: Sequence[int],
    answers: Sequence[Answers | None],
    explanations: list[dict[str, Any]],
) -> dict[int, list[Input]]:
    """What those that are under way ask next, by number; those that have ended leave their explanation."""
    asked = {}
    for number in under_way:
        given = answers[number]
        try:
            asked[number] = next(each[number]) if given is None else each[number].send(given)
        except StopIteration as ended:
            explanations[number] = ended.value
        except PackageError as error:
            raise problems.bad(error.problem, error.remedy or "") from error
    return asked

"""The way of every request that wants answers of a model: let in, read, answered while the client waits, counted.

A place that asks (`places/predict.py` and others) says how a body is read and how answers are put; all else is here.
"""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from ipaddress import ip_network
from typing import Any, TypeVar, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from perennial.inference.decoders import Input
from perennial.serving import problems
from perennial.serving.access import guard
from perennial.serving.batches.fair_queue import Answers
from perennial.serving.current import LoadedVersion
from perennial.serving.host import AnsweredRows, FailedRows, Host, HostedModel
from perennial.serving.problems import RequestProblem
from perennial.serving.requests import patience

LOG = logging.getLogger(__name__)
GONE = 499
"""In the figures, of a client that did not wait for its answer."""

Result = TypeVar("Result")
Answering = Callable[[Request, HostedModel], Awaitable[Response]]


Counted = Callable[[HostedModel], Callable[[int, float], None]]
"""Which of a model's figures hear of the status and the seconds of a request."""


def _as_prediction(hosted: HostedModel) -> Callable[[int, float], None]:
    return hosted.figures.answered


async def let_in(host: Host, request: Request, answering: Answering, *, counted: Counted = _as_prediction) -> Response:
    """What `answering` gives, or the refusal, whatever happens; counted in the figures."""
    started = time.perf_counter()
    hosted = host.first
    try:
        hosted = host.asked(request)
        with host.room():
            response = await answering(request, hosted)
    except RequestProblem as problem:
        response = problem.response()
    except ClientDisconnect:
        response = Response(status_code=GONE)
    except Exception as error:  # noqa: BLE001 - the last line of defence; its message may hold a text
        where = "".join(traceback.format_tb(error.__traceback__))
        LOG.error("A request failed as the server does not know (%s):\n%s", type(error).__name__, where)  # noqa: TRY400
        response = problems.failed(0).response()
    counted(hosted)(response.status_code, time.perf_counter() - started)
    return response


async def ask(
    host: Host, request: Request, hosted: HostedModel, served: LoadedVersion, inputs: Sequence[Input]
) -> tuple[LoadedVersion, Answers]:
    """The answers of `served` to `inputs`, and the model's watchers told.

    A challenger that fails is told of, and the champion answers in its place: returned is who answered. Raises
    RequestProblem, and ClientDisconnect when the client has gone.
    """
    started = time.perf_counter()
    if host.access:
        host.access.count_rows(request, len(inputs))
    try:
        answers = await _answers(host, request, served, inputs)
    except RequestProblem as problem:
        if problem.code != problems.FAILED:
            raise
        hosted.tell_failed(FailedRows(request, served, inputs))
        champion = hosted.current.served
        if champion is None or champion is served:
            raise
        hosted.figures.challenger_failures.inc()
        served, answers = champion, await _answers(host, request, champion, inputs)
    hosted.tell(AnsweredRows(request, served, inputs, answers, time.perf_counter() - started))
    return served, answers


async def _answers(host: Host, request: Request, served: LoadedVersion, inputs: Sequence[Input]) -> Answers:
    return await while_waited_for(host, request, host.batcher.answer(served, inputs, caller_of(request)), len(inputs))


def caller_of(request: Request) -> str:
    """With whom this client shares its turns: who has its key, or else its address; of IPv6 the network of one
    customer, who has 2⁶⁴ addresses.
    """
    caller = request.scope.get(guard.CALLER)
    if isinstance(caller, guard.Caller) and caller.key:
        return caller.name
    address = request.client.host if request.client else ""
    try:
        return str(ip_network((address, 64), strict=False)) if ":" in address else address
    except ValueError:  # with a zone, as of a machine on the same wire
        return address


async def while_waited_for(host: Host, request: Request, answering: Coroutine[None, None, Result], rows: int) -> Result:
    """What `answering` comes to for `rows` rows, unless the client goes, they take too long or the server ends; then
    no more of them are computed."""
    settings = host.settings
    late = problems.too_late(settings.queue_seconds, rows)
    async with patience.within(request, settings.queue_seconds, settings.drain_seconds * 0.9, late):
        return await _unless_gone(request, answering)


async def _unless_gone(request: Request, answering: Coroutine[None, None, Result]) -> Result:
    """What `answering` comes to. Raises ClientDisconnect when the client goes before."""
    # Answered in the request's own task, which is cancelled when its client goes: a task more for each would cost more.
    task = cast("asyncio.Task[Any]", asyncio.current_task())
    is_gone = False

    def end(watching: asyncio.Future[None]) -> None:
        nonlocal is_gone
        if not watching.cancelled():
            watching.exception()
            is_gone = True
            task.cancel()

    gone = asyncio.ensure_future(_has_gone(request))
    gone.add_done_callback(end)
    try:
        return await answering
    except asyncio.CancelledError:
        # Cancelled from elsewhere, too, as when the time is over, it is that which is told.
        if is_gone and not task.uncancel():
            raise ClientDisconnect from None
        raise
    finally:
        gone.remove_done_callback(end)
        gone.cancel()


async def _has_gone(request: Request) -> None:
    """Return when the client has closed the connection; its body was read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass

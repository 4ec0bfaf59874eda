"""What a server hosts: models by name, each with the version that serves now, and one batcher for all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.requests import Request

from perennial.inference.decoders import Input
from perennial.serving import problems
from perennial.serving.access.guard import Access
from perennial.serving.batches.batcher import Batcher
from perennial.serving.batches.fair_queue import Answers
from perennial.serving.current import CurrentVersion, LoadedVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.requests.patience import Draining
from perennial.serving.tracing import Tracing
from perennial.settings.serving import ServingSpec


@dataclass(frozen=True)
class AnsweredRows:
    """Rows that were answered, with what answered them: what those who watch a model are told."""

    request: Request
    served: LoadedVersion
    inputs: Sequence[Input]
    answers: Answers
    seconds: float
    """That they waited and were computed."""


@dataclass(frozen=True)
class FailedRows:
    """Rows that a version could not answer."""

    request: Request
    served: LoadedVersion
    inputs: Sequence[Input]


Watcher = Callable[[AnsweredRows], None]
"""Is told of each answer before it is sent, in the event loop: it must return at once and raise nothing."""
FailureWatcher = Callable[[FailedRows], None]
"""The same of rows that could not be answered."""
Chooser = Callable[[Request, LoadedVersion], LoadedVersion]
"""Given a request and the version that serves, says which version is to answer it; it must return at once."""


@dataclass(eq=False)
class HostedModel:
    """A model that is served under its name."""

    name: str
    current: CurrentVersion
    figures: ServingMetrics
    names: Mapping[str, str]
    """The pipeline's own names for canonical columns, which rows may use."""
    watchers: list[Watcher] = field(default_factory=list)
    failure_watchers: list[FailureWatcher] = field(default_factory=list)
    choosers: list[Chooser] = field(default_factory=list)

    def served(self, request: Request) -> LoadedVersion:
        """The version that is to answer this request. Raises RequestProblem when none serves."""
        if self.current.served is None:
            raise problems.nothing_serves()
        served = self.current.served
        for chooser in self.choosers:
            served = chooser(request, served)
        return served

    def tell(self, answered: AnsweredRows) -> None:
        """Tell all watchers."""
        for watcher in self.watchers:
            watcher(answered)

    def tell_failed(self, failed: FailedRows) -> None:
        """Tell all who watch for failures."""
        for watcher in self.failure_watchers:
            watcher(failed)


class Host:
    """The models of one server. To be used in one event loop."""

    def __init__(
        self,
        models: Sequence[HostedModel],
        settings: ServingSpec,
        access: Access | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """`access`: who may ask; None: anybody, as much as they like."""
        self.access = access
        self.models = {model.name: model for model in models}
        self.settings, self.tracing = settings, tracing
        self.batcher = Batcher(settings, models[0].figures, tracing)
        self.draining = Draining()
        self.under_way = 0
        """Requests that want answers of a model."""
        self.batcher_ended: Callable[[], bool] = lambda: False

    @contextmanager
    def room(self) -> Iterator[None]:
        """For the block, one more request is under way. Raises RequestProblem when too many are."""
        if self.under_way >= self.settings.connections:
            raise problems.crowded(self.under_way)
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    @property
    def first(self) -> HostedModel:
        """The model that is meant where a request names none."""
        return next(iter(self.models.values()))

    def asked(self, request: Request) -> HostedModel:
        """The model that the request's path names, or the first. Raises RequestProblem when there is no such model."""
        name = request.path_params.get("model")
        if name is None:
            return self.first
        if name not in self.models:
            raise problems.no_such_model(sorted(self.models))
        return self.models[name]

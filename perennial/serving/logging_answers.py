"""What a server hands to the prediction log: each answer, with its request's id and what it was answered by."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from perennial.core.home import Home
from perennial.inference.decoders import Input
from perennial.prediction_log.background import BackgroundLog
from perennial.prediction_log.logged import LoggedAnswers, Role
from perennial.prediction_log.opening import open_writer
from perennial.serving.host import AnsweredRows, HostedModel
from perennial.serving.requests.request_ids import request_id_of
from perennial.settings.prediction_log import PredictionLogSpec

Redact = Callable[[str], str]


class AnswerLog:
    """The prediction log of one model."""

    def __init__(
        self, home: Home, hosted: HostedModel, settings: PredictionLogSpec, redact: Redact | None = None
    ) -> None:
        """`redact`: what each text goes through before it is written. Raises PerennialError where nothing could be."""
        self._hosted = hosted
        writer = open_writer(home, hosted.name, settings)
        self._background = BackgroundLog(
            writer, settings.queue_rows, texts=settings.texts, redact=redact, dropped=hosted.figures.unlogged_rows.inc
        )

    def start(self) -> None:
        """Log from now on."""
        self._hosted.watchers.append(self._answered)
        self._background.start()

    def end(self) -> None:
        """Write what waits, and close the file."""
        self._background.end()

    def put(
        self,
        request_id: str,
        version: str,
        role: Role,
        inputs: Sequence[Input],
        answers: Sequence[dict[str, Any]],
        seconds: float | None,
    ) -> None:
        """Log answers; at once, they are written later."""
        logged = LoggedAnswers(request_id, time.time(), self._hosted.name, version, role, seconds, inputs, answers)
        self._background.put(logged)

    def _answered(self, answered: AnsweredRows) -> None:
        current = self._hosted.current.served
        is_champion = current is None or answered.served.version == current.version
        role: Role = "champion" if is_champion else "challenger"
        request_id, version = request_id_of(answered.request), answered.served.version
        self.put(request_id, version, role, answered.inputs, answered.answers, answered.seconds)

"""What goes along with a hosted model and never answers anybody: its prediction log and its trials."""

from collections.abc import Callable, Sequence

from perennial.core.home import Home
from perennial.redaction.redactor import Redactor
from perennial.serving.host import HostedModel
from perennial.serving.logging_answers import AnswerLog
from perennial.serving.trials.keeper import TrialKeeper
from perennial.settings.serving import ServingSpec
from perennial.signing.keys import TrustedKey


class Companions:
    """The log and the trials of one model."""

    def __init__(
        self, home: Home, hosted: HostedModel, settings: ServingSpec, trusted: Sequence[TrustedKey], *, tries: bool
    ) -> None:
        """`trusted`: one of these keys has to have signed a challenger; none: nobody has to. `tries`: whether
        challengers are tried here. Raises PerennialError where the log can't be written.
        """
        log = AnswerLog(home, hosted, settings.log, _redact(settings)) if settings.log.to != "nowhere" else None
        trials = TrialKeeper(home, hosted, settings, trusted, log) if tries else None
        self._parts = [part for part in (log, trials) if part]

    def start(self) -> None:
        """From now on."""
        for part in self._parts:
            part.start()

    def end(self) -> None:
        """Write down what is left; the trials first, which log as well."""
        for part in reversed(self._parts):
            part.end()


def _redact(settings: ServingSpec) -> Callable[[str], str] | None:
    """What texts go through before they are logged; None: they stay as they are."""
    if not settings.redact:
        return None
    redactor = Redactor(settings.redact, settings.redact_region)
    return lambda text: redactor.redact(text).text

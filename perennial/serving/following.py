"""Following the alias: who is champion is asked again and again, and a new one is tried before it serves.

Whatever goes wrong, the one that serves goes on serving, and the log and /metrics say what is wrong. A server that
starts while the registry is down goes on with the version that served last.
"""

import logging
import threading
import time
from contextvars import copy_context
from dataclasses import dataclass

from perennial.core import progress
from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.inference.probes import TEXTS
from perennial.promotion import serving_champion
from perennial.promotion.serving_champion import Standing
from perennial.records.package import Champion
from perennial.serving import last_served
from perennial.serving.current import CurrentVersion, LoadedVersion, Problem
from perennial.serving.metrics import ServingMetrics
from perennial.settings.serving import ServingSpec

LOG = logging.getLogger(__name__)
LONGEST_PAUSE = 300.0
"""Seconds until a champion that could not be had is tried again, at most; another one is tried at once."""
ENDING = 5.0
"""Seconds that a look at the registry may take to come to its end when the server ends."""


@dataclass(frozen=True)
class _Refusal:
    """A champion that could not be had, or could not serve."""

    of: Standing
    words: str
    failures: int
    until: float
    """On the monotonic clock: when it is tried again."""


class Follower:
    """Puts the champion of `model`, or always `version`, as the version that serves."""

    def __init__(
        self,
        home: Home,
        model: str,
        version: str | None,
        settings: ServingSpec,
        current: CurrentVersion,
        figures: ServingMetrics,
    ) -> None:
        self._home, self._model, self._version, self._settings = home, model, version, settings
        self._current, self._figures = current, figures
        self._refusal: _Refusal | None = None
        self._told = ""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """Put it there now. Raises PerennialError when there is none, or it can't be had whole, or can't serve."""
        try:
            self._bring(self._version)
        except PerennialError:
            down = self._down()
            if down is None or not self._resume(down):
                raise

    def start(self) -> None:
        """Follow from now on, in a thread; with `version`, only until that one is there."""
        context = copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._follow,), name="follower", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop following."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(ENDING)

    def look(self) -> None:
        """Look once who is champion, and let that one serve. Raises nothing: what went wrong is told."""
        try:
            wanted = Standing(version=self._version, package_digest="") if self._version else self._champion()
            if wanted is not None and not self._serves(wanted):
                self._try(wanted)
        except Exception as error:  # noqa: BLE001 - this thread must go on; messages may hold addresses
            self._tell("package", f"The champion could not be brought ({type(error).__name__}).")

    def _follow(self) -> None:
        with progress.heard_by(_Notes()):
            while not self._ended.is_set() and not (self._version and self._current.served):
                self.look()
                self._ended.wait(self._settings.poll_seconds)

    def _champion(self) -> Standing | None:
        try:
            standing = serving_champion.champion(self._home, self._model)
        except PerennialError as error:
            if self._current.served or not self._resume(str(error)):
                self._tell("registry", str(error))
            return None
        if standing is None:
            self._tell("missing", serving_champion.why_none(self._home, self._model))
        return standing

    def _serves(self, wanted: Standing) -> bool:
        now = self._current.served
        if now is None or (now.version, now.digest) != (wanted.version, wanted.package_digest):
            return False
        self._refusal = None
        self._tell("ledger" if wanted.doubt else None, wanted.doubt)
        return True

    def _try(self, wanted: Standing) -> None:
        before = self._refusal if self._refusal and self._refusal.of == wanted else None
        if before and time.monotonic() < before.until:
            self._tell("package", before.words)
            return
        try:
            self._bring(wanted.version)
        except PerennialError as error:
            if not self._current.served and (down := self._down()) and self._resume(down):
                return
            failures = before.failures + 1 if before else 1
            pause = min(self._settings.poll_seconds * 2**failures, LONGEST_PAUSE)
            self._refusal = _Refusal(wanted, str(error), failures, time.monotonic() + pause)
            self._tell("package", str(error))

    def _bring(self, version: str | None) -> None:
        whole = serving_champion.bring(self._home, self._model, version)
        self._serve(whole)
        last_served.note_served(self._home, self._model, whole)
        self._tell(None, "")

    def _down(self) -> str | None:
        """Why the registry can't be asked; None: it can."""
        try:
            serving_champion.champion(self._home, self._model)
        except PerennialError as error:
            return str(error)
        return None

    def _resume(self, down: str) -> bool:
        """Let the version that served last serve again, for the registry is `down`; whether that can be had."""
        whole = last_served.last_served_of(self._home, self._model)
        if whole is None or self._version not in (None, whole.version):
            return False
        try:
            self._serve(whole)
        except PerennialError:
            return False
        # A version that was asked for by its number is the right one, whatever the registry says.
        self._tell(None if self._version else "registry", down)
        return True

    def _serve(self, whole: Champion) -> None:
        folder = self._home.store.root / whole.path
        predictor = Predictor(folder, threads=self._settings.threads, digest=whole.package_digest)
        # The first runs are slow; no client should be the one to find that out.
        columns = predictor.decoder.columns[-1]
        predictor.predict_columns({name: list(TEXTS) for name in columns})
        before, self._current.served = self._current.served, LoadedVersion(self._model, whole.version, predictor)
        self._figures.serves(whole.version)
        after = f"; before it was version {before.version}" if before else ""
        LOG.info("Version %s of %s serves%s.", whole.version, self._model, after)
        if predictor.cpu_doubt:
            LOG.warning("%s", predictor.cpu_doubt)

    def _tell(self, problem: Problem | None, words: str) -> None:
        """Why no newer champion serves, in `words`; once, not at every look."""
        now = self._current.served
        if words and words != self._told:
            LOG.error("%s %s", words, f"Version {now.version} goes on serving." if now else "Nothing serves.")
        elif self._told and not words and now:
            LOG.info("Version %s of %s is champion, and all is well again.", now.version, self._model)
        self._told, self._current.problem = words, problem
        self._figures.problem(problem)


class _Notes(progress.Silent):
    """Puts what a person should know into the log."""

    def note(self, message: str) -> None:
        """The message."""
        LOG.info("%s", message)

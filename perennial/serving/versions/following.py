"""Following the alias: who is champion is asked again and again, and a new one is tried before it serves.

Whatever goes wrong, the one that serves goes on serving, and the log and /metrics say what is wrong. A server that
starts while the registry is down goes on with the version that served last.
"""

import importlib.metadata
import logging
import platform
import threading
import time
import weakref
from collections.abc import Sequence
from contextvars import copy_context
from dataclasses import dataclass

from perennial.core import progress
from perennial.core.errors import PerennialError, SignatureError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.inference.probes import TEXTS
from perennial.inference.sharing.pool import GraphPool
from perennial.promotion import serving_champion
from perennial.promotion.serving_champion import Standing
from perennial.records.package import Champion
from perennial.registry import signatures
from perennial.serving import memory
from perennial.serving.current import CurrentVersion, LoadedVersion, Problem
from perennial.serving.metrics import ServingMetrics
from perennial.serving.versions import last_served
from perennial.serving.versions.last_served import LastServed
from perennial.settings.serving import ServingSpec
from perennial.signing.keys import TrustedKey

LOG = logging.getLogger(__name__)
LONGEST_PAUSE = 300.0
"""Seconds until a champion that could not be had is tried again, at most; another one is tried at once."""
LIBRARIES = ("numpy", "perennial", "tokenizers")
ENDING = 5.0
"""Seconds that a look at the registry may take to come to its end when the server ends."""


@dataclass(frozen=True)
class _Refusal:
    """A champion that could not be had, or could not serve."""

    of: Standing
    words: str
    problem: Problem
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
        trusted: Sequence[TrustedKey] = (),
        pool: GraphPool | None = None,
    ) -> None:
        """`trusted`: only what one of these keys signed may serve; none: whatever the registry has. `pool`: with whose
        models this one shares what it can."""
        self._trusted, self._pool = trusted, pool
        self._home, self._model, self._version, self._settings = home, model, version, settings
        self._current, self._figures = current, figures
        self._refusal: _Refusal | None = None
        self._told = ""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._leaving: list[weakref.ref[Predictor]] = []
        """Those that serve no more, and whose memory was not given back yet."""

    def load(self) -> None:
        """Put it there now. Raises PerennialError when there is none, or it can't be had whole, or can't serve."""
        if self._at_once():
            return
        try:
            self._bring(self._version)
        except PerennialError:
            down = self._down()
            if down is None or not self._resume(down):
                raise

    def _at_once(self) -> bool:
        """Let the version that served last serve, if it is still the one that is wanted, its bytes are the same, and so
        are the machine and the libraries with which it answered as it was judged to; whether all that is so.

        That is what bringing it would show again, in seconds. MLflow and the ledger are asked as soon as it serves.
        """
        last = last_served.shown_to_serve(self._home, self._model, self._version)
        if last is None:
            return False
        try:
            signer = self._signer_of(last)
            predictor = self._loaded(last.served)
        except PerennialError:
            return False
        if _libraries(predictor) != last.shown_with:
            return False
        self._put(last.served, predictor, signer)
        return True

    def start(self) -> None:
        """Follow from now on, in a thread; with `version`, only until that one is there."""
        context = copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._follow,), name=f"follower of {self._model}", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Stop following."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(ENDING)

    def look(self) -> None:
        """Look once who is champion, and let that one serve. Raises nothing: what went wrong is told."""
        self._clear_away()
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
            self._tell(before.problem, before.words)
            return
        try:
            self._bring(wanted.version)
        except PerennialError as error:
            if not self._current.served and (down := self._down()) and self._resume(down):
                return
            failures = before.failures + 1 if before else 1
            pause = min(self._settings.poll_seconds * 2**failures, LONGEST_PAUSE)
            problem: Problem = "signature" if isinstance(error, SignatureError) else "package"
            self._refusal = _Refusal(wanted, str(error), problem, failures, time.monotonic() + pause)
            self._tell(problem, str(error))

    def _bring(self, version: str | None) -> None:
        brought = serving_champion.bring(self._home, self._model, version, self._trusted)
        predictor = self._loaded(brought.package)
        self._put(brought.package, predictor, brought.signer)
        self._clear_away()
        last_served.note_served(self._home, self._model, brought.package, brought.signature, _libraries(predictor))
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
        last = last_served.last_served_of(self._home, self._model)
        if last is None or self._version not in (None, last.served.version):
            return False
        try:
            self._put(last.served, self._loaded(last.served), self._signer_of(last))
        except SignatureError as error:
            LOG.error("%s", error)  # noqa: TRY400 - a sentence, no traceback
            return False
        except PerennialError:
            return False
        # A version that was asked for by its number is the right one, whatever the registry says.
        self._tell(None if self._version else "registry", down)
        return True

    def _signer_of(self, last: LastServed) -> str:
        """Who signed it, in words; "": nobody has to have. Raises SignatureError when no trusted key did."""
        if not self._trusted:
            return ""
        version, digest = last.served.version, last.served.package_digest
        signed = signatures.check_package(last.signature, self._trusted, self._model, version, digest)
        return str(signed.signer)

    def _loaded(self, whole: Champion) -> Predictor:
        folder = self._home.store.root / whole.path
        predictor = Predictor(folder, threads=self._settings.threads, digest=whole.package_digest, pool=self._pool)
        # The first runs are slow; no client should be the one to find that out.
        columns = predictor.decoder.columns[-1]
        predictor.predict_columns({name: list(TEXTS) for name in columns})
        return predictor

    def _put(self, whole: Champion, predictor: Predictor, signer: str) -> None:
        before, self._current.served = self._current.served, LoadedVersion(self._model, whole.version, predictor)
        if before:
            self._leaving.append(weakref.ref(before.predictor))
        self._figures.serves(whole.version)
        after = f"; before it was version {before.version}" if before else ""
        LOG.info("Version %s of %s serves%s.", whole.version, self._model, after)
        if signer:
            LOG.info("Version %s of %s is signed by %s.", whole.version, self._model, signer)
        if predictor.cpu_doubt:
            LOG.warning("%s", predictor.cpu_doubt)

    def _clear_away(self) -> None:
        """Give back the memory of versions that serve no more, once the last request that has one is answered."""
        gone = [left for left in self._leaving if left() is None]
        if gone:
            self._leaving = [left for left in self._leaving if left not in gone]
            memory.give_back()

    def _tell(self, problem: Problem | None, words: str) -> None:
        """Why no newer champion serves, in `words`; once, not at every look."""
        now = self._current.served
        if words and words != self._told:
            LOG.error("%s %s", words, f"Version {now.version} goes on serving." if now else "Nothing serves.")
        elif self._told and not words and now:
            LOG.info("Version %s of %s is champion, and all is well again.", now.version, self._model)
        self._told, self._current.problem = words, problem
        self._figures.problem(problem)


def _libraries(predictor: Predictor) -> tuple[str, ...]:
    """What answers depend on beyond the package."""
    return (*predictor.machine, f"python {platform.python_version()}", *map(_installed, LIBRARIES))


def _installed(name: str) -> str:
    try:
        return f"{name} {importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        # As where it runs from its sources.
        return name


class _Notes(progress.Silent):
    """Puts what a person should know into the log."""

    def note(self, message: str) -> None:
        """The message."""
        LOG.info("%s", message)

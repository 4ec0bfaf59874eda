"""The thread that keeps a model's trial: it looks in the ledger for one, compares, counts, and ends it.

Users wait for none of it: what comes faster than it can be compared is dropped and counted.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from datetime import UTC, datetime

from starlette.requests import Request

from perennial.core import progress
from perennial.core.errors import PerennialError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.promotion import serving_champion
from perennial.promotion.challenge.asking import challenge_state
from perennial.registry.judged.challenges import Challenge
from perennial.rollout.trial_counts import ComparedRequest, TrialCounts
from perennial.rollout.verdict import TrialStanding, trial_standing
from perennial.serving.batches.fair_queue import Answers
from perennial.serving.current import LoadedVersion
from perennial.serving.host import AnsweredRows, FailedRows, HostedModel
from perennial.serving.logging_answers import AnswerLog
from perennial.serving.requests.request_ids import request_id_of
from perennial.serving.trials import comparing
from perennial.serving.trials.live_trial import AskedOnce, LiveTrial
from perennial.settings.serving import ServingSpec
from perennial.signing.keys import TrustedKey

LOG = logging.getLogger(__name__)
WAITING = 128
"""Requests that may wait to be compared."""
FLUSH_SECONDS, FLUSH_REQUESTS = 1.0, 64
ENDING = 5.0
AGAIN_SECONDS = 60.0
DAY = 86_400.0


class TrialKeeper:
    """Runs the trials of one model."""

    def __init__(
        self,
        home: Home,
        hosted: HostedModel,
        settings: ServingSpec,
        trusted: Sequence[TrustedKey],
        log: AnswerLog | None,
    ) -> None:
        self._home, self._hosted, self._settings, self._log = home, hosted, settings, log
        self._trusted = trusted
        self._counts = TrialCounts(home, hosted.name)
        self._trial: LiveTrial | None = None
        """Read by the event loop, written by the thread."""
        self._waiting: queue.Queue[AskedOnce] = queue.Queue(WAITING)
        self._compared: list[ComparedRequest] = []
        self._asked = 0
        self._decided: tuple[str, TrialStanding] | None = None
        """A trial that is decided, by its salt, and not yet written down."""
        self._is_tidy = False
        """Nothing of trials that have ended is left but counts."""
        self._said = ""
        self._flush_at = self._look_at = 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Keep trials from now on."""
        self._hosted.choosers.append(self._choose)
        self._hosted.watchers.append(self._answered)
        self._hosted.failure_watchers.append(self._failed)
        context = copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._keep,), name="trials", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop, after what was compared is counted."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(ENDING)

    def _choose(self, request: Request, champion: LoadedVersion) -> LoadedVersion:
        trial = self._trial
        return trial.answering(request, champion) if trial else champion

    def _answered(self, answered: AnsweredRows) -> None:
        trial, champion = self._trial, self._hosted.current.served
        if trial is None or champion is None:
            return
        if answered.served is champion and trial.answering(answered.request, champion) is trial.challenger:
            return  # in the place of a challenger that failed, which was told of
        self._ask_other(trial, answered, answered.answers)

    def _failed(self, failed: FailedRows) -> None:
        if trial := self._trial:
            self._ask_other(trial, failed, None)

    def _ask_other(self, trial: LiveTrial, rows: AnsweredRows | FailedRows, answers: Answers | None) -> None:
        champion = self._hosted.current.served
        by_challenger = rows.served is trial.challenger
        if champion is None or not trial.is_beside(champion) or not trial.is_about(rows.request):
            return
        if not by_challenger and rows.served is not champion:
            return  # a version before answered it still
        request_id = request_id_of(rows.request)
        most = comparing.MOST_ROWS
        first = None if answers is None else answers[:most]
        asked = AskedOnce(trial, champion, request_id, by_challenger, rows.inputs[:most], first)
        try:
            self._waiting.put_nowait(asked)
        except queue.Full:
            self._hosted.figures.dropped_comparisons.inc()

    def _keep(self) -> None:
        with progress.heard_by(_TrialNotes()):
            while not self._ended.is_set():
                self._step()
            self._flush()

    def _step(self) -> None:
        with suppress(queue.Empty):
            self._compare(self._waiting.get(timeout=min(FLUSH_SECONDS, self._settings.poll_seconds)))
        now = time.monotonic()
        if now >= self._flush_at or len(self._compared) >= FLUSH_REQUESTS:
            self._flush()
        if now >= self._look_at:
            self._look_at = time.monotonic() + self._settings.poll_seconds
            self._look()

    def _compare(self, asked: AskedOnce) -> None:
        if asked.trial is not self._trial:
            return
        is_timed = self._asked % comparing.TIMED_EVERY == 0 or self._waiting.empty()
        request, answers = comparing.compared(asked, is_timed=is_timed)
        self._asked += 1
        self._compared.append(request)
        self._hosted.figures.compared_rows.inc(len(request.rows))
        if self._log and answers is not None:
            other = asked.champion if asked.by_challenger else asked.trial.challenger
            self._log.put(asked.request_id, other.version, "shadow", asked.inputs, answers, None)

    def _flush(self) -> None:
        self._flush_at = time.monotonic() + FLUSH_SECONDS
        trial, compared = self._trial, self._compared
        self._compared = []
        if trial is None or not compared:
            return
        try:
            self._counts.add(trial.challenge.salt, compared, trial.challenge.terms.max_rows)
        except PerennialError as error:
            self._hosted.figures.dropped_comparisons.inc(len(compared))
            self._say(str(error))

    def _look(self) -> None:
        """See whether a trial is under way, and whether it is decided. Raises nothing: what goes wrong is logged."""
        try:
            self._flush()
            self._look_at_ledger()
        except PerennialError as error:
            self._say(str(error))
        except Exception as error:  # noqa: BLE001 - this thread must go on; messages may hold addresses
            self._say(f"The trial could not be looked at ({type(error).__name__}).")

    def _look_at_ledger(self) -> None:
        state = challenge_state(self._home, self._hosted.name)
        if state.is_pending:
            self._finish()
        challenge = state.challenge
        if challenge is None or not self._is_beside(challenge):
            self._leave()
            if challenge is None and not self._is_tidy:
                self._counts.keep_rows_only_of(None)
                self._is_tidy = True
            return
        if self._decided and self._decided[0] == challenge.salt:
            self._conclude(*self._decided)
        elif self._is_open(challenge) and (self._trial is None or self._trial.challenge.salt != challenge.salt):
            self._begin(challenge)
        self._said = ""

    def _is_beside(self, challenge: Challenge) -> bool:
        served = self._hosted.current.served
        return served is not None and served.version == challenge.champion_version

    def _begin(self, challenge: Challenge) -> None:
        self._leave()
        # One that can't be had, or can't serve, is not fetched and tried again at every look.
        self._look_at = time.monotonic() + AGAIN_SECONDS
        whole = serving_champion.bring(self._home, self._hosted.name, challenge.version, self._trusted).package
        folder = self._home.store.root / whole.path
        predictor = Predictor(folder, threads=self._settings.threads, digest=whole.package_digest)
        self._counts.keep_rows_only_of(challenge.salt)
        self._is_tidy = False
        challenger = LoadedVersion(self._hosted.name, challenge.version, predictor)
        self._trial = LiveTrial(challenge, challenger)
        self._hosted.figures.tries(challenge.version)
        self._look_at = time.monotonic() + self._settings.poll_seconds
        LOG.info(
            "Version %s of %s is tried beside version %s (%s, share %g).",
            challenge.version,
            self._hosted.name,
            challenge.champion_version,
            challenge.terms.mode,
            challenge.terms.share,
        )

    def _leave(self) -> None:
        trial, self._trial = self._trial, None
        if trial is None:
            return
        self._hosted.figures.tries(None)
        LOG.info("The trial of version %s of %s is over.", trial.challenge.version, self._hosted.name)

    def _is_open(self, challenge: Challenge) -> bool:
        """Whether the trial goes on by what was counted so far; if not, it is ended."""
        days = (datetime.now(UTC) - challenge.since).total_seconds() / DAY
        before = self._counts.findings(challenge.salt)
        standing = trial_standing(self._counts.counts(challenge.salt), before, challenge.terms, days)
        if standing.findings != before:
            self._counts.keep_findings(challenge.salt, standing.findings)
        if standing.end is None:
            return True
        # Users are given the champion at once, however long it takes to write down.
        self._trial = None
        self._hosted.figures.tries(None)
        self._decided = (challenge.salt, standing)
        self._conclude(challenge.salt, standing)
        return False

    def _conclude(self, salt: str, standing: TrialStanding) -> None:
        from perennial.promotion.challenge import ending

        ended = ending.end_challenge(self._home, self._hosted.name, salt, standing)
        self._decided = None
        if ended:
            LOG.info("Version %s of %s: %s. %s", ended.version, ended.model, ended.status.value, standing.words)

    def _finish(self) -> None:
        from perennial.promotion.challenge import ending

        if ended := ending.finish_end(self._home, self._hosted.name):
            LOG.info("Version %s of %s: %s.", ended.version, ended.model, ended.status.value)

    def _say(self, words: str) -> None:
        """Once, not at every look."""
        if words != self._said:
            LOG.error("%s", words)
        self._said = words


class _TrialNotes(progress.Silent):
    """Puts what a person should know into the log."""

    def note(self, message: str) -> None:
        """The message."""
        LOG.info("%s", message)

"""A package that answers in a process of its own gives the same answers, and has a limited time for them."""

import signal
from pathlib import Path

import pytest
from tiny_model import tiny_texts

from perennial.core.errors import PackageError
from perennial.evaluation import worker
from perennial.evaluation.worker import Pace
from perennial.inference.predictor import Predictor

TEXTS = tiny_texts(60)
PACE = Pace(seconds=1.0, rows=100, slowdown=30.0)


@pytest.mark.parametrize(
    ("pace", "rows", "seconds"),
    [
        (PACE, 100, worker.LEAST_SECONDS),
        (PACE, 0, worker.LEAST_SECONDS),
        (Pace(0.0, 0, 30.0), 100, worker.LEAST_SECONDS),
        (Pace(600.0, 100_000, 30.0), 100_000, 18_000.0),
        (Pace(600.0, 100_000, 2.0), 50_000, 600.0),
    ],
)
def test_it_may_take_so_many_times_as_long(pace: Pace, rows: int, seconds: float) -> None:
    assert pace.allowed(rows) == seconds


def test_it_answers_the_same_and_says_how_far_it_is(tiny_package: Path) -> None:
    heard: list[tuple[int, int]] = []
    with worker.answering_worker(tiny_package, PACE) as asked:
        answers = asked.predict(TEXTS, on_progress=lambda done, total: heard.append((done, total)))
        assert asked.predict(TEXTS[:3]) == answers[:3]
    assert answers == Predictor(tiny_package).predict(TEXTS)
    assert heard == sorted(heard)
    assert heard[-1] == (len(TEXTS), len(TEXTS))


def test_one_that_takes_too_long_is_killed(tiny_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LEAST_SECONDS", 0.001)
    with worker.answering_worker(tiny_package, Pace(0.0001, 100, 30.0)) as asked:
        with pytest.raises(PackageError, match=r"ended after 0\.00\d+ s without having answered 60 rows"):
            asked.predict(TEXTS)
        assert asked.process._running.wait() == -signal.SIGKILL

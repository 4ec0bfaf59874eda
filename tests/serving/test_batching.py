"""Requests that wait are answered together, each as it would be alone; too many are not let in."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_helpers import WORDS, write_package

from perennial.core.errors import PackageError
from perennial.core.home import Home
from perennial.inference.predictor import Predictor
from perennial.serving.batches.batcher import Batcher
from perennial.serving.current import LoadedVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.problems import RequestProblem
from perennial.settings.serving import ServingSpec

POISON = "poison"


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    home = Home(tmp_path_factory.mktemp("home"))
    return Predictor(home.store.root / write_package(home, "tiny", 0.1).path)


@dataclass
class Watched:
    """A predictor that notes what it is asked together, does not begin before it may, and can't stand one text."""

    inner: Predictor
    runs_at_once: int = 1
    served_tokens_per_batch: int = 256
    may: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)

    def predict(self, inputs: Sequence[str], **settings: int) -> list[dict[str, Any]]:
        self.may.wait(30)
        self.batches.append(list(inputs))
        if POISON in inputs:
            raise PackageError("It can't be answered.")
        return self.inner.predict(inputs, **settings)


def answered(predictor: Any, requests: Sequence[Sequence[str]], **settings: int) -> list[Any]:
    """The answers to requests that come at once, before the model is free; an exception is one, too."""

    async def all_of_them() -> list[Any]:
        batcher = Batcher(ServingSpec(**settings), ServingMetrics("tiny"))
        answering = asyncio.create_task(batcher.run())
        served = LoadedVersion("tiny", "1", cast(Predictor, predictor))
        waiting = [asyncio.create_task(batcher.answer(served, texts)) for texts in requests]
        await asyncio.sleep(0)
        if isinstance(predictor, Watched):
            predictor.may.set()
        try:
            return await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            answering.cancel()
            assert batcher._rows == 0
            assert len(batcher._waiting) == 0

    return asyncio.run(all_of_them())


REQUESTS = st.lists(
    st.lists(st.lists(st.sampled_from(WORDS[2:]), max_size=8).map(" ".join), min_size=1, max_size=9),
    min_size=1,
    max_size=9,
)


@given(requests=REQUESTS, batch_rows=st.integers(1, 20))
def test_together_they_are_answered_as_alone(requests: list[list[str]], batch_rows: int, predictor: Predictor) -> None:
    for texts, answers in zip(requests, answered(predictor, requests, batch_rows=batch_rows), strict=True):
        for text, answer in zip(texts, answers, strict=True):
            [alone] = predictor.predict([text])
            assert answer["scores"] == pytest.approx(alone["scores"], abs=1e-6)


def test_what_waits_is_one_batch(predictor: Predictor) -> None:
    watched = Watched(predictor)
    answered(watched, [["soup"], ["bread", "liked"], ["nobody"]], batch_rows=8)
    # The first came while nothing was under way.
    assert sorted(len(batch) for batch in watched.batches) in ([4], [1, 3])


def test_as_many_batches_are_computed_at_once_as_there_are_cores_for(predictor: Predictor) -> None:
    together = threading.Barrier(3, timeout=30)

    class Both(Watched):
        def predict(self, inputs: Sequence[str], **settings: int) -> list[dict[str, Any]]:
            together.wait()
            return super().predict(inputs, **settings)

    watched = Both(predictor, runs_at_once=3)
    requests = [[f"{number}"] for number in range(9)]
    for [text], [answer] in zip(requests, answered(watched, requests, threads=3), strict=True):
        assert answer == predictor.predict([text])[0]
    assert [len(batch) for batch in watched.batches] == [3, 3, 3]


def test_a_long_request_is_in_one_batch_at_a_time(predictor: Predictor) -> None:
    watched = Watched(predictor, runs_at_once=3)
    long, short = [f"{number}" for number in range(40)], ["soup"]
    answers = answered(watched, [long, short], batch_rows=8, threads=3)
    assert answers == [predictor.predict(long), predictor.predict(short)]
    assert [text for batch in watched.batches for text in batch if text != "soup"] == long


def test_a_short_request_does_not_wait_for_the_end_of_a_long_one(predictor: Predictor) -> None:
    watched = Watched(predictor)
    answered(watched, [["bread"] * 100, ["soup"]], batch_rows=8)
    assert [len(batch) for batch in watched.batches][:2] == [8, 8]
    assert "soup" in watched.batches[0] + watched.batches[1]
    assert sum(map(len, watched.batches)) == 101
    assert len(watched.batches) == 13


def test_too_many_rows_are_not_let_in(predictor: Predictor) -> None:
    watched = Watched(predictor)
    first, second, third = answered(watched, [["a"] * 6, ["b"] * 5, ["c"] * 4], queue_rows=10, max_rows=10)
    assert [len(first), len(third)] == [6, 4]
    assert isinstance(second, RequestProblem)
    assert (second.status, second.code) == (429, "busy")
    assert second.headers == {"Retry-After": "1"}
    assert "6 rows wait" in second.problem
    assert ["b"] not in watched.batches


def test_what_the_model_cannot_answer_fails_alone(predictor: Predictor, caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = answered(Watched(predictor), [["soup"], ["bread", POISON], ["liked"]], batch_rows=8)
    assert [len(first), len(third)] == [1, 1]
    assert isinstance(second, RequestProblem)
    assert (second.status, second.code) == (500, "failed")
    assert "It can't be answered." in caplog.text
    assert POISON not in caplog.text + second.problem


def test_each_request_is_answered_by_the_version_that_served_when_it_came(predictor: Predictor, tmp_path: Path) -> None:
    home = Home(tmp_path)
    other = Watched(Predictor(home.store.root / write_package(home, "other", 0.2).path))
    watched = Watched(predictor)

    async def swapped() -> None:
        batcher = Batcher(ServingSpec(), ServingMetrics("tiny"))
        answering = asyncio.create_task(batcher.run())
        both = [LoadedVersion("tiny", str(n), cast(Predictor, one)) for n, one in enumerate((watched, other))]
        waiting = [asyncio.create_task(batcher.answer(both[n % 2], [str(n)])) for n in range(6)]
        await asyncio.sleep(0)
        watched.may.set()
        other.may.set()
        await asyncio.gather(*waiting)
        answering.cancel()

    asyncio.run(swapped())
    assert sorted(text for batch in watched.batches for text in batch) == ["0", "2", "4"]
    assert sorted(text for batch in other.batches for text in batch) == ["1", "3", "5"]

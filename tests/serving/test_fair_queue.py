"""Callers take turns: who asks much, or long, makes nobody wait longer than its share takes. By counts, not clocks."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from perennial.inference.predictor import Predictor
from perennial.serving.batches import fair_queue
from perennial.serving.batches.batcher import Batcher
from perennial.serving.batches.fair_queue import FairQueue, Job
from perennial.serving.current import LoadedVersion
from perennial.serving.metrics import ServingMetrics
from perennial.serving.problems import RequestProblem
from perennial.settings.serving import ServingSpec

VERSION = LoadedVersion("tiny", "1", cast(Predictor, None))
SENTENCE = "x" * (fair_queue.QUANTUM - fair_queue.OVERHEAD)
"""A row that takes a whole turn."""


def job(caller: str, *rows: str, served: LoadedVersion = VERSION) -> Job:
    return Job(caller, served, rows, cast("asyncio.Future[fair_queue.Answers]", None))


def queue_of(*jobs: Job) -> FairQueue:
    queue = FairQueue()
    for one in jobs:
        queue.add(one)
    return queue


def answer(queue: FairQueue, most: int) -> list[tuple[Job, int]]:
    """Answer a batch, as the batcher does."""
    batch = queue.next_batch(most)
    for one, rows in batch:
        one.answers += [{}] * rows
        if not one.left:
            queue.remove(one)
    return batch


def by_caller(batch: list[tuple[Job, int]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for one, rows in batch:
        counted[one.caller] += rows
    return counted


def rows_until(queue: FairQueue, most: int, ended: Callable[[], bool]) -> Counter[str]:
    """How many rows of each caller are answered until something has `ended`."""
    counted: Counter[str] = Counter()
    while not ended():
        counted += by_caller(answer(queue, most))
    return counted


def test_who_asks_a_thousand_rows_in_many_connections_gets_one_share() -> None:
    greedy = [job("greedy", *[SENTENCE] * 1000) for _ in range(32)]
    good = job("good", *[SENTENCE] * 100)
    counted = rows_until(queue_of(*greedy, good), 64, lambda: not good.left)
    assert counted["good"] == 100
    assert counted["greedy"] <= 100 + 64, "as many, and what filled up the last batch"


def test_beside_many_ordinary_callers_each_gets_one_share() -> None:
    queue, others = FairQueue(), [f"caller {n}" for n in range(32)]
    for _ in range(20):
        for name in others:
            queue.add(job(name, SENTENCE))
    answered: Counter[str] = Counter()
    for _ in range(10):
        good = job("good", SENTENCE)
        queue.add(good)
        counted = rows_until(queue, 16, lambda good=good: not good.left)
        # 33 callers, 16 rows a batch: in the third at the latest, and nobody is served twice before.
        assert sum(counted.values()) <= 48
        assert max(counted.values()) <= 2
        answered += counted
    del answered["good"]
    assert max(answered.values()) - min(answered.values()) <= 2


def test_long_rows_count_more_than_short_ones() -> None:
    long, short = job("long", *["x" * 2000] * 500), job("short", *["x" * 50] * 500)
    counted = rows_until(queue_of(long, short), 8, lambda: not short.left)
    assert 500 * 66 / 2016 - 2 <= counted["long"] <= 500 * 66 / 2016 + 8


def test_a_short_request_passes_a_long_one_of_the_same_caller() -> None:
    long, short = job("one", *["a"] * 100), job("one", "b", "b")
    batch = dict(queue_of(long, short).next_batch(8))
    assert batch == {long: 6, short: 2}


def test_a_turn_that_a_batch_cut_goes_on_in_the_next() -> None:
    first, second = job("first", *["x" * 16] * 40), job("second", *["x" * 16] * 40)
    queue = queue_of(first, second)
    # Four rows are a turn.
    counted = [by_caller(answer(queue, 6)) for _ in range(4)]
    assert sum(counted, Counter()) == {"first": 12, "second": 12}


CALLERS = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 5000), min_size=1, max_size=40)), min_size=1, max_size=9
)


@given(asked=CALLERS, most=st.integers(1, 20))
def test_every_batch_is_full_in_order_and_as_fair_as_rows_allow(
    asked: Sequence[tuple[str, list[int]]], most: int
) -> None:
    jobs = [job(caller, *("x" * length for length in lengths)) for caller, lengths in asked]
    queue, spent = queue_of(*jobs), Counter[str]()
    while len(queue):
        waiting = {one.caller for one in jobs if one.left}
        left = sum(one.left for one in jobs)
        before = {one: len(one.answers) for one in jobs}
        batch = answer(queue, most)
        assert sum(rows for _, rows in batch) == min(most, left)
        for one, rows in batch:
            spent[one.caller] += sum(map(fair_queue._cost, one.inputs[before[one] : before[one] + rows]))
        still = [spent[caller] for caller in waiting if any(one.left for one in jobs if one.caller == caller)]
        if waiting == {caller for caller, _ in asked}:
            assert not still or max(still) - min(still) <= 2 * (fair_queue.QUANTUM + fair_queue.LONGEST)


def test_a_batch_is_of_one_version() -> None:
    other = LoadedVersion("tiny", "2", cast(Predictor, None))
    old, new = job("a", "1", "2"), job("b", "3", served=other)
    queue = queue_of(old, new)
    assert answer(queue, 8) == [(old, 2)]
    assert answer(queue, 8) == [(new, 1)]
    assert queue.next_batch(8) == []


def test_who_fills_the_queue_makes_room_for_who_asks_little() -> None:
    greedy = [job("greedy", *"1234"), job("greedy", *"567"), job("other", *"89")]
    queue = queue_of(*greedy)
    assert queue.to_make_room("good", 2, -1) == []
    assert queue.to_make_room("good", 2, 2) == [greedy[1]], "the newest of the caller with most"
    assert queue.to_make_room("good", 2, 6) == [greedy[1], greedy[0]]
    assert queue.to_make_room("good", 2, 8) is None, "the other has no more than this one would have"
    assert queue.to_make_room("good", 7, 1) is None
    assert queue.to_make_room("greedy", 1, 1) is None
    greedy[1].answers.append({})
    assert queue.to_make_room("good", 2, 2) == [greedy[0]], "what is answered in part is answered to its end"


def test_who_is_pushed_out_is_told_so_and_the_others_are_answered() -> None:
    class Model:
        runs_at_once = 1

        @staticmethod
        def predict(inputs: Sequence[str], **_: bool) -> list[dict[str, str]]:
            return [{"label": text} for text in inputs]

    async def story() -> list[object]:
        figures = ServingMetrics("tiny")
        batcher = Batcher(ServingSpec(queue_rows=10, max_rows=10), figures)
        served = LoadedVersion("tiny", "1", cast(Predictor, Model()))
        asked = [("greedy", "aaaaa"), ("greedy", "bbbbb"), ("good", "c"), ("greedy", "d")]
        waiting = [asyncio.create_task(batcher.answer(served, list(rows), caller)) for caller, rows in asked]
        await asyncio.sleep(0)
        answering = asyncio.create_task(batcher.run())
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        answering.cancel()
        assert batcher._rows == 0
        assert 'perennial_dropped_rows_total{model="tiny"} 5.0' in figures.text().decode()
        return list(answers)

    first, second, third, fourth = asyncio.run(story())
    assert first == [{"label": "a"}] * 5
    assert isinstance(second, RequestProblem)
    assert second.code == "busy"
    assert third == [{"label": "c"}]
    assert fourth == [{"label": "d"}]

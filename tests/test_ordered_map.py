"""One function over many parts or rows: in order, one at a time, with its errors and its progress; all through it."""

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
import tiny_pipeline
from good_rows import checked
from tiny_model import tiny_texts

from flows.commands import predict
from perennial.core import ordered_map, progress
from perennial.core.home import Home
from perennial.core.ordered_map import map_in_order
from perennial.evaluation import asking
from perennial.inference.predictor import Predictor
from perennial.ingest import snapshots
from perennial.pipeline_file import loader
from perennial.records.data import EncodedData
from perennial.training.encoding import row_encoding


def test_results_come_in_the_order_of_their_items() -> None:
    assert list(map_in_order(str, range(5))) == ["0", "1", "2", "3", "4"]
    assert list(map_in_order(str, [])) == []


def test_an_item_is_taken_only_when_its_result_is_asked_for() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    results = map_in_order(lambda number: number * 2, items())
    assert taken == []
    assert list(islice(results, 3)) == [0, 2, 4]
    assert taken == [0, 1, 2]


def test_an_error_rises_after_the_results_before_it() -> None:
    results = map_in_order(lambda number: 6 // number, [3, 2, 0, 1])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("total", [3, None])
def test_progress_is_told_before_each_item_and_at_the_end(total: int | None) -> None:
    heard: list[tuple[int, int | None]] = []
    assert list(map_in_order(str, "abc", total=total, heard=lambda *report: heard.append(report))) == ["a", "b", "c"]
    assert heard == [(0, total), (1, total), (2, total), (3, total)]


class Ahead:
    """Takes the place of `map_in_order`: two threads that work ahead by a bounded number of items."""

    def __init__(self) -> None:
        self.items = 0

    def __call__(
        self,
        work: Callable[[Any], Any],
        items: Iterable[Any],
        *,
        total: int | None = None,
        heard: ordered_map.Heard | None = None,
    ) -> Iterator[Any]:
        waiting = iter(items)
        with ThreadPoolExecutor(2) as pool:
            while ahead := list(islice(waiting, 3)):
                self.items += len(ahead)
                yield from pool.map(work, ahead)


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Ahead:
    made = Ahead()
    monkeypatch.setattr(ordered_map, "map_in_order", made)
    return made


def encoded(folder: Path, base: Path) -> EncodedData:
    """The rows of a pipeline of five parts as token ids."""
    tiny_pipeline.write_pipeline(folder / "tiny", base, tiny_pipeline.rows(20))
    spec, home = loader.read_pipeline(folder / "tiny" / "pipeline.yaml"), Home(folder / "home")
    for number in range(1, 6):
        snapshot = snapshots.ingest(spec, home)
        snapshots.accept(spec, snapshot, home)
        tiny_pipeline.write_jsonl(folder / "tiny" / "data" / f"{number}.jsonl", tiny_pipeline.rows(20, 20 * number))
    return row_encoding.encode(spec, checked(snapshot), home)


def test_parts_are_encoded_through_it(tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = encoded(tmp_path / "here", tiny_base)
    assert len(here.parts) == 5
    ahead = Ahead()
    monkeypatch.setattr(ordered_map, "map_in_order", ahead)
    assert encoded(tmp_path / "ahead", tiny_base) == here
    assert ahead.items == 5


def test_how_far_encoding_is_is_told_by_parts(tiny_base: Path, tmp_path: Path) -> None:
    class Reports(progress.Silent):
        seen: list[tuple[float, float | None]] = []  # noqa: RUF012

        def advance(self, done: float, total: float | None, unit: str, detail: str) -> None:
            if unit == "part":
                self.seen.append((done, total))

    with progress.heard_by(Reports()):
        encoded(tmp_path, tiny_base)
    assert Reports.seen[-6:] == [(done, 5) for done in range(6)]


def test_rows_are_judged_through_it_in_one_piece(tiny_package: Path, ahead: Ahead) -> None:
    predictor, heard = Predictor(tiny_package), []
    texts = tiny_texts(50)
    answers = asking.ask_rows(predictor.predict, texts, lambda *report: heard.append(report))
    assert answers == predictor.predict(texts)
    assert heard[-1] == (50, 50)
    assert ahead.items == 1


def test_rows_of_a_file_are_answered_through_it(tiny_package: Path, ahead: Ahead, tmp_path: Path) -> None:
    texts = tiny_texts(2_500)
    data, out = tmp_path / "texts.txt", tmp_path / "answers.jsonl"
    data.write_text("\n".join(texts), encoding="utf-8")
    predict._answer_rows(Predictor(tiny_package), data, None, None, {}, out)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in rows] == texts
    assert ahead.items == 3

"""What the packages cost to ask is measured of the packages, in processes that do nothing else."""

import sys
from pathlib import Path
from typing import Any

import pytest
from notes import Notes
from tiny_model import tiny_texts

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import PackageError
from perennial.evaluation import serving_cost
from perennial.inference import package, process
from perennial.inference.cost import Bench, peak_memory
from perennial.records.evaluation import ServingFigures

KIND = kinds.kind_named("text-classification")
TEXTS = tiny_texts(40)


class Fickle:
    """A kind that takes no two answers for the same."""

    def same_answer(self, *_: Any) -> bool:
        return False


def check(found: ServingFigures | None, folder: Path) -> None:
    assert found is not None
    assert 0 < found.n <= len(TEXTS)
    assert (found.batch_flips, found.padding_flips) == (0, 0), "an fp32 model answers a row the same in any company"
    assert 0 < found.latency_p50 <= found.latency_p95
    assert found.throughput > 0
    assert found.size == pytest.approx(sum(file.stat().st_size for file in folder.iterdir()) / 1e6)
    # This process has torch loaded; one that only answers has not.
    assert 20 < found.peak_memory < peak_memory()


def test_figures_of_a_package_and_its_rival(tiny_package: Path) -> None:
    import torch

    assert torch
    found = serving_cost.measure_serving({"candidate": tiny_package, "champion": tiny_package}, TEXTS, KIND, 64)
    assert list(found) == ["candidate", "champion"]
    for figures in found.values():
        check(figures, tiny_package)


def test_a_package_that_cannot_be_measured_has_no_figures(tiny_package: Path, tmp_path: Path) -> None:
    notes = Notes()
    with progress.heard_by(notes):
        found = serving_cost.measure_serving(
            {"candidate": tiny_package, "champion": tmp_path / "gone"}, TEXTS, KIND, 64
        )
    check(found["candidate"], tiny_package)
    assert found["champion"] is None
    (told,) = notes.messages
    assert "champion" in told
    assert "There is no package in" in told


def test_no_process_no_figures(tiny_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert serving_cost.measure_serving({"candidate": tiny_package}, TEXTS, KIND, 64) == {"candidate": None}


def test_changed_answers_are_counted(tiny_package: Path) -> None:
    found = serving_cost.measure_serving({"candidate": tiny_package}, TEXTS[:3], Fickle(), 64)["candidate"]  # type: ignore[arg-type]
    assert found is not None
    # In batches of 2, of 8 and of 64.
    assert (found.batch_flips, found.batch_answers, found.padding_flips, found.n) == (9, 9, 3, 3)
    assert found.batch_flip_rate == 1


def test_rows_are_batched_as_a_server_does() -> None:
    class Watched:
        """Answers with how long the longest row beside it is."""

        def predict(self, inputs: list[str], *, at_once: bool = False) -> list[dict[str, int]]:
            assert at_once == (len(inputs) > 1)
            batches.append(inputs)
            return [{"longest": max(map(len, inputs))} for _ in inputs]

    batches: list[list[str]] = []
    bench = Bench(Watched())  # type: ignore[arg-type]
    bench._inputs = [str(n) * (1 + n) for n in range(10)]
    answers = bench._served(10, 4)
    assert sorted(map(len, batches)) == [2, 4, 4]
    assert sorted(row for batch in batches for row in batch) == sorted(bench._inputs)
    assert batches != [bench._inputs[:4], bench._inputs[4:8], bench._inputs[8:]], "rows of any length come together"
    for row, answer in zip(bench._inputs, answers, strict=True):
        [batch] = [batch for batch in batches if row in batch]
        assert answer == {"longest": max(map(len, batch))}
    assert bench._served(10, 4) == answers


def test_a_process_that_is_too_slow_is_given_up(tiny_package: Path) -> None:
    with (
        process.running_program("answer", tiny_package) as program,
        pytest.raises(PackageError, match=r"no answer within 0\.0"),
    ):
        program.ask(["a text"], seconds=0.001)


def test_a_process_that_dies_says_how(tiny_package: Path) -> None:
    (tiny_package / package.MODEL).write_bytes(b"no graph")
    with (
        process.running_program("answer", tiny_package) as program,
        pytest.raises(PackageError, match="status 1: The pack"),
    ):
        program.ask(["a text"])

"""Which rows drift is measured on: a fixed sample, and windows that don't overlap, in the order in which rows came."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.ingest import canonical_rows, parts
from perennial.monitoring.rows import newest, sample, windows
from perennial.records.data import Part
from perennial.rows.batch import Batch
from perennial.settings.pipeline import PipelineSpec


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def pipeline(time: str | None = "time") -> PipelineSpec:
    return PipelineSpec.model_validate(
        {
            "name": "news",
            "kind": "text-classification",
            "data": {"source": {"type": "file", "path": "d/*"}, "labels": ["a", "b"], "columns": {"time": time}},
            "gates": [{"metric": "accuracy", "min": 0.8}],
        }
    )


def written(home: Home, spec: PipelineSpec, numbers: range, labels: str = "ab") -> Part:
    """A part of rows whose text and minute are their number."""
    cells: dict[str, list[object]] = {
        "text": [f"text {number}" for number in numbers],
        "label": [labels[index * len(labels) // len(numbers)] for index in range(len(numbers))],
    }
    if spec.data.columns.time:
        cells["time"] = [10**9 + 60 * number for number in numbers]
    batch = canonical_rows.canonical_rows(Batch("f.csv", "line", range(1, len(numbers) + 1), cells), spec)
    (part,) = parts.write_parts(iter([batch]), home.store)
    return part


def numbers_of(texts: list[tuple[str, ...]]) -> list[int]:
    return [int(text.split()[1]) for (text,) in texts]


def test_windows_are_full_don_t_overlap_and_stay_what_they_were(home: Home) -> None:
    spec = pipeline()
    some = [written(home, spec, range(100, 0, -1)), written(home, spec, range(101, 181))]
    by_number = dict(windows(spec, some, home.store, 50, 0, 99))
    assert list(by_number) == [1, 2, 3]
    assert [numbers_of(window.texts) for window in by_number.values()] == [
        list(range(1, 51)), list(range(51, 101)), list(range(101, 151)),
    ]  # fmt: skip
    assert by_number[1].times[0] is not None
    some.append(written(home, spec, range(181, 221)))
    later = dict(windows(spec, some, home.store, 50, 0, 2))
    assert list(later) == [3, 4]
    assert later[3].digest == by_number[3].digest
    assert numbers_of(later[4].texts) == list(range(151, 201)), "across two parts"


def test_rows_that_are_skipped_are_in_no_window(home: Home) -> None:
    spec = pipeline()
    some = [written(home, spec, range(30)), written(home, spec, range(30, 100))]
    by_number = dict(windows(spec, some, home.store, 20, 35, 99))
    assert [numbers_of(window.texts)[0] for window in by_number.values()] == [35, 55, 75]
    assert list(windows(spec, some, home.store, 20, 90, 99)) == []
    assert list(windows(spec, [], home.store, 20, 0, 99)) == []


def test_a_file_sorted_by_label_does_not_drift_from_one_end_to_the_other(home: Home) -> None:
    spec = pipeline(time=None)
    part = written(home, spec, range(1000))
    for _, window in windows(spec, [part], home.store, 250, 0, 99):
        assert 80 < Counter(window.targets.to_pylist())["a"] < 170
        assert window.times == (None, None)


def test_a_sample_is_the_same_each_time_and_of_all_parts(home: Home) -> None:
    spec = pipeline()
    some = [written(home, spec, range(600)), written(home, spec, range(600, 1000))]
    drawn = sample(spec, some, home.store, 300)
    assert sample(spec, some, home.store, 300).digest == drawn.digest
    assert 220 < len(drawn.texts) < 380
    assert 70 < sum(number >= 600 for number in numbers_of(drawn.texts)) < 170
    assert 0.1 < drawn.held_out.mean() < 0.45, "validation and test rows"
    assert len(sample(spec, some, home.store, 5000).texts) == 1000


def test_the_newest_rows_are_those_that_came_last(home: Home) -> None:
    spec = pipeline()
    some = [written(home, spec, range(100, 0, -1)), written(home, spec, range(180, 100, -1))]
    assert numbers_of(newest(spec, some, home.store, 100).texts) == list(range(81, 181))
    assert len(newest(spec, some, home.store, 999).texts) == 180


def test_another_label_is_another_window(home: Home) -> None:
    spec = pipeline()
    digests = set()
    for labels in ("ab", "ba", "ab"):
        part = written(home, spec, range(50), labels)
        digests |= {window.digest for _, window in windows(spec, [part], home.store, 50, 0, 1)}
    assert len(digests) == 2


def test_rows_that_are_gone_are_explained(home: Home) -> None:
    spec = pipeline()
    part = written(home, spec, range(50))
    (home.store.root / part.path).unlink()
    with pytest.raises(StoreError, match="missing or damaged, so drift can't be measured"):
        sample(spec, [part], home.store, 10)
    with pytest.raises(StoreError, match="--reread"):
        list(windows(spec, [part], home.store, 50, 0, 1))


def test_reading_is_by_arrow_only_and_nothing_is_lost(home: Home) -> None:
    spec = pipeline()
    part = written(home, spec, range(50))
    ((_, window),) = windows(spec, [part], home.store, 50, 0, 1)
    assert isinstance(window.targets, pa.Array)
    assert len(window.keys) == len(set(window.keys)) == 50

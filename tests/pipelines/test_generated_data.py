"""What the generators of all synthetic data have in common: the same bytes again, in months, and no more than a few."""

from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from perennial import kinds
from perennial.settings.pipeline import PipelineSpec

ROWS = {
    "entities": (1000, 1000),
    "intensity": (700, 900),
    "relations": (800, 800),
    "sentiment": (1100, 1300),
    "topics": (700, 900),
}
"""Fewest and most of a month."""
every_pipeline = pytest.mark.parametrize("name", ROWS, scope="module")


@every_pipeline
def test_generator_makes_the_same_bytes(make_data: ModuleType, name: str, files: list[Path], tmp_path: Path) -> None:
    made = make_data.write(tmp_path)

    assert [path.name for path in made] == [path.name for path in files]
    for new, kept in zip(made, files, strict=True):
        assert new.read_bytes() == kept.read_bytes(), f"{kept.name}: run pipelines/{name}/make_data.py"


@every_pipeline
def test_three_parts_dated_within_their_month_oldest_first(
    parts: dict[str, list[dict[str, Any]]], name: str, files: list[Path]
) -> None:
    fewest, most = ROWS[name]
    assert list(parts) == ["2026-07", "2026-08", "2026-09"]
    assert sum(file.stat().st_size for file in files) < 1_000_000
    for month, part in parts.items():
        times = [datetime.fromisoformat(row["published_at"]) for row in part]
        assert fewest <= len(part) <= most
        assert times == sorted(times)
        assert all(time.strftime("%Y-%m") == month and time.utcoffset() is not None for time in times)
        assert len({time.date() for time in times}) >= 20


@every_pipeline
def test_pipeline_is_valid_and_compares_with_champion_and_baseline(pipeline: PipelineSpec) -> None:
    assert kinds.kind_named(pipeline.kind).spec_problems(pipeline) == []
    assert {gate.versus for gate in pipeline.gates} == {None, "champion", "baseline"}

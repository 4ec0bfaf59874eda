"""What a window's figures say of planted shifts, with a real package, and when they are a reason to train anew."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tiny_model import TINY_LABELS, TINY_WORDS, tiny_spec

from perennial.core.home import Home
from perennial.inference.package import read_package
from perennial.monitoring.measuring import WORDS, DriftWindow, over
from perennial.monitoring.rows import WindowRows
from perennial.monitoring.window_figures import NAMES, AskedChampion, Reference
from perennial.records.package import Champion
from perennial.settings.drift import DriftLimits, TriggersSpec

SETTINGS = TriggersSpec(window_rows=300)
SEEDS = 12
OWN = {label: TINY_WORDS[3 * number : 3 * number + 5] for number, label in enumerate(TINY_LABELS)}


def rows(
    count: int,
    seed: int,
    shares: Sequence[float] = (0.2, 0.5, 0.3),
    words: Sequence[str] = TINY_WORDS,
    longest: int = 14,
) -> WindowRows:
    """Rows whose words tell their label a little."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    labels = draw.choices(TINY_LABELS, shares, k=count)
    texts = [
        " ".join([*draw.choices(OWN[label], k=2), *draw.choices(words, k=draw.randint(2, longest))]) for label in labels
    ]
    return WindowRows(
        texts=[(text,) for text in texts],
        targets=pa.array(labels),
        held_out=np.array([draw.random() < 0.3 for _ in texts]),
        keys=[f"{seed} {number}" for number in range(count)],
        times=(None, None),
    )


@pytest.fixture(scope="module")
def package(_tiny_package: tuple[Path, Any]) -> Path:
    return _tiny_package[0]


@pytest.fixture(scope="module")
def reference(package: Path) -> Reference:
    home = Home(package.parents[3])
    path = str(package.relative_to(home.store.root))
    champion = Champion(version="1", package_digest=read_package(package).digest, path=path)
    return Reference(tiny_spec(), SETTINGS, rows(2500, 0), AskedChampion(tiny_spec(), champion, home), labelled=True)


def over_limit(figures: dict[str, float]) -> set[str]:
    limits = SETTINGS.limits.model_dump()
    return {name for name, value in figures.items() if value > limits[name]}


def test_rows_of_one_distribution_are_over_no_limit(reference: Reference) -> None:
    overs = [over_limit(reference.figures(rows(300, seed))) for seed in range(1, SEEDS + 1)]
    # A window has six figures; a trigger needs the same one in two of three.
    assert sum(map(len, overs)) <= 1, overs


@pytest.mark.parametrize(
    ("shift", "expected"),
    [
        ({"shares": (0.6, 0.1, 0.3)}, {"labels"}),
        ({"words": [*TINY_WORDS[:9], "qq", "zz", "xx", "yy"]}, {"tokens", "domain"}),
        ({"longest": 30}, {"length"}),
    ],
)
def test_a_planted_shift_is_seen_by_the_figure_it_is_about(
    reference: Reference, shift: dict[str, Any], expected: set[str]
) -> None:
    figures = reference.figures(rows(300, 99, **shift))
    assert set(figures) == set(NAMES)
    assert expected <= over_limit(figures), figures
    windows = [DriftWindow(number=n, rows=300, since=None, until=None, figures=figures) for n in (1, 2)]
    reason = "; ".join(dict(over(SETTINGS, windows)).values())
    for name in expected:
        assert f"{WORDS[name]} {figures[name]:.2f}" in reason
        assert "in 2 of the last 2 windows of 300 rows" in reason


def test_the_champions_answers_shift_with_its_texts(reference: Reference) -> None:
    figures = reference.figures(rows(300, 7, words=["zz", "qq"]))
    assert {"answers", "scores"} <= over_limit(figures), figures


VALUES = st.lists(st.sampled_from([0.0, 0.1, 0.19, 0.21, 0.5, 3.0]), max_size=12)


@given(VALUES, st.integers(1, 5), st.integers(0, 4))
def test_k_of_the_last_n_and_the_latest(values: list[float], needed: int, more: int) -> None:
    settings = TriggersSpec(needed=needed, of_last=needed + more)
    overs = list(dict(over(settings, windows_of(values))).values())
    latest = values[-settings.of_last :]
    due = bool(latest) and latest[-1] > 0.2 and sum(value > 0.2 for value in latest) >= needed
    assert bool(overs) == due
    if due:
        assert overs == [
            f"labels shifted: PSI {latest[-1]:.2f} (limit 0.2) in {sum(value > 0.2 for value in latest)} of the last "
            f"{len(latest)} windows of 500 rows"
        ]


def test_two_figures_of_one_window_each_are_no_reason() -> None:
    settings = TriggersSpec(needed=2, of_last=3)
    mixed = [
        DriftWindow(number=1, rows=500, since=None, until=None, figures={"labels": 0.5, "length": 0.0}),
        DriftWindow(number=2, rows=500, since=None, until=None, figures={"labels": 0.0, "length": 0.5}),
    ]
    assert list(over(settings, mixed)) == []


def test_a_limit_of_none_is_no_limit() -> None:
    settings = TriggersSpec(needed=1, limits=DriftLimits(labels=None))
    assert list(over(settings, windows_of([9.0]))) == []


def test_more_than_all_windows_can_not_be_needed() -> None:
    with pytest.raises(ValidationError, match="3 of of_last: 2 windows can never be"):
        TriggersSpec(needed=3, of_last=2)


def windows_of(values: list[float]) -> list[DriftWindow]:
    return [
        DriftWindow(number=number, rows=500, since=None, until=None, figures={"labels": value})
        for number, value in enumerate(values, 1)
    ]

"""What is tried: settings that training accepts, whatever is drawn, and the pipeline's own find their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import tiny_spec

from perennial.pipeline_file import edit
from perennial.tuning import space
from perennial.tuning.space import Rate, Settings, Steps

SPACE = space.space_of(tiny_spec(), 2e-4)


@given(st.data())
def test_whatever_is_drawn_can_be_trained_with(data: st.DataObject) -> None:
    drawn = {
        name: data.draw(st.floats(one.low, one.high) if isinstance(one, Rate) else st.integers(0, len(one.values) - 1))
        for name, one in SPACE.items()
    }
    settings = space.settings(SPACE, drawn)
    made = edit.with_settings(tiny_spec(), "training", settings)
    assert space.of_pipeline(SPACE, made) == settings
    assert {name: one.value(space.point_of(SPACE, settings)[name]) for name, one in SPACE.items()} == settings


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        ({}, {"learning_rate": 2e-4, "epochs": 3, "tokens_per_batch": 1024}),
        ({"learning_rate": 0.5, "epochs": 4.6, "tokens_per_batch": 9000}, {"epochs": 5, "tokens_per_batch": 2048}),
        ({"learning_rate": 1e-9, "epochs": 100, "tokens_per_batch": 8}, {"learning_rate": 5e-5, "epochs": 6}),
    ],
)
def test_settings_outside_are_taken_for_the_nearest_inside(odd: Settings, expected: Settings) -> None:
    now = space.of_pipeline(SPACE, edit.with_settings(tiny_spec(), "training", odd))
    drawn = space.settings(SPACE, space.point_of(SPACE, now))
    assert expected.items() <= drawn.items()


def test_the_defaults_are_among_what_is_tried() -> None:
    now = space.of_pipeline(SPACE, tiny_spec())
    assert now["learning_rate"] == "auto"
    for name, one in SPACE.items():
        if isinstance(one, Steps):
            assert now[name] in one.values

"""docs/settings.md says what the settings are now."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from perennial import kinds

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_settings", DOCS / "make_settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(maker: ModuleType) -> None:
    assert maker.page() == (DOCS / "settings.md").read_text(encoding="utf-8"), "run `make docs`"


def test_every_setting_of_every_group_says_what_it_is(maker: ModuleType) -> None:
    page = maker.page()
    groups = maker.groups().values()
    assert len(groups) > 20
    for group in groups:
        assert group.__doc__
        assert set(maker._docstrings(group.__name__)) == set(group.model_fields), group.__name__
        for name in group.model_fields:
            assert f"{name}` |" in page


def test_every_metric_of_every_kind_is_listed(maker: ModuleType) -> None:
    for name in kinds.names():
        section = maker.page().split(f"## Metrics of {name}\n")[1].split("\n## ")[0]
        for metric in (*kinds.kind_named(name).metrics, *kinds.kind_named(name).label_metrics):
            assert f"| `{metric}` |" in section

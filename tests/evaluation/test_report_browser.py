"""The report in a real browser: it draws, asks the network for nothing, complains of nothing, and fits a telephone."""

from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
import report_data
from browser import Page

from perennial.evaluation.report import page
from perennial.evaluation.report.material import Material

LONG = ["</script><script>window.broken = 1</script>", "a" * 120, *(f"label number {place}" for place in range(28))]
DRAWN = "[...document.querySelectorAll('.chart')].filter(one => one.querySelector('.main-svg .plot, .main-svg')).length"
INK = "getComputedStyle(document.querySelector('.chart text')).fill"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser.page(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    bare = Material(report_data.spec(), report_data.evidence())
    made = {"full": report_data.material(), "long": report_data.material(LONG), "bare": bare}
    for name, material in made.items():
        (folder / f"{name}.html").write_text(page.render_page(material), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1200])
@pytest.mark.parametrize("name", ["full", "long", "bare"])
def test_a_report_is_drawn_without_network_or_complaint(
    tab: Page, pages: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    tab.open(pages[name].as_uri(), width=width, dark=dark)
    charts = tab.value("document.querySelectorAll('.chart').length")
    assert charts >= (5 if name == "bare" else 10)
    tab.wait(f"{DRAWN} === {charts}")
    assert tab.value("[...document.querySelectorAll('.chart')].every(one => one.clientHeight > 100)")
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("window.broken") is None
    assert tab.problems == []
    assert tab.fetched == [pages[name].as_uri()]
    assert tab.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(17, 21, 26)" if dark else "rgb(246, 247, 249)"
    )
    assert tab.value(INK) == ("rgb(230, 234, 240)" if dark else "rgb(27, 36, 48)")


def test_a_report_follows_a_change_of_light_and_width(tab: Page, pages: dict[str, Path]) -> None:
    tab.open(pages["full"].as_uri(), width=1200)
    tab.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert tab.value(INK) == "rgb(230, 234, 240)"
    tab.resize(400)
    tab.wait("document.querySelector('.chart .main-svg').clientWidth < 400")
    assert tab.value("document.documentElement.scrollWidth") <= 400


def test_words_have_contrast_in_light_and_dark(tab: Page, pages: dict[str, Path]) -> None:
    """At least 4.5 to 1, as WCAG 2.2, success criterion 1.4.3, asks for."""
    contrast = """
    (() => {
      const light = (rgb) => rgb.map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
      const colour = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number);
      const panel = light(colour(getComputedStyle(document.querySelector("section")).backgroundColor));
      const found = [".good", ".bad", ".doubt", ".quiet", "figcaption", "summary", "section p", "td"]
        .map((name) => document.querySelector(`main ${name}`)).filter(Boolean)
        .map((part) => light(colour(getComputedStyle(part).color)));
      return Math.min(...found.map((ink) => (Math.max(ink, panel) + 0.05) / (Math.min(ink, panel) + 0.05)));
    })()
    """
    for dark in (False, True):
        tab.open(pages["full"].as_uri(), dark=dark)
        assert tab.value(contrast) >= 4.5


def test_a_report_prints_everything_in_ink_on_paper(tab: Page, pages: dict[str, Path]) -> None:
    tab.open(pages["full"].as_uri(), dark=True)
    assert tab.value("document.querySelectorAll('details:not([open])').length") > 3
    tab.value(
        "addEventListener('beforeprint', () => { window.open_ = document.querySelectorAll('details[open]').length })"
    )
    paper = tab.paper()
    assert paper.startswith(b"%PDF")
    assert tab.value("window.open_ === document.querySelectorAll('details').length")
    tab.wait("document.querySelectorAll('details[open]').length === 0")
    tab.ask("Emulation.setEmulatedMedia", media="print")
    assert tab.value(INK) == "rgb(0, 0, 0)"
    tab.resize(688)
    tab.value("dispatchEvent(new Event('beforeprint'))")
    tab.wait("document.documentElement.scrollWidth <= 688")
    tab.value("dispatchEvent(new Event('afterprint'))")
    tab.ask("Emulation.setEmulatedMedia", media="")
    assert tab.problems == []

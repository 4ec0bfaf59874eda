"""The dashboard in a real browser: it draws, lists a spike's texts when it is chosen, and runs nobody else's script."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import dashboard_data
import pytest
from browser import Page
from dashboard_data import NOW, SCRIPT, SURGE, alarm, material, row, table

from perennial.monitoring.dashboard import served
from perennial.monitoring.dashboard.figures import DashboardFigures
from perennial.monitoring.dashboard.gathering import dashboard_figures
from perennial.monitoring.dashboard.page import dashboard_page

DRAWN = "document.querySelector('#chart .barlayer .point') !== null"
BUCKET = "document.getElementById('bucket').textContent"
INK = "getComputedStyle(document.querySelector('.chart text')).fill"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser.page(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def figures() -> DashboardFigures:
    return dashboard_figures(material(), NOW)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, figures: DashboardFigures) -> Path:
    path = tmp_path_factory.mktemp("pages") / "stream.html"
    path.write_text(dashboard_page(figures), encoding="utf-8")
    return path


def fits_and_is_quiet(tab: Page, width: int, address: str) -> None:
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("window.broken") is None
    assert tab.value("document.querySelectorAll('main b:not(#watched), main i, main em, main script').length") == 0
    assert tab.problems == []
    assert {one for one in tab.fetched if not one.startswith(address)} == set()


def click_bucket(tab: Page, number: int) -> None:
    """The mouse upon the point of a bucket, where Plotly says that it is drawn."""
    where = tab.value(
        f"""(() => {{
          const chart = document.getElementById('chart');
          chart.scrollIntoView({{ block: 'center', behavior: 'instant' }});
          const {{ xaxis, yaxis }} = chart._fullLayout, box = chart.getBoundingClientRect();
          const point = chart.data[1];
          const across = xaxis._offset + xaxis.d2p(point.x[{number}]);
          const down = yaxis._offset + yaxis.d2p(point.y[{number}]);
          return [box.left + across, box.top + down];
        }})()"""
    )
    for kind, buttons in (("mouseMoved", 0), ("mousePressed", 1), ("mouseReleased", 0)):
        pressed = {"button": "left", "buttons": buttons, "clickCount": 1} if kind != "mouseMoved" else {}
        tab.ask("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], **pressed)
        tab.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done, 60)))")


def press(tab: Page, key: str) -> None:
    for kind in ("rawKeyDown", "keyUp"):
        tab.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_a_spike_that_is_clicked_lists_its_headlines(
    tab: Page, file: Path, figures: DashboardFigures, width: int, dark: bool
) -> None:
    tab.open(file.as_uri(), width=width, dark=dark)
    tab.wait(DRAWN)
    starts = figures.ranges[-1].starts
    tab.value("document.querySelector('#ranges button:last-child').click()")
    click_bucket(tab, starts.index(SURGE))
    tab.wait(f"{BUCKET}.includes('2026-03-14 09:00')")
    shown = tab.value("[...document.querySelectorAll('#bucket bdi')].map((one) => one.textContent)")
    assert SCRIPT in shown
    assert sum("shares fall" in one for one in shown) >= 10
    assert tab.value("document.querySelector('#bucket .label').textContent") == "negative"
    assert tab.value("[...document.querySelectorAll('.annotation-text')].map((one) => one.textContent)") == []
    tab.value("document.querySelector('#ranges button').click()")
    tab.wait("[...document.querySelectorAll('.annotation-text')].some((one) => one.textContent === 'version 2')")
    assert "version 2" in tab.value("document.getElementById('versions-table').textContent")
    assert tab.value(INK) == ("rgb(230, 234, 240)" if dark else "rgb(27, 36, 48)")
    fits_and_is_quiet(tab, width, file.as_uri())
    tab.value("for (const one of document.querySelectorAll('details')) one.open = true")
    fits_and_is_quiet(tab, width, file.as_uri())


def test_by_keyboard_buckets_and_series_are_chosen(tab: Page, file: Path) -> None:
    tab.open(file.as_uri(), width=400)
    tab.wait(DRAWN)
    tab.value("document.getElementById('chart').focus()")
    press(tab, "End")
    tab.wait(f"{BUCKET}.includes('2026-03-15 23:00')")
    press(tab, "ArrowLeft")
    tab.wait(f"{BUCKET}.includes('2026-03-15 22:00 to')")
    choose = "const one = document.getElementById('series'); one.value = '1'; one.dispatchEvent(new Event('change'))"
    tab.value(f"(() => {{ {choose} }})()")
    tab.wait(f"{BUCKET}.startsWith('banks')")
    assert tab.value("document.querySelector('#parts-tables tr.chosen th').textContent") == "banks"
    tab.value("document.getElementById('lowest').click()")
    tab.wait(f"{BUCKET}.includes('2026-03-14')")
    every = "[...document.querySelectorAll('a, button, select, summary, [tabindex]')]"
    assert tab.value(f"{every}.every((one) => one.tabIndex >= 0)")


def test_an_alarm_that_is_chosen_leads_to_its_bucket(tab: Page, file: Path) -> None:
    tab.open(file.as_uri())
    tab.wait(DRAWN)
    card = tab.value("document.getElementById('alarm-list').textContent")
    for words in ("banks", "critical", "All was clear", "kim acknowledged it", "wire (20)", SCRIPT):
        assert words in card
    tab.value("document.querySelector('#alarm-list button').click()")
    tab.wait(f"{BUCKET}.startsWith('banks, 2026-03-14 09:00')")
    assert tab.value("document.getElementById('series').value") == "1"
    assert SCRIPT in tab.value("[...document.querySelectorAll('#bucket bdi')].map((one) => one.textContent)")


def test_health_and_newest_stories_are_shown(tab: Page, file: Path) -> None:
    tab.open(file.as_uri())
    health = tab.value("document.getElementById('health-table').textContent")
    for words in ("can't be told: labels have shifted", "no labels came", "<b>unsure</b>", "Calls for retraining"):
        assert words in health
    newest = tab.value("document.getElementById('newest-list').textContent")
    assert "Umbra <em>recalls</em> everything" in newest
    assert "told by 4 texts of 4 sources" in newest
    assert newest.count("recalls") == 1


BARE: dict[str, Callable[[], DashboardFigures]] = {
    "nothing": lambda: bare([]),
    "one bucket, no topics, no texts": lambda: bare([row(0, SURGE, text=None, topic=[], entities=[])]),
    "odd labels": lambda: bare([row(n, SURGE, label="</script><b>") for n in range(3)]),
}


def bare(rows: list[dict[str, object]]) -> DashboardFigures:
    return dashboard_figures(material(tables=[table(rows)], alarms=(), health=(), promotions=()), NOW)


@pytest.mark.parametrize("name", BARE)
def test_a_stream_with_little_in_it_says_so(tab: Page, name: str, tmp_path: Path) -> None:
    figures = BARE[name]()
    path = tmp_path / "bare.html"
    path.write_text(dashboard_page(figures), encoding="utf-8")
    tab.open(path.as_uri(), width=400)
    if figures.ranges:
        tab.wait(DRAWN)
    page = tab.value("document.body.innerText")
    assert figures.remarks
    assert [one.text for one in figures.remarks if one.text not in page] == []
    fits_and_is_quiet(tab, 400, path.as_uri())


def test_scripts_that_are_not_the_pages_own_do_not_run(tab: Page, file: Path) -> None:
    tab.open(file.as_uri())
    tab.ask(
        "Runtime.evaluate",
        expression="""
        const inline = document.createElement('script');
        inline.textContent = 'window.broken = 1';
        document.body.append(inline);
        document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.broken = 2">');
        """,
    )
    tab.wait("document.images[0].complete")
    assert tab.value("window.broken === undefined")
    assert any("Content Security Policy" in problem for problem in tab.problems)


def test_the_served_page_follows_the_stream(tab: Page) -> None:
    tables = dashboard_data.stream()[-3:]
    alarms = [alarm()]
    fresh = served.FreshFigures(lambda: dashboard_figures(material(tables=tables, alarms=alarms), NOW), seconds=0)
    with served.listening("127.0.0.1", 0, insecure=False) as bound:
        server = served.dashboard_server(served.dashboard_app(fresh, only_local=True))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            address = served.address_of(bound)
            tab.open(address, width=400)
            tab.wait(DRAWN)
            tab.value("document.getElementById('lowest').click()")
            before = tab.value(BUCKET)
            tables.append(table([row(9_999, NOW, "positive", text="Zeta <u>recovers</u>", model="3")]))
            tab.value("refresh()")
            newest = "document.getElementById('newest-list').textContent"
            tab.wait(f"{newest}.includes({json.dumps('Zeta <u>recovers</u>')})")
            assert "version 3" in tab.value("document.getElementById('versions-table').textContent")
            assert tab.value(BUCKET) == before
            fits_and_is_quiet(tab, 400, address)
        finally:
            server.should_exit = True
            thread.join()
    tab.value("refresh()")
    tab.wait("!document.getElementById('trouble').hidden")

"""The page on which people label, in a real browser."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browser
import pytest
import uvicorn
from browser import Page
from conftest import LABELS, Labelled, Make, live_rows

from perennial.labelling.label_file import labelled_texts
from perennial.labelling.page.app import make_app
from perennial.labelling.page.checks import LOOPBACK

HOSTILE = "<img src=x onerror='window.broken = 1'> <b>soup</b> 🚀 up"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser.page(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@contextmanager
def serving(made: Labelled, **options: Any) -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        app = make_app(made.desk(), **{"hosts": LOOPBACK, "admits": None, **options})
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        deadline = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)


def press(page: Page, key: str, code: int = 0) -> None:
    for kind in ("rawKeyDown", "keyUp"):
        page.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code or ord(key.upper()))


def begin(page: Page, address: str, name: str, **options: Any) -> None:
    page.open(address, **options)
    page.value("localStorage.clear(); sessionStorage.clear()")
    page.open(address, **options)
    page.wait("document.activeElement.id === 'annotator'")
    page.ask("Input.insertText", text=name)
    press(page, "Enter", 13)
    # By the protocol Enter submits no form, as a person's does.
    page.value("document.getElementById('who').hidden || document.getElementById('who').requestSubmit()")
    page.wait("!document.getElementById('work').hidden")


def shown(page: Page) -> str:
    return str(page.value("text.id"))


def press_and_wait(page: Page, key: str, code: int = 0) -> None:
    before = shown(page)
    press(page, key, code)
    page.wait(f"text === null || (text.id !== {before!r} && !busy)")


def said(made: Labelled) -> list[tuple[str, str | None]]:
    return [(one.id, one.label) for one in labelled_texts(made.desk().path)]


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (400, True)])
def test_three_texts_are_labelled_by_keyboard_and_one_taken_back(
    width: int, dark: bool, page: Page, make: Make, tmp_path: Path
) -> None:
    made = make(labelling={"meanings": {"negative": "bad for <b>owners</b>"}})
    made.choose(live_rows(60))
    with serving(made) as address:
        begin(page, address, "ann", width=width, dark=dark)
        first = shown(page)
        press_and_wait(page, "1")
        second = shown(page)
        press_and_wait(page, "3")
        third = shown(page)
        press_and_wait(page, "2")
        assert said(made) == [(first, LABELS[0]), (second, LABELS[2]), (third, LABELS[1])]
        press_and_wait(page, "u")
        assert shown(page) == third
        press_and_wait(page, "ArrowLeft", 37)
        assert shown(page) == second
        pressed = "document.querySelector('#choices [aria-pressed=true]').dataset.label"
        assert page.value(pressed) == LABELS[2]
        # What was said before is said otherwise, and wins.
        press_and_wait(page, "1")
        assert said(made) == [(first, LABELS[0]), (second, LABELS[0])]
        press_and_wait(page, "s")
        assert made.desk().progress("ann").skipped == 1
        page.wait("document.getElementById('progress').textContent.includes('1 skipped')")
        page.wait("document.getElementById('more').textContent.includes('told')")
        assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
        sizes = "[...document.querySelectorAll('#choices button')].every((one) => one.offsetHeight >= 44)"
        assert page.value(sizes)
        assert page.value("document.querySelectorAll('#choices b').length") == 0
        assert page.problems == []
        assert {one for one in page.fetched if not one.startswith(address)} == set()
        page.picture(tmp_path / f"label-{width}.png")


def test_a_text_is_never_taken_for_markup_and_the_name_is_asked_once(page: Page, make: Make) -> None:
    made = make()
    made.choose(live_rows(30, text=HOSTILE, telling="copy"))
    with serving(made) as address:
        begin(page, address, "ann <i>x</i>", width=400)
        assert page.value("document.getElementById('text').textContent") == HOSTILE
        assert page.value("document.querySelectorAll('#text *').length") == 0
        page.open(address, width=400)
        page.wait("!document.getElementById('work').hidden")
        assert page.value("window.broken === undefined")
        assert page.problems == []


def test_several_labels_and_spans_are_chosen_and_kept(page: Page, make: Make) -> None:
    made = make("multi-label")
    made.choose(live_rows(30))
    with serving(made) as address:
        begin(page, address, "ann")
        for key in "131":
            press(page, key)
        press_and_wait(page, "Enter", 13)
        press_and_wait(page, "Enter", 13)
    assert [one.answer for one in labelled_texts(made.desk().path)] == [["positive"], []]


def test_a_stretch_behind_an_emoji_is_counted_in_characters(page: Page, make: Make) -> None:
    made = make("token-classification")
    made.choose(live_rows(30, text="🚀 Acme rose", scores=None, telling="copy"))
    with serving(made) as address:
        begin(page, address, "ann")
        page.value("getSelection().setBaseAndExtent(byId('text').firstChild, 3, byId('text').firstChild, 8)")
        press(page, "2")
        page.wait("document.querySelectorAll('#text mark').length === 1")
        press(page, "Enter", 13)
        page.wait("text === null")
    [span] = next(iter(labelled_texts(made.desk().path))).answer
    assert span == {"start": 2, "end": 6, "label": "neutral"}

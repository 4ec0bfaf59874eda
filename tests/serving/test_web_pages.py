"""The page on which a person tries a model, in a real browser."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import browser
import pytest
from browser import Page
from hosting import KINDS, hosting, tiny_predictor
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perennial.inference.predictor import Predictor
from perennial.serving import app
from perennial.serving.host import Host

SHOWN = "!document.getElementById('ask').hidden"
ANSWERED = "document.querySelector('#answer .verdict, #answer .text') !== null"
TEXT = "🚀 excellent soup, <b>nobody</b> liked the bread"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser.page(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    return {kind: tiny_predictor(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def address(predictors: dict[str, Predictor]) -> Iterator[str]:
    """A server of a model of each kind, which explains nothing."""
    with without_explanations(), hosting(predictors) as running:
        yield running


@contextmanager
def without_explanations() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app, "PLACES", tuple(place for place in app.PLACES if not place.__name__.endswith("explain")))
        yield


class Words:
    """A place that explains: every third letter moves the answer."""

    __name__ = "explain"

    def routes(self, _: Host) -> list[Route]:
        async def explain(request: Request) -> Response:
            [text] = (await request.json())["texts"]
            tokens = [
                {"text": letter, "start": place, "end": place + 1, "weight": (place % 5 - 2) / 4}
                for place, letter in enumerate(text)
                if place % 3 == 0
            ]
            return JSONResponse({"model": "m", "version": "1", "explanations": [{"prediction": {}, "tokens": tokens}]})

        return [Route("/explain", explain, methods=["POST"])]


def ask(page: Page, address: str, *texts: str, **options: Any) -> None:
    """Open the page and ask `texts` by keyboard alone."""
    page.open(address, **options)
    page.wait(SHOWN)
    for number, text in enumerate(texts):
        page.wait("document.activeElement.tagName === 'TEXTAREA'")
        page.ask("Input.insertText", text=text)
        if number + 1 < len(texts):
            press(page, "Tab", 9)
    press(page, "Enter", 13, modifiers=2)
    page.wait(ANSWERED)


def press(page: Page, key: str, code: int, modifiers: int = 0) -> None:
    for kind in ("rawKeyDown", "keyUp"):
        page.ask(
            "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers
        )


def text_of(page: Page, selector: str) -> str:
    return str(page.value(f"document.querySelector({json.dumps(selector)}).textContent"))


def quiet_and_at_home(page: Page, address: str) -> None:
    assert [problem for problem in page.problems if "/explain" not in problem] == []
    assert {one for one in page.fetched if not one.startswith(address)} == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "dark"), [(1200, False), (400, True)])
def test_each_kind_is_answered_for_a_person(
    kind: str, width: int, dark: bool, page: Page, address: str, predictors: dict[str, Predictor], tmp_path: Path
) -> None:
    pair = kind == "text-pair"
    ask(page, f"{address}/models/{kind}", *([TEXT, "soup"] if pair else [TEXT]), width=width, dark=dark)
    [answer] = predictors[kind].predict([(TEXT, "soup") if pair else TEXT])
    shown = text_of(page, "#answer")
    if "label" in answer:
        assert answer["label"] in text_of(page, ".verdict")
        assert f"{100 * answer['score']:.1f} %" in shown
    for label in answer.get("labels", ()):
        assert label in text_of(page, ".verdict")
    for label in answer.get("scores", ()):
        assert label in shown
    for span in answer.get("spans", ()):
        assert span["label"] in text_of(page, "#answer table")
    if "spans" in answer:
        # Places are counted in characters, of which an emoji is one.
        marked = page.value("[...document.querySelectorAll('#answer mark')].map((mark) => mark.firstChild.textContent)")
        assert marked == [span["text"] for span in answer["spans"]]
    if "value" in answer:
        assert float(text_of(page, ".verdict")) == pytest.approx(answer["value"], rel=1e-3)
    assert page.value("document.querySelectorAll('#answer b').length") == 0
    assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
    quiet_and_at_home(page, address)
    page.picture(tmp_path / f"{kind}-{width}.png")


def test_words_that_moved_the_answer_are_shown(page: Page, predictors: dict[str, Predictor], tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched, without_explanations():
        patched.setattr(app, "PLACES", (Words(), *app.PLACES))
        with hosting({"tiny": predictors["text-classification"]}) as address:
            ask(page, address, TEXT, width=400)
            page.wait("document.querySelector('#answer mark.word') !== null")
            whole = page.value("[...document.querySelectorAll('#answer .text')].pop().textContent")
            assert whole == TEXT
            first = page.value("document.querySelector('#answer mark.word').textContent")
            assert first == "🚀"
            assert page.value("document.querySelectorAll('#answer table tbody tr').length") == 6
            assert page.problems == []
            page.picture(tmp_path / "words.png")


def test_several_models_are_listed_with_the_way_to_each(page: Page, address: str) -> None:
    page.open(address, width=400)
    page.wait("!document.getElementById('models').hidden")
    links = page.value("[...document.querySelectorAll('#models a')].map((link) => link.getAttribute('href'))")
    assert links == [f"/models/{kind}" for kind in KINDS]
    assert page.problems == []


def test_what_is_refused_is_said(page: Page, predictors: dict[str, Predictor]) -> None:
    with hosting({"tiny": predictors["regression"]}, max_characters=10) as address:
        page.open(address)
        page.wait(SHOWN)
        page.ask("Input.insertText", text="x" * 11)
        press(page, "Enter", 13, modifiers=2)
        page.wait("document.querySelector('#answer .problem') !== null")
        assert "Row 0 has 11 characters; 10 are allowed." in text_of(page, "#answer .problem")


def test_scripts_run_from_our_files_alone(page: Page, address: str) -> None:
    page.open(f"{address}/models/regression")
    page.wait(SHOWN)
    page.ask(
        "Runtime.evaluate",
        expression="""
        const inline = document.createElement('script');
        inline.textContent = 'window.broken = 1';
        document.body.append(inline);
        document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.broken = 2">');
        """,
    )
    page.wait("document.images[0].complete")
    assert page.value("window.broken === undefined")
    assert any("Content Security Policy" in problem for problem in page.problems)


def test_the_docs_page_needs_nothing_from_elsewhere(page: Page, address: str, tmp_path: Path) -> None:
    page.open(f"{address}/docs", width=400, dark=True)
    assert page.value("document.querySelectorAll('section').length") > 20
    assert page.value("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.problems == []
    assert {one for one in page.fetched if not one.startswith(address)} == set()
    page.picture(tmp_path / "docs.png")

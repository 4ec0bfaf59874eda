"""Pages for people: one to try a model on, one that lists the interface; nothing of them comes from elsewhere.

What a browser may do with them, `access/headers.py` says: scripts and styles of our own files, and nothing else.
"""

import html
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

FOLDER = Path(__file__).with_name("web")
TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""What pages are made of, and nothing else, may be asked for."""


def wants_page(request: Request) -> bool:
    """Whether a browser asks. Programs say */*, or what they want."""
    return "text/html" in request.headers.get("accept", "").lower()


def page_of_a_model() -> Response:
    """The page on which a person types a text; which model it is of, its script asks at the same place."""
    return HTMLResponse(_content("index.html"))


def asset(name: str) -> Response | None:
    """A file that pages are made of; None: there is none of that name."""
    if name not in TYPES:
        return None
    # Asked for again after an update, and not taken for anything else.
    return Response(_content(name), media_type=TYPES[name], headers={"Cache-Control": "no-cache"})


def page_of_docs(document: Mapping[str, Any]) -> Response:
    """The OpenAPI document as a page that works without a script."""
    body = "".join(_docs(document))
    return HTMLResponse(_content("docs.html").replace(b"{{content}}", body.encode()))


@cache
def _content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _docs(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f"<h1>{_text(info['title'])} <small>version {_text(info['version'])}</small></h1>"
    yield f"<p>{_text(info['description'])}</p>"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(method, path, operation)
    yield "<h2>Errors</h2><table><thead><tr><th>Status</th><th>When</th></tr></thead><tbody>"
    for status, response in document["components"]["responses"].items():
        yield f"<tr><th scope=row>{status}</th><td>{_text(response['description'])}</td></tr>"
    yield "</tbody></table><h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="{_text(name)}"><summary><code>{_text(name)}</code></summary>{_json(schema)}</details>'


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<section><h2><span class=method>{method.upper()}</span> <code>{_text(path)}</code></h2>"
    yield f"<p>{_text(operation['summary'])}</p>"
    for kind, asked in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<h3>Asked, {_text(kind)}</h3>{_json(asked['example'])}"
        yield f"<details><summary>Schema</summary>{_json(asked['schema'])}</details>"
    for kind, answered in operation["responses"]["200"]["content"].items():
        yield f"<details><summary>Answered, {_text(kind)}</summary>{_json(answered['schema'])}</details>"
    refused = ", ".join(status for status in operation["responses"] if status != "200")
    yield f"<p class=quiet>Errors: {refused}.</p></section>"


def _json(content: Any) -> str:
    shown = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)
    return f"<pre tabindex=0><code>{_text(shown)}</code></pre>"


def _text(words: Any) -> str:
    return html.escape(str(words))

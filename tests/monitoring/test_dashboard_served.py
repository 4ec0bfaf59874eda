"""The dashboard over HTTP: two addresses, read only, for this machine; and the page as text."""

import html
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from dashboard_data import BEGIN, NOW, material, row, table

from perennial.core.errors import ServingError, StoreError
from perennial.monitoring.dashboard import served
from perennial.monitoring.dashboard.figures import DashboardFigures
from perennial.monitoring.dashboard.gathering import dashboard_figures
from perennial.monitoring.dashboard.page import dashboard_page

WILD = "</script><script>alert(1)</script> \u2028 & <!--"


def made(text: str = "shares fall") -> DashboardFigures:
    bare = material(tables=[table([row(0, BEGIN, text=text)])], alarms=(), health=(), promotions=())
    return dashboard_figures(bare, NOW)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Asking:
    """A client of a running server."""

    port: int

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)


@contextmanager
def running(figures: served.FreshFigures, *, only_local: bool = True) -> Iterator[Asking]:
    with served.listening("127.0.0.1", 0, insecure=False) as bound:
        server = served.dashboard_server(served.dashboard_app(figures, only_local=only_local))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield Asking(bound.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def client() -> Iterator[Asking]:
    with running(served.FreshFigures(made)) as asking:
        yield asking


def test_the_page_and_its_figures_are_served_with_security_headers(client: Asking) -> None:
    page = client.ask()
    assert page.status == 200
    assert page.headers["content-type"].startswith("text/html")
    assert b"shares fall" in page.body
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    data = client.ask("/figures.json")
    assert DashboardFigures.model_validate_json(data.body) == made()
    for answer in (page, data):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
    again = client.ask("/figures.json", **{"If-None-Match": data.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/page.js", "/../pyproject.toml", "/%2e%2e/etc/passwd", "//", "/figures.json/", "/docs"]
)
def test_there_is_nothing_else(client: Asking, path: str) -> None:
    answer = client.ask(path)
    assert answer.status in {307, 404}
    assert b"passwd" not in answer.body
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(client: Asking, method: str) -> None:
    assert client.ask("/", method).status == 405
    assert client.ask("/figures.json", method).status == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "10.0.0.1", "", "[::2]:80"])
def test_names_of_elsewhere_are_refused(client: Asking, host: str) -> None:
    answer = client.ask("/figures.json", Host=host)
    assert answer.status in {400, 421}
    assert b"shares" not in answer.body


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "127.9.9.9:80", "[::1]:80", "LOCALHOST"])
def test_names_of_this_machine_are_answered(client: Asking, host: str) -> None:
    assert client.ask("/figures.json", Host=host).status == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104
def test_other_addresses_are_refused_unless_told(host: str) -> None:
    with pytest.raises(ServingError, match="other machines could reach"), served.listening(host, 0, insecure=False):
        pass


def test_an_address_that_is_taken_is_said() -> None:
    with served.listening("127.0.0.1", 0, insecure=False) as bound:
        port = bound.getsockname()[1]
        refused = pytest.raises(ServingError, match=f"can't listen on 127.0.0.1:{port}")
        with refused, served.listening("127.0.0.1", port, insecure=False):
            pass


def test_insecure_lets_any_name_ask() -> None:
    with running(served.FreshFigures(made), only_local=False) as client:
        assert client.ask("/figures.json", Host="news.example").status == 200


def test_figures_are_made_again_only_when_they_are_old() -> None:
    times = []

    def counted() -> DashboardFigures:
        times.append(1)
        return made()

    lasting, fleeting = served.FreshFigures(counted, seconds=1000), served.FreshFigures(counted, seconds=0)
    assert lasting.newest() is lasting.newest()
    assert len(times) == 1
    fleeting.newest()
    fleeting.newest()
    assert len(times) == 3


def test_texts_that_cannot_be_read_are_said_in_a_sentence() -> None:
    def broken() -> DashboardFigures:
        raise StoreError("A part is damaged.", remedy="Bring it back from a backup.")

    with running(served.FreshFigures(broken)) as client:
        answer = client.ask("/figures.json")
        assert answer.status == 503
        assert json.loads(answer.body) == {"error": "A part is damaged.", "remedy": "Bring it back from a backup."}


def test_what_texts_say_never_ends_the_script_that_holds_them() -> None:
    page = dashboard_page(made(WILD))
    held = page.partition('id="figures">')[2].partition("</script>")[0]
    assert not set("<>&\u2028") & set(held)
    assert DashboardFigures.model_validate_json(held) == made(WILD)


def test_a_written_page_may_fetch_nothing() -> None:
    head = html.unescape(dashboard_page(made()).partition("<style>")[0])
    assert "default-src 'none'" in head
    assert "connect-src" not in head
    assert "http" not in head.replace("http-equiv", "")

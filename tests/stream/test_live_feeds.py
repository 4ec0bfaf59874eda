"""RSS and Atom: files and a real HTTP server on the loopback, well behaved and not."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from live_sources import LiveStream, live_spec
from pydantic import ValidationError

from perennial.core.errors import SourceError, UnreachableError
from perennial.stream.sources.feeds.html_text import text_of_html

RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>The &amp; Wire</title>{}</channel></rss>'
ITEM = (
    "<item><title>text {0}</title><guid>https://wire.example/{0}</guid>"
    "<pubDate>Thu, 01 Jan 2026 10:00:00 +0100</pubDate></item>"
)
ATOM = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Atom News</title>
<entry><title type="html">Profit &lt;b&gt;up&lt;/b&gt; at M&amp;amp;S</title><id>urn:uuid:1</id>
<updated>2026-01-01T10:00:00Z</updated><published>2026-01-01T09:00:00Z</published><author><name>Ann</name></author>
<category term="retail"/><link href="https://atom.example/1"/>
<summary type="html">&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two&lt;script&gt;x()&lt;/script&gt;&lt;/p&gt;</summary></entry>
<entry><title>Kept as it is: 3 &lt; 4</title><id>urn:uuid:2</id>
<updated>2026-01-01T10:00:00Z</updated></entry></feed>"""


def rss(*numbers: int) -> str:
    return RSS.format("".join(map(ITEM.format, numbers)))


class Server:
    """Answers each path by what a test says of it, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.address = ""

    def serve(self, path: str, body: str | bytes, status: int = 200, **headers: str) -> str:
        """The address at which this is answered from now on; 304 where the ETag is still the same."""
        content = body.encode() if isinstance(body, str) else body

        def answer(handler: BaseHTTPRequestHandler) -> None:
            etag = headers.get("ETag")
            known = etag is not None and handler.headers.get("If-None-Match") == etag
            handler.send_response(304 if known else status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in headers:
                handler.send_header("Content-Length", str(0 if known else len(content)))
            handler.end_headers()
            if not known:
                handler.wfile.write(content)

        self.answers[path] = answer
        return self.address + path


@pytest.fixture
def server() -> Iterator[Server]:
    mine = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mine.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            with suppress(OSError):
                mine.answers[self.path.partition("?")[0]](self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads, http.block_on_close = True, False
        mine.address = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield mine
        http.shutdown()
        thread.join()


def feed(*addresses: str, **more: object) -> dict:
    return {"type": "feed", "feeds": list(addresses), **more}


def test_atom_and_rss_files_are_texts_without_markup(tmp_path) -> None:
    stream = LiveStream(tmp_path, feed("feeds/*.xml"), {"kept": ["link", "author", "category", "feed"]})
    stream.write("feeds/a.xml", ATOM)
    stream.write("feeds/b.xml", rss(1, 2))
    assert stream.read() == ["Kept as it is: 3 < 4", "Profit up at M&S", "text 2", "text 1"]
    first = stream.stored["urn:uuid:1"]
    assert first.time == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert first.source == "Atom News"
    assert dict(first.kept) == {
        "link": "https://atom.example/1", "author": "Ann", "category": "retail", "feed": "Atom News"
    }  # fmt: skip
    wire = stream.stored["https://wire.example/1"]
    assert (wire.time, wire.source) == (datetime(2026, 1, 1, 9, tzinfo=UTC), "The & Wire")
    assert not stream.left_out


@pytest.mark.parametrize(
    ("text", "read"),
    [("summary", "One. Two"), ("title_and_summary", "Profit up at M&S. One. Two")],
)
def test_the_summary_can_be_the_text(tmp_path, text: str, read: str) -> None:
    stream = LiveStream(tmp_path, feed("a.xml", text=text))
    stream.write("a.xml", ATOM)
    assert read in stream.read()


def test_a_feed_is_asked_only_for_what_has_changed(tmp_path, server) -> None:
    address = server.serve("/feed", rss(1, 2), ETag='"one"', Last_Modified="Thu, 01 Jan 2026 10:00:00 GMT")
    stream = LiveStream(tmp_path, feed(address))
    assert stream.read() == ["text 2", "text 1"]
    assert "if-none-match" not in server.asked[0][1]
    position = stream.position
    assert stream.read() == []
    assert server.asked[1][1]["if-none-match"] == '"one"'
    assert server.asked[1][1]["if-modified-since"].startswith("Thu, 01 Jan 2026")
    assert stream.position == position
    server.serve("/feed", gzip.compress(rss(2, 3).encode()), ETag='"two"', Content_Encoding="gzip")
    assert stream.read() == ["text 3"]


def test_a_feed_is_asked_again_for_what_was_not_stored(tmp_path, server) -> None:
    stream = LiveStream(tmp_path, feed(server.serve("/feed", rss(1), ETag='"one"')))
    list(stream.open().batches())
    assert stream.read() == ["text 1"]


def test_feeds_that_fail_are_told_and_the_others_go_on(tmp_path, server) -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(2)

    def dripping(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)

    server.answers |= {"/slow": slow, "/drip": dripping}
    bad = {
        server.serve("/gone", "", 404): "answers with status 404",
        server.serve("/busy", "", 503): "answers with status 503",
        server.serve("/page", "<html><body>Hello</body></html>"): "is no RSS or Atom",
        server.serve("/empty", ""): "is no RSS or Atom",
        server.serve("/large", rss(*range(20_000))): "has more than 1 MiB",
        server.serve("/bomb", gzip.compress(b" " * 5_000_000), Content_Encoding="gzip"): "has more than 1 MiB",
        server.serve("/cut", rss(1), Content_Length="9999"): "ended in the middle",
        server.address + "/slow": "does not answer within 1.5 seconds",
        server.address + "/drip": "does not answer within 1.5 seconds",
        "http://127.0.0.1:1/": "does not answer: Connection refused",
        "missing.xml": "There is no file",
        server.serve("/file", "", 302, Location="file:///etc/passwd"): "answers with status 302",
    }
    good = server.serve("/good?token=verysecret".partition("?")[0], rss(7)) + "?token=verysecret"
    stream = LiveStream(tmp_path, feed(*bad, good, timeout_seconds=1.5, most_mib=1))
    assert stream.read() == ["text 7"]
    for words in bad.values():
        assert any(words in sentence for sentence in stream.left_out), words
    assert sum(stream.left_out.values()) == len(bad)
    assert "verysecret" not in stream.position + "".join(stream.left_out)


def test_when_every_feed_fails_the_reading_does(tmp_path, server) -> None:
    address = server.serve("/feed", rss(1))
    stream = LiveStream(tmp_path, feed(address, "http://127.0.0.1:1/"))
    assert stream.read() == ["text 1"]
    server.serve("/feed", "", 500)
    with pytest.raises(UnreachableError, match="None of the feeds"):
        stream.read()
    server.serve("/feed", rss(1, 2))
    assert stream.read() == ["text 2"]


def test_a_malformed_feed_is_read_as_far_as_it_goes_and_again(tmp_path) -> None:
    stream = LiveStream(tmp_path, feed("a.xml"))
    stream.write("a.xml", rss(1, 2)[:-60])
    assert set(stream.read()) <= {"text 1", "text 2"}
    assert "feeds that are not well-formed: read as far as they go" in stream.left_out
    stream.write("a.xml", rss(1, 2))
    stream.read()
    assert {text.text for text in stream.stored.values()} == {"text 1", "text 2"}


@pytest.mark.parametrize(
    "body",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        + RSS[21:].format("<item><title>a&x;</title></item>"),
        "/etc/hostname",
        "http://127.0.0.1:1/",
    ],
)
def test_what_a_feed_says_opens_no_file_and_no_address(tmp_path, body: str) -> None:
    stream = LiveStream(tmp_path, feed("a.xml"))
    stream.write("a.xml", body)
    with suppress(SourceError):
        stream.read()
    assert {text.text for text in stream.stored.values()} <= {"a", "a&x;"}


def test_ids_of_a_feed_are_its_own_unless_they_are_addresses(tmp_path) -> None:
    items = "".join(f"<item><title>text {n}</title><guid isPermaLink='false'>{n}</guid></item>" for n in (1, 2))
    stream = LiveStream(tmp_path, feed("a.xml", "b.xml"))
    stream.write("a.xml", RSS.format(items + ITEM.format(9) + "<item><title>no id</title></item>"))
    stream.write("b.xml", RSS.format(items + ITEM.format(9)))
    assert sorted(stream.read()) == ["no id", "text 1", "text 1", "text 2", "text 2", "text 9"]
    assert stream.left_out["rows without an id: they are known by time, source and text"] == 1
    assert stream.read() == []
    assert "a.xml" not in json.dumps(stream.position)


def test_an_address_is_of_the_web() -> None:
    with pytest.raises(ValidationError, match="http"):
        live_spec(None, feed("file:///etc/passwd"))  # type: ignore[arg-type]  (refused before the folder counts)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b<p>c</p>d", "a b c d"),
        ("<b>bo</b>ld &amp; &eacute;&#39;&nbsp;x", "bold & é' x"),
        ("1 < 2 & 3 > 2", "1 < 2 & 3 > 2"),
        ("<style>p{}</style><script>if (a<b) x()</script>seen<!-- not -->", "seen"),
        ("<a href='x'>open <i>tags", "open tags"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    assert text_of_html(html) == text

"""Real channels of the tests' own: a webhook over HTTP and a mail server, which keep what they are sent."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """What a webhook was sent, and how it answers."""

    port: int
    status: int = 200
    seconds: float = 0
    """How long an answer takes."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    """Messages that it took."""
    refused: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.sent]

    @property
    def url(self) -> str:
        """For Apprise, with a secret in it."""
        return f"json://ann:hunter2@127.0.0.1:{self.port}/hunter2"


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A webhook that listens on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            hook.ended.wait(hook.seconds)
            if hook.status == 200:
                hook.sent.append(message)
            else:
                hook.refused += 1
            self.send_response(hook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            """Nothing: tests are silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Webhook(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield hook
        finally:
            hook.ended.set()
            server.shutdown()
            thread.join()


@dataclass
class Mailbox:
    """The mails that a server took, as (subject, text)."""

    port: int
    mails: list[tuple[str, str]] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    """Their HTML."""


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server of the simplest kind that listens on this machine (RFC 5321, section 4.5.1)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline().decode().strip().upper():
                if line.startswith("DATA"):
                    self.say("354 go on")
                    box.mails.append(self.mail())
                self.say("221 bye" if line == "QUIT" else "250 ok")

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def mail(self) -> tuple[str, str]:
            lines = iter(self.rfile.readline, b".\r\n")
            read = message_from_string("".join(line.decode() for line in lines), policy=policy.default)
            body, page = read.get_body(("plain", "html")), read.get_body(("html",))
            box.pages.append(page.get_content() if page else "")
            return str(read["subject"]), body.get_content() if body else ""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        box = Mailbox(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield box
        finally:
            server.shutdown()
            thread.join()

"""A real browser without a screen: Chromium, spoken to by its DevTools protocol."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--hide-scrollbars", "--remote-debugging-port=0",
    "about:blank",
)  # fmt: skip
MISSING = (
    "Chromium is not installed, so reports can't be looked at. Install it (Debian, Ubuntu: `apt-get install chromium`; "
    "elsewhere Google Chrome will do) and run the tests again."
)
PATIENCE = 60


class Page:
    """A tab, and all that it said and fetched since it was opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.number = 0
        self.problems: list[str] = []
        """Exceptions, errors and warnings of the console, and what the browser itself complained about."""
        self.fetched: list[str] = []
        """Addresses, but for those that are their own content."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """The answer to one command of the protocol."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self.socket.recv(PATIENCE))
            if said.get("id") == self.number:
                assert "error" not in said, (method, said)
                return said["result"]
            self._hear(said)

    def open(self, address: str, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Load `address` in a window of this size, and wait until its scripts have run."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", features=scheme)
        self.resize(width, height)
        self.problems.clear()
        self.fetched.clear()
        self.ask("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def resize(self, width: int, height: int = 900) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def value(self, script: str) -> Any:
        """What an expression comes to, as JSON has it; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Until `script` is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.value(script):
            assert time.monotonic() < deadline, script
            time.sleep(0.02)

    def picture(self, file: Path) -> Path:
        """The whole page, as PNG."""
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(answer["data"]))
        return file

    def paper(self) -> bytes:
        """The page as it is printed, as PDF."""
        return base64.b64decode(
            self.ask("Page.printToPDF", printBackground=False, paperWidth=8.27, paperHeight=11.7)["data"]
        )

    def _hear(self, said: dict[str, Any]) -> None:
        given = said.get("params", {})
        match said.get("method"):
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(given["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if given["type"] in {"error", "warning", "assert"}:
                self.problems.append(json.dumps(given["args"]))
            case "Log.entryAdded":
                self.problems.append(json.dumps(given["entry"]))
            case "Network.requestWillBeSent" if not given["request"]["url"].startswith(("data:", "blob:")):
                self.fetched.append(given["request"]["url"])


@contextmanager
def page(folder: Path) -> Iterator[Page]:
    """A tab of a browser of its own, whose profile is in `folder`."""
    browser = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert browser is not None, MISSING
    profile = folder / "chromium"
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen([browser, f"--user-data-dir={profile}", *FLAGS], stdout=log, stderr=log)
    try:
        with connect(_tab(profile, process, folder / "chromium.log"), max_size=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        shutil.rmtree(profile, ignore_errors=True)


def _tab(profile: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """The address of the browser's first tab."""
    from urllib.request import urlopen

    port = profile / "DevToolsActivePort"
    deadline = time.monotonic() + PATIENCE
    while not (port.is_file() and port.read_text().count("\n")):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    with urlopen(f"http://127.0.0.1:{port.read_text().split()[0]}/json") as answer:
        tabs = [target for target in json.load(answer) if target["type"] == "page"]
    return str(tabs[0]["webSocketDebuggerUrl"])

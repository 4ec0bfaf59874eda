"""What `perennial report` does and answers."""

import os
import shutil
import sys
import webbrowser
from pathlib import Path
from typing import Any

from perennial.core import progress
from perennial.core.errors import StoreError
from perennial.core.home import Home
from perennial.promotion import reports
from perennial.promotion.reports import LocalReport


def fetch_report(run: str, version: str | None, out: Path | None) -> LocalReport:
    """The report, copied to `out` if that is given."""
    with progress.step("report"):
        page = reports.find_report(Home.from_environment(), run, version)
        if out is None:
            return page
        try:
            shutil.copyfile(page.path, out)
        except OSError as error:
            raise StoreError(
                f"The report could not be written to {out}: {error.strerror}.", remedy="Name another file with --out."
            ) from error
        return page.model_copy(update={"path": out.resolve()})


def report_as_json(page: LocalReport) -> dict[str, Any]:
    """Where the report is, as one JSON-ready object."""
    return {"status": "done", **page.model_dump(mode="json")}


def open_page(path: Path) -> bool:
    """Show the page in this machine's browser; False: there is no display, or no browser."""
    return open_address(path.as_uri())


def open_address(address: str) -> bool:
    """The same of a page that is served, or a file's address."""
    has_display = sys.platform in {"darwin", "win32"} or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    return has_display and webbrowser.open(address)

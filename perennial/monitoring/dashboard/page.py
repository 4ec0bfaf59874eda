"""The page: one HTML file that fetches nothing, or, served, newer figures from where it came from."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from perennial.evaluation.report.page import PLOTLY, TEMPLATE
from perennial.monitoring.dashboard.figures import DashboardFigures

OWN_TEMPLATE = resources.files(__package__) / "template"
# In JSON these stand in strings alone, and so may be written otherwise; in HTML they could end the script.
ESCAPES = {ord(one): f"\\u{ord(one):04x}" for one in "<>&\u2028\u2029"}


def dashboard_page(figures: DashboardFigures, refresh_seconds: int | None = None) -> str:
    """The HTML of the dashboard. `refresh_seconds`: how often it asks `figures.json` beside it for newer figures;
    None: never, as it is a file.

    Figures are in it as JSON, and its script puts them into the page as text: nothing that a text, a label or a name
    says becomes markup. The content security policy lets only our script and Plotly run, by their hashes.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_own("page.html.j2")).render(
        pipeline=figures.pipeline,
        policy=policy_of_a_page(asks=refresh_seconds is not None),
        style=(TEMPLATE / "page.css").read_text(encoding="utf-8") + _own("page.css"),
        refresh=refresh_seconds,
        figures=_json(figures),
        plotly=_plotly(),
        script=_own("page.js"),
    )


def policy_of_a_page(*, asks: bool) -> str:
    """What a browser may do with the page: run its two scripts, and, if it `asks`, fetch from its own place."""
    allowed = " ".join(f"'sha256-{_hash(script)}'" for script in (_plotly(), _own("page.js")))
    connect = "; connect-src 'self'" if asks else ""
    # Plotly writes styles into its elements.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:{connect}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _json(figures: DashboardFigures) -> str:
    return figures.model_dump_json().translate(ESCAPES)


@cache
def _own(name: str) -> str:
    return (OWN_TEMPLATE / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    # read_text makes any end of line one \n, as browsers do before they take the hash.
    return (resources.files("plotly") / PLOTLY).read_text(encoding="utf-8")

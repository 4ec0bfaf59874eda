"""The page itself: a pure function from what a run found to one HTML file that fetches nothing."""

from importlib import resources

from perennial.evaluation.report import heading, sections
from perennial.evaluation.report.material import Material

TEMPLATE = resources.files(__package__) / "template"
PLOTLY = "package_data/plotly.min.js"


def render_page(material: Material) -> str:
    """The HTML of the report. Everything that a user named or wrote (labels, texts, reasons) is escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    template = environment.from_string(_read("page.html.j2"))
    return template.render(
        head=heading.heading_of(material),
        sections=sections.all_of(material),
        style=_read("page.css"),
        script=_read("page.js"),
        plotly=(resources.files("plotly") / PLOTLY).read_text(encoding="utf-8"),
    )


def _read(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")

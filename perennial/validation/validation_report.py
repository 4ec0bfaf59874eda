"""The validation report: validation.json and Great Expectations' Data Docs, readable with no network, without texts."""

import html
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from perennial.records.data import AnnotatorAgreement, SourceReading, ValidatedData
from perennial.validation.failure import merged, reasons
from perennial.validation.findings import PartSummary, ValidationFinding

JSON = "validation.json"
INDEX = "index.html"
MAX_PAGES = 50
"""Parts with a page of their own, the newest; validation.json counts all."""

# Data Docs load Bootstrap, jQuery and icons from other sites' servers; this stands in for what the pages use of them.
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; width: 100% } th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem }
th, td { text-align: left; vertical-align: top } .alert { background: #eef1f4; padding: .5rem 1rem; margin-top: 1rem }
.fa-check-circle::before { content: "✔" } .fa-times::before { content: "✘" }
.fa-exclamation-triangle::before { content: "⚠" } .text-success { color: #1a7f37 } .text-danger { color: #b42318 }
.card, [data-toggle=collapse], .popover { display: none } .card.card-body { display: block }
ol, ul { list-style: none; padding: 0 } .badge { font-weight: bold }
"""
_NOT_LOCAL = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>|<style\b.*?</style>", re.DOTALL
)
_FIGURES = f'<p>Figures: <a href="{JSON}">{JSON}</a></p>'
_ELSEWHERE = re.compile(r"href=\"(?!#)([^\"]*)\"")


def offline(page: str) -> str:
    """A page of Data Docs without what it would fetch from other sites or can't do without it."""
    page = _NOT_LOCAL.sub("", page)
    page = _ELSEWHERE.sub(lambda link: f'href="{INDEX}"' if link[1].endswith(INDEX) else "", page)
    return page.replace("</head>", f"<style>{_STYLE}</style></head>", 1)


def write_validation_report(
    folder: Path,
    data: ValidatedData,
    parts: Sequence[PartSummary],
    across: Sequence[ValidationFinding],
    pages: Sequence[Path],
    page_across: str,
    versions: dict[str, str],
) -> None:
    """Write the report into `folder`. `pages`: each part's own page; `page_across`: that of all parts together."""
    folder.mkdir()
    figures = _figures(data, parts, across) | {"versions": versions}
    (folder / JSON).write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "all-parts.html").write_text(page_across, encoding="utf-8")
    shown = list(zip(parts, pages, strict=True))[-MAX_PAGES:]
    rows = [("all-parts.html", "all parts together", data.quarantined, _broken(across))]
    for number, (part, page) in enumerate(shown, len(parts) - len(shown) + 1):
        name = f"part-{number:04}.html"
        shutil.copyfile(page, folder / name)
        rows.append((name, f"part {number}", part.checked.quarantined, _broken(part.findings)))
    (folder / INDEX).write_text(_index(rows, len(parts) - len(shown)), encoding="utf-8")


def add_readings(folder: Path, readings: Sequence[SourceReading]) -> None:
    """Put what became of annotation tools' exports into the report in `folder`."""
    figures = json.loads((folder / JSON).read_text(encoding="utf-8"))
    figures |= {"exports": [reading.model_dump(mode="json") for reading in readings]}
    (folder / JSON).write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = (folder / INDEX).read_text(encoding="utf-8")
    (folder / INDEX).write_text(page.replace(_FIGURES, "".join(map(_reading, readings)) + _FIGURES), encoding="utf-8")


def _figures(
    data: ValidatedData, parts: Sequence[PartSummary], across: Sequence[ValidationFinding]
) -> dict[str, object]:
    findings = [*merged(parts), *across]
    return {
        "success": not any(finding.severity == "critical" and not finding.success for finding in findings),
        "data_digest": data.digest,
        "parts": len(parts),
        "rows": data.rows,
        "label_rows": data.label_rows,
        "quarantined": data.quarantined,
        "quarantined_by_reason": {finding.fault: finding.unexpected for finding in reasons(parts)},
        "warnings": list(data.warnings),
        "expectations": [finding.model_dump(mode="json") for finding in findings],
    }


def _broken(findings: Sequence[ValidationFinding]) -> str:
    broken = [f"{finding.severity}: {finding.fault}" for finding in findings if not finding.success]
    return "; ".join(broken) or "all expectations are met"


def _reading(reading: SourceReading) -> str:
    """What became of an annotation tool's exports, and how far people agree."""
    counts = {**reading.left_out, **reading.changed}
    rows = [f"<tr><td>{html.escape(reason)}</td><td>{count:,}</td></tr>" for reason, count in counts.items()]
    table = f"<table><tr><th>What</th><th>How many</th></tr>{''.join(rows)}</table>" if rows else ""
    agreed = f"<p>{html.escape(agreement_in_words(reading.agreement))}</p>" if reading.agreement else ""
    return f"<h2>Exports of {html.escape(reading.tool)}</h2>{agreed}{table}"


def agreement_in_words(agreement: AnnotatorAgreement) -> str:
    """How far people agree, in a sentence or two."""
    said = (
        f"{agreement.texts:,} texts were labelled by more than one of {agreement.annotators:,} people; of "
        f"{agreement.differing:,} they said different things, and {agreement.undecided:,} are set aside for review."
    )
    if agreement.alpha is None:
        return f"{said} How far they agree beyond chance can't be told: all gave one and the same answer."
    return (
        f"{said} Krippendorff's alpha of {agreement.judged} is {agreement.alpha:.3f} (95% interval {agreement.low:.3f} "
        f"to {agreement.high:.3f})."
    )


def _index(rows: Sequence[tuple[str, str, int, str]], left_out: int) -> str:
    lines = [
        f'<tr><td><a href="{page}">{title}</a></td><td>{quarantined:,}</td><td>{html.escape(words)}</td></tr>'
        for page, title, quarantined, words in rows
    ]
    older = f"<p>{left_out:,} older parts have no page here; {JSON} counts them.</p>" if left_out else ""
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8"><title>Data validation</title>'
        f"<style>{_STYLE}</style></head><body><h1>Data validation</h1>"
        f"<table><tr><th>Great Expectations' results</th><th>Rows quarantined</th><th>What was found</th></tr>"
        f"{''.join(lines)}</table>{older}{_FIGURES}</body></html>\n"
    )

"""The tables of a report that name rows: each row of such a table that names a forgotten one is blanked."""

import html
import re

from perennial.ingest.forgotten import Sieve

_TABLE = re.compile(r"<table\b.*?</table>", re.DOTALL)
_NAMES_ROWS = '<th scope="col">row id</th>'
_ROW = re.compile(r'<tr>\s*<th scope="row">(?P<name>.*?)</th>.*?</tr>', re.DOTALL)
_CELL = re.compile(r"(<td\b[^>]*>).*?(</td>)", re.DOTALL)
_TAGS = re.compile(r"<[^>]*>")


def without_rows(page: str, sieve: Sieve) -> tuple[str, int]:
    """The page without the ids and texts of forgotten rows, and how many it named."""
    hits = 0

    def row(match: re.Match[str]) -> str:
        nonlocal hits
        name = sieve.id_pseudonym(html.unescape(_TAGS.sub("", match["name"])).strip())
        if name is None:
            return match[0]
        hits += 1
        return _CELL.sub(r"\1—\2", match[0].replace(f">{match['name']}</th>", f">{name}</th>", 1))

    def table(match: re.Match[str]) -> str:
        return _ROW.sub(row, match[0]) if _NAMES_ROWS in match[0] else match[0]

    return _TABLE.sub(table, page), hits

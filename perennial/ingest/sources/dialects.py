"""How a CSV or TSV is written: delimiter, quotes, where the header is; as settings say it, or as the file shows it."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from perennial.core import progress
from perennial.ingest.sources.base import MAX_LINE_BYTES
from perennial.ingest.sources.headers import column_names, lacks_header
from perennial.rows import column_profile

if TYPE_CHECKING:
    from _csv import Reader

CANDIDATES = (",", ";", "\t", "|")
LINES = 200
CHARACTERS = 200_000
CONSISTENT = 0.9
"""Share of the records that must have as many cells as most."""
NARROW = 5
"""So far down a title may go on behind a line that is none."""
TITLE_LINES = 20
"""Lines above a header, at most."""
_SEP = re.compile(r'"?sep=(.)"?\s*\r?\n?$', re.I)


@dataclass(frozen=True)
class Dialect:
    """How to read a table of text lines."""

    delimiter: str | None = None
    """None: a comma, or what the file shows where its header has not the columns that are wanted then."""
    escape: str | None = None
    quoted: bool = True
    skip_lines: int = 0
    header: bool = True
    blank_rows: bool = False
    """Whether a line without a cell is a row without a value, rather than nothing."""

    def records(self, lines: Iterable[str], *, strict: bool = True) -> Reader:
        """The cells of each record of `lines`, all of which are read."""
        # The limit is the csv module's own and there is one for the whole process: only ever raise it.
        csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        if self.escape:
            lines = (self._without_nulls(line) for line in lines)
        return csv.reader(
            lines, delimiter=self.delimiter or ",", quoting=quoting, escapechar=self.escape, strict=strict
        )

    def _without_nulls(self, line: str) -> str:
        if "\\N" not in line or self.escape != "\\":
            return line
        mark = re.escape(self.delimiter or ",")
        return re.sub(rf"(^|(?<={mark}))\\N(?={mark}|\r?\n?$)", "", line)


def head_of(lines: Iterator[str]) -> list[str]:
    """The first lines, by which a file is judged; they are taken out of `lines`."""
    head: list[str] = []
    size = 0
    for line in itertools.islice(lines, LINES):
        head.append(line)
        size += len(line)
        if size > CHARACTERS:
            break
    return head


def with_excels_line(head: Sequence[str], dialect: Dialect) -> Dialect:
    """`dialect` for the file that begins with `head`: where that is Excel's line `sep=;`, it is passed over and says
    what stands between cells, unless `dialect` does."""
    mark = _excel_delimiter(head) if dialect.skip_lines == 0 else None
    return replace(dialect, delimiter=dialect.delimiter or mark, skip_lines=1) if mark else dialect


def as_shown(head: Sequence[str], dialect: Dialect, wanted: Sequence[str] | None, name: str) -> Dialect:
    """`dialect`, which leaves open what stands between cells, as the file shows it: a comma, if the header then has all
    columns `wanted` or never has, else what `sniff` says, and that is told."""
    if wanted is not None and set(wanted) <= set(names_in(head, dialect)):
        return dialect
    shown = replace(sniff(head), blank_rows=dialect.blank_rows)
    if wanted is None:
        return shown
    if not set(wanted) <= set(names_in(head, shown)):
        return dialect
    progress.note(f"{name} is read with {in_words(shown)}, as it shows; data.source can say so.")
    return shown


def names_in(head: Sequence[str], dialect: Dialect) -> list[str]:
    """The columns' names, as a file that begins with `head` has them; none if it can't be read so."""
    first: list[str] = []
    with suppress(csv.Error):
        records = dialect.records(itertools.islice(head, dialect.skip_lines, None), strict=False)
        first = next((cells for cells in records if cells), [])
    return without_closing_blanks(first) if dialect.header else column_names(len(first))


def without_closing_blanks(cells: Sequence[str], width: int = 1) -> list[str]:
    """`cells` without blank ones at the end, as tables that were wider once have them; but `width` of them at least."""
    end = len(cells)
    while end > width and not cells[end - 1].strip():
        end -= 1
    return list(cells[:end])


def sniff(head: Sequence[str], delimiter: str | None = None) -> Dialect:
    """How a file that begins with `head` is written, by which most of its records have the same width.

    `delimiter`: what stands between cells, where that is known. What has a header further up wins, then what is wider;
    of equals the commonest way of writing.
    """
    if mark := _excel_delimiter(head):
        return Dialect(delimiter=delimiter or mark)
    marks = CANDIDATES if delimiter is None else (delimiter,)
    fits = [_fit(head, Dialect(mark)) for mark in marks]
    if max(fit.width for fit in fits) == 1:
        fits += [_fit(head, Dialect(mark, escape="\\")) for mark in marks]
        fits += [_fit(head, Dialect(mark, quoted=False)) for mark in marks]
    return max(fits, key=lambda fit: fit.rank).dialect


def proven(lines: Callable[[], Iterator[str]], dialect: Dialect) -> Dialect:
    """`dialect`, its quotes read otherwise if only so every record of the whole file is as wide as the header.

    `lines`: those of the file, from its beginning each time.
    """
    plain = replace(dialect, escape=None, quoted=True)
    verdict = _verdict(lines, plain)
    if verdict.sound and not verdict.across_lines:
        return plain
    # Where the header is depends on where cells end.
    head = head_of(lines())
    escaped, unquoted = (_fit(head, replace(plain, **other)).dialect for other in ({"escape": "\\"}, {"quoted": False}))
    if not verdict.sound and _verdict(lines, escaped).sound:
        return escaped
    by_lines = _verdict(lines, unquoted)
    return unquoted if by_lines.sound and by_lines.width > 1 and by_lines.loose > by_lines.enclosed else plain


def in_words(dialect: Dialect) -> str:
    """What is uncommon about `dialect`, in words."""
    marks = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
    words = [f"{marks.get(dialect.delimiter or ',', repr(dialect.delimiter))} between cells"]
    if dialect.skip_lines:
        words.append(f"{dialect.skip_lines:,} line{'s' * (dialect.skip_lines > 1)} above the header passed over")
    if not dialect.header:
        words.append("no header")
    if dialect.escape:
        words.append("backslashes before quotes")
    if not dialect.quoted:
        words.append("quotes as characters like any other")
    return ", ".join(words)


@dataclass(frozen=True)
class _Fit:
    """How well a dialect fits the beginning of a file."""

    dialect: Dialect
    width: int
    """Cells of most records; 1 if they do not agree."""
    whole: bool = True
    """Whether the header has as many."""

    @property
    def rank(self) -> tuple[bool, bool, int, int, bool]:
        """What fits better comes later. What seems to be a title by one delimiter may be the header by another."""
        return self.width > 1, self.whole, -self.dialect.skip_lines, self.width, self.dialect.header


@dataclass
class _Verdict:
    """How a whole file reads in a dialect."""

    sound: bool = True
    """Whether every record is as wide as the header, and no quoting is broken."""
    width: int = 0
    across_lines: bool = False
    """Whether a record goes over several lines."""
    enclosed: int = 0
    """Cells that begin and end with a quote, as they are read."""
    loose: int = 0
    """Cells that begin or end with a quote and don't do both."""


def _excel_delimiter(head: Sequence[str]) -> str | None:
    match = _SEP.match(head[0]) if head else None
    return match.group(1) if match else None


def _fit(head: Sequence[str], dialect: Dialect) -> _Fit:
    records: list[tuple[int, list[str]]] = []
    reader = dialect.records(head, strict=False)
    line = 0
    with suppress(csv.Error):
        for cells in reader:
            if cells:
                records.append((line, cells))
            line = reader.line_num
    # The last record may be cut off where the sample ends.
    records = records[:-1] if len(records) > 2 else records
    filled = max((len(without_closing_blanks(cells)) for _, cells in records), default=0)
    records = [(line, cells[:filled]) for line, cells in records]
    widths = Counter(len(cells) for _, cells in records)
    if not widths:
        return _Fit(dialect, 1)
    width, agreeing = max(widths.items(), key=lambda item: (item[1], item[0]))
    below = records[_titles(records, width) :]
    if not below or agreeing < CONSISTENT * len(below):
        return _Fit(dialect, 1)
    # Blank lines above a header that is the first record need no setting: they are passed over anyway.
    skip_lines = below[0][0] if below is not records and below[0] != records[0] else 0
    header = not _lacks_header(below, width)
    return _Fit(replace(dialect, skip_lines=skip_lines, header=header), width, len(below[0][1]) == width)


def _titles(records: Sequence[tuple[int, list[str]]], width: int) -> int:
    """How many of the first records are above the header: a title, comments."""
    titles = 0
    for number, (_, cells) in enumerate(records[:TITLE_LINES]):
        following = next((row for _, row in records[number + 1 :] if any(map(str.strip, row))), [])
        if not _is_title(cells, following, width):
            continue
        above = records[titles][1]
        if number > titles and len(cells) == len(above) == width and all(map(str.strip, above)):
            # Below a full row, which is the header or data, a row with one cell filled is data, too.
            continue
        # A title may have as many cells as the header; a narrow row of data must not take those above it for titles.
        if titles == number or (number < NARROW and not _lacks_header(records[number + 1 :], width)):
            titles = number + 1
    return titles if titles < len(records) else 0


def _lacks_header(records: Sequence[tuple[int, list[str]]], width: int) -> bool:
    if width == 1 or not records or len(records[0][1]) != width:
        return False
    return lacks_header([cells for _, cells in records if len(cells) == width])


def _is_title(cells: Sequence[str], following: Sequence[str], width: int) -> bool:
    filled = sum(bool(cell.strip()) for cell in cells)
    if cells[0].startswith(("# ", "#\t", "// ")):
        return bool(following)
    if width == 1:
        return False
    if len(cells) < width and not _is_column_of_text(cells):
        return filled <= 1 or len(cells) < width - 1
    # A title that a spreadsheet wrote, with a cell for each column.
    alone = filled == 1 and bool(cells[0].strip()) and len(cells) == width
    return (alone or filled == 0) and bool(following) and (filled == 0 or all(cell.strip() for cell in following))


def _is_column_of_text(cells: Sequence[str]) -> bool:
    """Whether this is the header of a file of one column, in whose texts delimiters stand."""
    is_name = len(cells) == 1 and re.fullmatch(r"\w+", cells[0].strip())
    return bool(is_name) and column_profile.profile_of(cells[0], []).named_like_text


def _verdict(lines: Callable[[], Iterator[str]], dialect: Dialect) -> _Verdict:
    verdict = _Verdict()
    counting = not dialect.quoted
    rest = lines()
    head = head_of(rest)
    skip_lines = with_excels_line(head, dialect).skip_lines
    reader = dialect.records(itertools.islice(itertools.chain(head, rest), skip_lines, None))
    before = 0
    try:
        for cells in reader:
            verdict.width = verdict.width or len(without_closing_blanks(cells))
            if cells and len(without_closing_blanks(cells, verdict.width)) != verdict.width:
                verdict.sound = False
                return verdict
            number = reader.line_num
            verdict.across_lines |= number - before > 1
            before = number
            if counting:
                _count_quotes(verdict, cells)
    except csv.Error:
        verdict.sound = False
    return verdict


def _count_quotes(verdict: _Verdict, cells: Sequence[str]) -> None:
    for cell in cells:
        begins, ends = cell[:1] == '"', cell[-1:] == '"' and len(cell) > 1
        verdict.enclosed += begins and ends
        verdict.loose += begins != ends

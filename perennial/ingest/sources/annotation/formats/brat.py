"""brat's standoff: `name.ann` beside `name.txt`. A span is `T1<TAB>ORG 0 4<TAB>Acme`, in code points of the text."""

from collections.abc import Iterator

from perennial.core.errors import SourceError
from perennial.ingest.sources.annotation import opinions
from perennial.ingest.sources.annotation.opinions import Export, MarkedSpan, Opinion, Spans, Tally
from perennial.ingest.sources.lines import TextLines

TEXT, MARKS = ".txt", ".ann"
_OTHERS = {
    "R": opinions.RELATION,
    "E": "event, which no kind of task learns",
    "A": "attribute of a span, which no kind of task learns",
    "M": "attribute of a span, which no kind of task learns",
    "N": "link of a span to a database, which no kind of task learns",
    "*": opinions.RELATION,
    "#": "note",
}
_PARTS = "span in several parts, which no kind of task learns"


def brat(export: Export, tally: Tally) -> Iterator[Opinion]:
    """The one opinion of a document: all its spans. Raises SourceError when its text is not beside it."""
    path = export.path.with_suffix(TEXT)
    if not path.is_file():
        raise SourceError(
            f"{export.name} holds brat's marks, and the text they are of, {path.name}, is not beside it.",
            remedy=f"Put {path.name} there too.",
        )
    try:
        # As it is: line ends count.
        text = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{path.name}, beside {export.name}, is not UTF-8.",
            remedy=f"Convert it: iconv -f WINDOWS-1252 -t UTF-8 {path.name} > converted",
        ) from error
    marks = tuple(_marks(export, tally))
    yield Opinion(1, {"text": text}, {"spans": Spans(marks)}, id=export.path.stem, submitted=True)


def _marks(export: Export, tally: Tally) -> Iterator[MarkedSpan]:
    for number, line in enumerate(TextLines(export.stream, export.name), 1):
        where = export.at("line", number)
        if line.startswith("T"):
            yield from _mark(export, number, line.rstrip("\r\n"), tally)
        elif line.strip():
            tally.leave_out(_OTHERS.get(line[:1], opinions.UNKNOWN_ANSWER), where)


def _mark(export: Export, number: int, line: str, tally: Tally) -> Iterator[MarkedSpan]:
    cells = line.split("\t")
    label, _, places = (cells[1] if len(cells) > 1 else "").partition(" ")
    if ";" in places:
        tally.leave_out(_PARTS, export.at("line", number))
        return
    try:
        start, end = map(int, places.split())
    except ValueError as error:
        raise SourceError(
            f"{export.at('line', number)} is no span of brat's: a name, a label with first and last place, and the "
            "text, with tabs between them, were expected.",
            remedy="Mend that line, or export again.",
        ) from error
    yield MarkedSpan(start, end, label, cells[2] if len(cells) > 2 else None)

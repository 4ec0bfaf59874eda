"""fastText's lines: `__label__` names, then the text. doccano's are a CSV of one column, so a text may be quoted."""

import csv
from collections.abc import Iterator

from perennial.ingest.sources.annotation import opinions
from perennial.ingest.sources.annotation.opinions import Answer, Export, Labels, Opinion, Tally
from perennial.ingest.sources.lines import TextLines

PREFIX = "__label__"
_BLANK_IN_NAME = (
    f"line with another {PREFIX} behind its text, as where a label's name holds a blank, which fastText can't have "
    "(doccano's JSONL tells such names)"
)
_QUOTED = (f'"{PREFIX}', '" ')


def fasttext(export: Export, tally: Tally) -> Iterator[Opinion]:
    """An opinion a line, or a quoted record of several lines."""
    for number, record in _records(iter(TextLines(export.stream, export.name))):
        words = record.strip(" \r\n")
        names: list[str] = []
        while words.startswith(PREFIX):
            name, _, words = words.partition(" ")
            names.append(name.removeprefix(PREFIX))
            words = words.lstrip(" ")
        if not words and names:
            tally.leave_out(opinions.WITHOUT_TEXT, export.at("line", number))
        elif PREFIX in words and names:
            tally.leave_out(_BLANK_IN_NAME, export.at("line", number))
        if not words or (PREFIX in words and names):
            continue
        answers: dict[str, Answer] = {"label": Labels(tuple(names), several=len(names) > 1)} if names else {}
        yield Opinion(place=number, fields={"text": words}, answers=answers)


def _records(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        record = line
        if line.startswith(_QUOTED):
            while record.count('"') % 2:
                _, more = next(numbered, (0, ""))
                if not more:
                    break
                record += more
            record = next(iter(next(csv.reader([record]), [])), record)
        yield number, record

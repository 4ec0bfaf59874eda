"""Token lines: CoNLL-2003, two columns, CoNLL-U. A sentence is a row of tokens and tags."""

import re
from collections.abc import Iterator, Sequence

from perennial.core.errors import SourceError
from perennial.ingest.sources.annotation.opinions import Answer, Export, Opinion, Tally, Tokens
from perennial.ingest.sources.lines import TextLines

DOCUMENT = "-DOCSTART-"
LABEL_STUDIO = "-X-"
"""Label Studio's second column."""
_ALL_OUTSIDE = (
    "sentence with no tag but O, which Label Studio also writes for texts nobody labelled (its JSON tells them apart)"
)
_NER = ("NER", "ENT", "Entity", "NamedEntity", "ner")
"""What tools call the tag in CoNLL-U's last column."""
_FORM, _MISC, _WIDTH = 1, 9, 10
_COMMENT = re.compile(r"#\s*[\w ]+=")
Lines = Sequence[tuple[int, str]]


def conll(export: Export, tally: Tally) -> Iterator[Opinion]:
    """The first column is the token, the last one the tag; blank lines and document lines part sentences."""
    for lines in _sentences(export):
        rows = [(number, line.split("\t") if "\t" in line else line.split()) for number, line in lines]
        number = rows[0][0]
        short = next((number for number, cells in rows if len(cells) < 2), None)
        if short is not None:
            raise SourceError(
                f"{export.at('line', short)} has one column; a token and its tag were expected.",
                remedy="Export the file again, or set data.source.format to what it is.",
            )
        tokens, tags = (tuple(cells[index].strip() for _, cells in rows) for index in (0, -1))
        if len(rows[0][1]) > 2 and rows[0][1][1] == LABEL_STUDIO and set(tags) == {"O"}:
            tally.change(_ALL_OUTSIDE, export.at("line", number))
        yield Opinion(place=number, fields={}, answers={"tags": Tokens(tokens, tags)}, submitted=True)


def conllu(export: Export, tally: Tally) -> Iterator[Opinion]:
    """CoNLL-U with entities in its last column (NER=B-ORG)."""
    tagged = False
    for lines in _sentences(export, comments=True):
        rows = [(number, line.split("\t")) for number, line in lines if not line.startswith("#")]
        wrong = next((number for number, cells in rows if len(cells) != _WIDTH), None)
        if wrong is not None:
            raise SourceError(
                f"{export.at('line', wrong)} is no line of CoNLL-U: {_WIDTH} columns with tabs between were expected.",
                remedy="Export the file again, or set data.source.format to conll.",
            )
        # A word of several syntactic words (1-2) stands before them, an empty one (1.1) is not in the text.
        words = [cells for _, cells in rows if cells[0].isdigit()]
        if not words:
            continue
        said = dict(_comments(lines))
        tags = tuple(_tag(cells[_MISC]) or "O" for cells in words)
        tagged = tagged or any(_tag(cells[_MISC]) for cells in words)
        yield _sentence(lines[0][0], said, [cells[_FORM] for cells in words], tags)
    if not tagged:
        raise SourceError(
            f"{export.name} is CoNLL-U without entities: no word has {' or '.join(f'{name}=' for name in _NER[:2])} in "
            "its last column (MISC).",
            remedy="Export the entities too, for example as CoNLL-2003 or JSON.",
        )


def _sentence(number: int, said: dict[str, str], forms: Sequence[str], tags: Sequence[str]) -> Opinion:
    answers: dict[str, Answer] = {"tags": Tokens(tuple(forms), tuple(tags))}
    return Opinion(place=number, fields={}, answers=answers, id=said.get("sent_id"), submitted=True)


def _comments(lines: Lines) -> Iterator[tuple[str, str]]:
    for _, line in lines:
        name, equals, value = line.removeprefix("#").partition("=")
        if line.startswith("#") and equals:
            yield name.strip(), value.strip()


def _tag(misc: str) -> str | None:
    for pair in misc.split("|"):
        name, _, value = pair.partition("=")
        if name in _NER and value:
            return value
    return None


def _sentences(export: Export, *, comments: bool = False) -> Iterator[Lines]:
    """The lines of each sentence, with their numbers; a new `# sent_id` begins one where the blank line is missing."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(TextLines(export.stream, export.name), 1):
        text = line.rstrip("\r\n")
        begins = comments and text.startswith("#") and bool(lines) and not lines[-1][1].startswith("#")
        if not text.strip() or text.startswith(DOCUMENT) or begins:
            if lines:
                yield lines
            lines = [(number, text)] if begins else []
        elif comments or not _COMMENT.match(text):
            lines.append((number, text))
    if lines:
        yield lines

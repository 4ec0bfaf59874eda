"""Whether a file holds tokens with tags, or texts with spans, and in which columns."""

import re
from collections.abc import Iterator, Sequence

from perennial.core.errors import SpecError, listing
from perennial.inference import spans
from perennial.kinds.recognition import columns, list_columns
from perennial.kinds.recognition.column_choice import ColumnChoice, column_named, columns_in_words, others
from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns
from perennial.rows.column_profile import Column

TOKEN_NAMES = re.compile(r"(^|[_\W])(tokens?|words?)$", re.I)
TAG_NAMES = (re.compile(r"ner|entit", re.I), re.compile(r"^(tags?|labels?)$", re.I))
"""Most telling first: the tags of phrases and of other things are written alike."""


def find_token_classification(sample: FileSample, given: Given, *, forced: bool = False) -> RecognisedColumns | None:
    """Tokens with tags or a text with spans; None (SpecError if `forced`) when there are none."""
    if given.label or given.text_pair:
        return None
    if given.spans or (given.text and not given.tags):
        recognised = _with_spans(sample, given)
    else:
        recognised = _with_tags(sample, given) or _with_spans(sample, given)
    if recognised is None and forced:
        seen_as = (
            oddity(sample)
            or f"No column holds a tag for each token of another, or spans. {columns_in_words(sample.columns)}"
        )
        raise SpecError(seen_as, remedy=_REMEDY)
    return recognised


def oddity(sample: FileSample) -> str | None:
    """What looks like tags or spans that can't be read, in words with what is expected instead."""
    for name, held in sample.lists.items():
        if held.holds_printed:
            return f'Column {name!r} holds lists that are no JSON, as Python prints them; expected is ["a", "b"].'
        if held.odd and sample.column(name).rows <= ONE_OBJECT:
            return (
                f"Column {name!r} holds {held.odd}, and there are next to no rows: they seem to be inside of it. Write "
                "them one a line, for example with: jq -c '.. | arrays | select(length > 1)[]'"
            )
        if held.odd:
            return (
                f"Column {name!r} holds {held.odd}. Spans are lists of objects with "
                f"{', '.join(list_columns.SPAN_KEYS)}, or lists of these three (start and end in characters of the "
                "text); labels are lists of strings."
            )
    for tokens in _named_like_tokens(sample):
        for name in sorted(sample.lists, key=_tag_rank):
            held = sample.lists[name]
            unread = (held.holds_names or held.holds_numbers) and not held.holds_tags
            if name != tokens and unread and list_columns.alike(sample.cells, tokens, name):
                what = "numbers" if held.holds_numbers else "tags of no known scheme"
                return (
                    f"Column {name!r} holds {what}, one for each of {tokens!r}; expected are tags such as B-ORG, I-ORG "
                    f"and O. Known are {spans.legal()}."
                )
    return None


def _with_tags(sample: FileSample, given: Given) -> RecognisedColumns | None:
    tokens_column = given.tokens or given.text
    if given.tags:
        column_named(sample.columns, given.tags, "tags")
    if tokens_column:
        column_named(sample.columns, tokens_column, "tokens")
    all_tags = [given.tags] if given.tags else _tag_columns(sample)
    for tags in all_tags:
        partners = [column.name for column in _partners(sample, tags)]
        tokens = tokens_column or next(iter(partners), None)
        if tokens is None or tokens == tags or not (given.tags or tokens in partners):
            continue
        types = listing(sorted(sample.lists[tags].types), 4) or "nothing yet"
        rest = [other for other in all_tags if other != tags and list_columns.alike(sample.cells, tokens, other)]
        why = f"tags of {types}, one for each of {tokens!r}"
        choices = {
            "tokens": ColumnChoice(
                column=tokens,
                reason="you named it" if tokens_column else f"as many as {tags!r} in each row",
                alternatives=tuple(name for name in partners if name != tokens)[:5],
            ),
            "tags": ColumnChoice(
                column=tags, reason=f"you named it; {why}" if given.tags else why, alternatives=tuple(rest)[:5]
            ),
        }
        return RecognisedColumns(reason=f"{tags!r} holds a tag for each of {tokens!r}", columns=choices)
    return None


def _with_spans(sample: FileSample, given: Given) -> RecognisedColumns | None:
    if given.tokens or given.tags:
        return None
    ranked = [column for column in sample.columns if sample.lists[column.name].holds_spans]
    if given.spans is None and (not ranked or not (given.text or columns.text_columns(sample.columns))):
        return None
    column = column_named(sample.columns, given.spans, "spans") if given.spans else ranked[0]
    choices = {
        "text": columns.text(sample.columns, given.text),
        "spans": ColumnChoice(
            column=column.name,
            reason="you named it" if given.spans else "lists of start, end and label",
            alternatives=others(ranked, column.name),
        ),
    }
    reason = f"{column.name!r} says where in {choices['text'].column!r} what is"
    return RecognisedColumns(reason=reason, columns=choices)


def _tag_columns(sample: FileSample) -> list[str]:
    return sorted((name for name, held in sample.lists.items() if held.holds_tags), key=_tag_rank)


def _tag_rank(name: str) -> int:
    return next((rank for rank, rule in enumerate(TAG_NAMES) if rule.search(name)), len(TAG_NAMES))


def _partners(sample: FileSample, tags: str) -> list[Column]:
    """Columns with as many items or words as `tags` in each row, the likeliest first."""
    fit = [column for column in sample.columns if column.name != tags and _may_be_tokens(sample, column)]
    alike = [column for column in fit if list_columns.alike(sample.cells, column.name, tags)]
    return sorted(alike, key=lambda column: (not TOKEN_NAMES.search(column.name), -column.distinct))


def _may_be_tokens(sample: FileSample, column: Column) -> bool:
    held = sample.lists[column.name]
    return not held.holds_tags and (held.holds_names or column.reads_like_text)


def _named_like_tokens(sample: FileSample) -> Iterator[str]:
    yield from (name for name, held in sample.lists.items() if held.holds_names and TOKEN_NAMES.search(name))


ONE_OBJECT = 2
"""Rows of a JSON file that is one object with the rows somewhere in it, at most."""
_REMEDY = (
    'Give lists of tokens and of tags, such as ["Ann", "left"] and ["B-PER", "O"] (in CSV also parted by spaces), or '
    "texts with lists of {start, end, label}; name them with --tokens and --tags, or --text and --spans."
)


def conflict_of_roles(roles_named: Sequence[str]) -> str | None:
    """What is wrong with these roles of one row, given together; None: nothing."""
    if "spans" in roles_named and {"tokens", "tags"} & set(roles_named):
        return "A row is either tokens with tags or a text with spans, not both."
    if "tokens" in roles_named and "text" in roles_named:
        return "Tokens are the text: --text goes with --spans."
    return None

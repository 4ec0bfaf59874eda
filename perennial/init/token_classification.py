"""Whether a file holds tokens with tags, or texts with spans, and in which columns."""

import re
from collections.abc import Iterator, Sequence

from perennial.core.errors import SpecError, listing
from perennial.inference import spans
from perennial.ingest.column_profile import Column
from perennial.init import columns as roles
from perennial.init import list_columns
from perennial.init.column_choice import Choice, listed, named, others
from perennial.init.sample import Found, Given, Seen

KIND = "token-classification"
TOKEN_NAMES = re.compile(r"(^|[_\W])(tokens?|words?)$", re.I)
TAG_NAMES = (re.compile(r"ner|entit", re.I), re.compile(r"^(tags?|labels?)$", re.I))
"""Most telling first: the tags of phrases and of other things are written alike."""


def find(seen: Seen, given: Given, *, forced: bool = False) -> Found | None:
    """Tokens with tags or a text with spans; None (SpecError if `forced`) when there are none."""
    if given.label or given.text_pair:
        return None
    if given.spans or (given.text and not given.tags):
        found = _with_spans(seen, given)
    else:
        found = _with_tags(seen, given) or _with_spans(seen, given)
    if found is None and forced:
        seen_as = oddity(seen) or f"No column holds a tag for each token of another, or spans. {listed(seen.columns)}"
        raise SpecError(seen_as, remedy=_REMEDY)
    return found


def oddity(seen: Seen) -> str | None:
    """What looks like tags or spans that can't be read, in words with what is expected instead."""
    for name, held in seen.lists.items():
        if held.holds_printed:
            return f'Column {name!r} holds lists that are no JSON, as Python prints them; expected is ["a", "b"].'
        if held.odd:
            return (
                f"Column {name!r} holds {held.odd}. Spans are lists of objects with "
                f"{', '.join(list_columns.SPAN_KEYS)} (start and end in characters of the text); labels are lists of "
                "strings."
            )
    for tokens in _named_like_tokens(seen):
        for name in sorted(seen.lists, key=_tag_rank):
            held = seen.lists[name]
            unread = (held.holds_names or held.holds_numbers) and not held.holds_tags
            if name != tokens and unread and list_columns.alike(seen.cells, tokens, name):
                what = "numbers" if held.holds_numbers else "tags of no known scheme"
                return (
                    f"Column {name!r} holds {what}, one for each of {tokens!r}; expected are tags such as B-ORG, I-ORG "
                    f"and O. Known are {spans.legal()}."
                )
    return None


def _with_tags(seen: Seen, given: Given) -> Found | None:
    tokens_column = given.tokens or given.text
    if given.tags:
        named(seen.columns, given.tags, "tags")
    if tokens_column:
        named(seen.columns, tokens_column, "tokens")
    all_tags = [given.tags] if given.tags else _tag_columns(seen)
    for tags in all_tags:
        partners = [column.name for column in _partners(seen, tags)]
        tokens = tokens_column or next(iter(partners), None)
        if tokens is None or tokens == tags or not (given.tags or tokens in partners):
            continue
        types = listing(sorted(seen.lists[tags].types), 4) or "nothing yet"
        rest = [other for other in all_tags if other != tags and list_columns.alike(seen.cells, tokens, other)]
        why = f"tags of {types}, one for each of {tokens!r}"
        choices = {
            "tokens": Choice(
                column=tokens,
                reason="you named it" if tokens_column else f"as many as {tags!r} in each row",
                alternatives=tuple(name for name in partners if name != tokens)[:5],
            ),
            "tags": Choice(
                column=tags, reason=f"you named it; {why}" if given.tags else why, alternatives=tuple(rest)[:5]
            ),
        }
        return Found(kind=KIND, reason=f"{tags!r} holds a tag for each of {tokens!r}", columns=choices)
    return None


def _with_spans(seen: Seen, given: Given) -> Found | None:
    if given.tokens or given.tags:
        return None
    ranked = [column for column in seen.columns if seen.lists[column.name].holds_spans]
    if given.spans is None and (not ranked or not (given.text or roles.texts(seen.columns))):
        return None
    column = named(seen.columns, given.spans, "spans") if given.spans else ranked[0]
    choices = {
        "text": roles.text(seen.columns, given.text),
        "spans": Choice(
            column=column.name,
            reason="you named it" if given.spans else "lists of start, end and label",
            alternatives=others(ranked, column.name),
        ),
    }
    reason = f"{column.name!r} says where in {choices['text'].column!r} what is"
    return Found(kind=KIND, reason=reason, columns=choices)


def _tag_columns(seen: Seen) -> list[str]:
    return sorted((name for name, held in seen.lists.items() if held.holds_tags), key=_tag_rank)


def _tag_rank(name: str) -> int:
    return next((rank for rank, rule in enumerate(TAG_NAMES) if rule.search(name)), len(TAG_NAMES))


def _partners(seen: Seen, tags: str) -> list[Column]:
    """Columns with as many items or words as `tags` in each row, the likeliest first."""
    fit = [column for column in seen.columns if column.name != tags and _may_be_tokens(seen, column)]
    alike = [column for column in fit if list_columns.alike(seen.cells, column.name, tags)]
    return sorted(alike, key=lambda column: (not TOKEN_NAMES.search(column.name), -column.distinct))


def _may_be_tokens(seen: Seen, column: Column) -> bool:
    held = seen.lists[column.name]
    return not held.holds_tags and (held.holds_names or column.reads_like_text)


def _named_like_tokens(seen: Seen) -> Iterator[str]:
    yield from (name for name, held in seen.lists.items() if held.holds_names and TOKEN_NAMES.search(name))


_REMEDY = (
    'Give lists of tokens and of tags, such as ["Ann", "left"] and ["B-PER", "O"] (in CSV also parted by spaces), or '
    "texts with lists of {start, end, label}; name them with --tokens and --tags, or --text and --spans."
)


def reads(roles_named: Sequence[str]) -> str | None:
    """What is wrong with these roles of one row, given together; None: nothing."""
    if "spans" in roles_named and {"tokens", "tags"} & set(roles_named):
        return "A row is either tokens with tags or a text with spans, not both."
    if "tokens" in roles_named and "text" in roles_named:
        return "Tokens are the text: --text goes with --spans."
    return None

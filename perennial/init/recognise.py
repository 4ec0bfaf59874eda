"""Which kind of task a file is for, and which columns it reads: from the data, or as a user says."""

import difflib
from collections.abc import Callable

from perennial import kinds
from perennial.core.errors import SpecError
from perennial.init import columns, multi_label, regression, text_pair, token_classification
from perennial.init.column_choice import ColumnChoice, distinct_roles, option
from perennial.init.sample import FileSample, Given, RecognisedKind

ROLES = {
    "text-classification": ("text", "label"),
    "text-pair": ("text", "text_pair", "label"),
    "multi-label": ("text", "label"),
    "token-classification": ("text", "tokens", "tags", "spans"),
    "regression": ("text", "label"),
}
_FIND: dict[str, Callable[..., RecognisedKind | None]] = {
    "token-classification": token_classification.find_token_classification,
    "text-pair": text_pair.find_text_pair,
    "multi-label": multi_label.find_multi_label,
    "regression": regression.find_regression,
}
"""The most telling first; what none of them finds is text-classification."""


def recognise(sample: FileSample, given: Given, kind: str | None) -> RecognisedKind:
    """The kind of task (`kind`, if it is given) and its columns, each with the reason.

    Raises SpecError when columns or options don't fit the kind, and when no kind fits the columns.
    """
    distinct_roles({role: ColumnChoice(column=name, reason="") for role, name in given.named.items()})
    asked, why = _asked(given, kind)
    recognised = _find(sample, given, asked)
    if why:
        recognised = recognised.model_copy(update={"reason": why, "alternatives": ()})
    distinct_roles(recognised.columns)
    return recognised


def _asked(given: Given, kind: str | None) -> tuple[str | None, str]:
    """The kind that is asked for, by name or by a role that only it has, and how."""
    if kind is not None and kind not in kinds.names():
        near = difflib.get_close_matches(kind, kinds.names(), 1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise SpecError(f"There is no kind {kind!r}.", remedy=f"{hint}There are: {', '.join(kinds.names())}.")
    possible = [name for name in ([kind] if kind else ROLES) if set(given.named) <= set(ROLES[name])]
    options = " and ".join(option(role) for role in given.named)
    if not possible:
        what = f"--kind {kind}" if kind else "any kind"
        raise SpecError(
            f"{options} {'do' if len(given.named) > 1 else 'does'} not go with {what}.",
            remedy="; ".join(f"{name}: {', '.join(map(option, read))}" for name, read in ROLES.items()) + ".",
        )
    if problem := token_classification.reads(list(given.named)):
        raise SpecError(problem, remedy="Leave some of them out.")
    if kind:
        return kind, "you named it"
    return (possible[0], f"you named {options}") if len(possible) == 1 else (None, "")


def _find(sample: FileSample, given: Given, asked: str | None) -> RecognisedKind:
    if asked in _FIND:
        recognised = _FIND[asked](sample, given, forced=True)
        if recognised is None:
            raise SpecError(f"The columns don't fit --kind {asked}.", remedy="Name them, or leave --kind out.")
        return recognised
    if asked is None:
        for find in _FIND.values():
            if recognised := find(sample, given):
                return recognised
    try:
        return _single(sample, given)
    except SpecError as error:
        odd = None if asked or given.named else _oddity(sample)
        if odd is None:
            raise
        raise SpecError(odd, remedy=f"Write the column so, or name others. {error.problem}") from error


def _single(sample: FileSample, given: Given) -> RecognisedKind:
    text = columns.text(sample.columns, given.text)
    label = columns.label(sample.columns, (text.column or "",), given.label)
    column = sample.column(label.column or "")
    others = []
    if text.alternatives:
        others.append(text_pair.KIND)
    if column.numbers == 1 and column.distinct > 2:
        others.append(regression.KIND)
    return RecognisedKind(
        kind="text-classification",
        reason=f"each text has one of {column.distinct:,} labels",
        columns={"text": text, "label": label},
        alternatives=tuple(others),
    )


def _oddity(sample: FileSample) -> str | None:
    if odd := token_classification.oddity(sample):
        return odd
    one_hot = next((name for name in sample.lists if multi_label.is_one_hot(sample, name)), None)
    if one_hot is None:
        return None
    return f"Column {one_hot!r} holds lists of 0 and 1; expected are lists of the labels' names, such as ['a']."

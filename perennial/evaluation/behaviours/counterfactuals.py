"""Fairness by counterfactuals: the same test rows about somebody else, and how much the answers depend on it.

As in counterfactual token fairness (Garg et al. 2019): terms of a group are swapped, and the answers compared.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from perennial import kinds
from perennial.evaluation import asking
from perennial.evaluation.asking import Heard, Texts
from perennial.evaluation.behaviours import terms
from perennial.evaluation.behaviours.behaviour_tests import independent_cases
from perennial.evaluation.behaviours.terms import Terms
from perennial.inference.predictor import Predictor
from perennial.kinds.protocols import GivesAnswers
from perennial.metrics.prediction import Prediction
from perennial.records.evaluation import GroupFigures
from perennial.rows import text_edits
from perennial.rows.text_edits import Edit
from perennial.settings.pipeline import PipelineSpec

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 2_000


class _Swapped(NamedTuple):
    """One row, before and after its terms were swapped, and what was edited in its first text."""

    before: Texts
    after: Texts
    edits: Sequence[Edit]


def measure_counterfactuals(
    spec: PipelineSpec, test: pa.Table, predictor: Predictor, heard: Heard | None = None
) -> tuple[GroupFigures, ...]:
    """What swapping each group's terms in the `test` rows does to the answers of `predictor`.

    Of all rows with a term of the group, `max_rows` are drawn. Rows that came as tokens are asked as their text, before
    and after. Targets are not looked at: this is about consistency, not about being right.
    """
    rows = list(zip(*(_column(test, name) for name in kinds.kind_named(spec.kind).text_columns), strict=True))
    groups = {group: list(_swapped(spec, group, rows)) for group in spec.evaluation.counterfactuals.groups}
    asked = (texts for swapped in groups.values() for row in swapped for texts in (row.before, row.after))
    answers = asking.answers(spec, predictor, asked, heard)
    kind = kinds.kind_named(spec.kind)
    return tuple(
        _figures(spec, kind, group, [(row, answers[row.before], answers[row.after]) for row in swapped])
        for group, swapped in groups.items()
    )


def lists(spec: PipelineSpec, group: str) -> Sequence[Sequence[str]]:
    """The lists of terms of `group`: the pipeline's own, or the built-in ones."""
    own = spec.evaluation.counterfactuals.terms.get(group)
    return terms.built_in_terms()[group] if own is None else own


def _swapped(spec: PipelineSpec, group: str, rows: Sequence[Texts]) -> Iterator[_Swapped]:
    settings = spec.evaluation.counterfactuals
    group_terms = terms.terms_of(lists(spec, group))
    # The order in which rows are looked at is drawn, so that the first ones found are a sample of all.
    order = list(range(len(rows)))
    Random(f"{settings.seed} {group}").shuffle(order)  # noqa: S311 - not for secrets
    yield from itertools.islice(_all_swapped(group_terms, rows, order, f"{settings.seed} {group}"), settings.max_rows)


def _all_swapped(group_terms: Terms, rows: Sequence[Texts], order: Sequence[int], seed: str) -> Iterator[_Swapped]:
    for start in range(0, len(order), ROWS_AT_ONCE):
        here = order[start : start + ROWS_AT_ONCE]
        for row_index in terms.rows_with_terms(group_terms, ["\n".join(rows[row]) for row in here]):
            texts = rows[here[row_index]]
            made = terms.swaps(group_terms, texts, Random(f"{seed} {here[row_index]}"))  # noqa: S311 - not for secrets
            if any(made):
                after = tuple(text_edits.apply(text, its) for text, its in zip(texts, made, strict=True))
                yield _Swapped(texts, after, made[0])


def _figures(
    spec: PipelineSpec, kind: GivesAnswers, group: str, answered: Sequence[tuple[_Swapped, Prediction, Prediction]]
) -> GroupFigures:
    pairs = [(kind.moved(before, row.edits), after) for row, before, after in answered]
    shifts = [kind.shift(before, after) for before, after in pairs]
    flips = [not kind.same_answer(before, after) for before, after in pairs]
    return GroupFigures(
        group=group,
        n=len(pairs),
        flips=sum(flips),
        **independent_cases([row.before for row, _, _ in answered], flips, spec),
        mean_shift=sum(shifts) / max(len(shifts), 1),
    )


def _column(test: pa.Table, name: str) -> list[str]:
    return [text or "" for text in test[name].to_pylist()]

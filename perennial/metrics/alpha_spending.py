"""An error rate for the process: what each look at the test rows may err with, so that all looks together keep one.

A candidate that is worse by the whole margin passes one comparison in forty. Of a hundred such candidates two or three
pass, so what a year of runs promises can't be the level of one comparison. What a set of test rows may err with in all
is therefore a budget that is spent look by look (alpha spending, Lan and DeMets 1983; a candidate is a new hypothesis
each time, so it is spent as by Foster and Stine 2008: a share of what is left). Whatever the candidates are, and
however alike their mistakes, the probability that any that is worse by more than the margin passes is at most the sum
of the levels (Bonferroni), and that sum never exceeds the budget.

Rows that nobody looked at before are new evidence: they bring back what was spent in proportion to their share, so that
rows that have been replaced entirely have the whole budget again.

`python -m benchmarks year` chose it by power, with these very functions, among a fixed level for each night of a year,
ADDIS's rule that only discouraging looks are paid for (Tian and Ramdas 2021), which has a little more power and no
proof where candidates meet the same rows, and e-values (Vovk and Wang 2021), which have less: docs/gates.md.

Lan and DeMets 1983, *Biometrika* 70 · Foster and Stine 2008, *JRSS B* 70 · Tian and Ramdas 2021, *Statistical Methods
in Medical Research* 30 · Vovk and Wang 2021, *Annals of Statistics* 49
"""

import math
from statistics import NormalDist

PACE = 1 / 30
"""Share of what is left that a look may err with: a month of nightly looks leaves a third of what there was."""


def level_of_look(budget: float, spent: float) -> float:
    """What the next look may err with, one-sided; 0: nothing is left, so it can show nothing.

    All looks at one set of rows together never exceed the budget:

    >>> spent = 0.0
    >>> for look in range(10_000):
    ...     spent += level_of_look(0.05, spent)
    >>> spent <= 0.05
    True
    """
    return max(0.0, budget - spent) * PACE


def renewed(spent: float, fresh: int, rows: int) -> float:
    """What counts as spent once `fresh` of the `rows` to be looked at were never looked at before."""
    return spent * (1 - fresh / rows) if rows else spent


def stricter_low(value: float, low: float, confidence: float, level: float) -> float:
    """The end of the interval of `value` at the one-sided `level`, from its low end `low` at two-sided `confidence`.

    Its distance grows as the normal quantile does, and keeps what the interval says of skew and of rows that were not
    seen (`perennial.evaluation.resampling`): ten thousand resamples have no quantile at one in ten thousand. A `level`
    that asks for less than `confidence` does changes nothing; -inf: there is no level at which anything is shown.
    """
    if level <= 0:
        return -math.inf
    usual = NormalDist().inv_cdf((1 + confidence) / 2)
    return value - (value - low) * max(1.0, -NormalDist().inv_cdf(min(level, 0.5)) / usual)


def takes_over(difference: float) -> bool:
    """Whether a new champion takes the anchor's place: `difference` is what it is better by on the rows of both.

    By the figure, not by what is shown: whoever is shown not to be worse than the best of all by its figure is not
    worse than any other of them either, and the bar can only rise on the same rows.
    """
    return difference >= 0

"""What judging a package finds: figures, comparisons, and what they were asked on."""

from typing import Any

from pydantic import Field

from perennial.core.percent import percent
from perennial.core.record import Record
from perennial.records.data import AnnotatorAgreement
from perennial.records.faithfulness import Faithfulness
from perennial.records.interval import Interval


class Metrics(Record):
    """Figures of one model on one set of rows. `values` and `per_label` hold every metric a gate can name."""

    n: int
    clusters: int | None = Field(default=None, exclude_if=lambda clusters: clusters is None)
    """How many of them are independent: clusters of rows that belong together; None: each row is."""
    clustered_by: str | None = Field(default=None, exclude_if=lambda clustered_by: clustered_by is None)
    """What rows of a cluster share: `group`, or the canonical column of a text; None: each row is independent."""
    values: dict[str, float]
    per_label: dict[str, dict[str, float]] = Field(default={})
    support: dict[str, int] = Field(default={})
    label_clusters: dict[str, int] = Field(default={}, exclude_if=lambda clusters: not clusters)
    """Of `support`, how many are independent; empty: each row is, or it is not known."""
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows by true label (down) and predicted label (across), in the order of `support`."""
    intervals: dict[str, Interval] = Field(default={})
    """Of `values`, where resampling the rows can give one."""
    label_intervals: dict[str, dict[str, Interval]] = Field(default={})
    """Of `per_label`, by label and metric."""


class Difference(Record):
    """Candidate minus champion in one metric on the same rows."""

    value: float
    interval: Interval
    standard_error: float
    worse_p: float
    """One-sided p-value of "the candidate is not worse by more than nothing": small where it is shown to be worse."""


class Comparison(Record):
    """Candidate and champion on the same rows, both scored now."""

    n: int
    clusters: int | None = Field(default=None, exclude_if=lambda clusters: clusters is None)
    """As of `Metrics`."""
    clustered_by: str | None = Field(default=None, exclude_if=lambda clustered_by: clustered_by is None)
    """As of `Metrics`."""
    effective_n: float | None = Field(default=None, exclude_if=lambda effective_n: effective_n is None)
    """How many independent rows would tell as much of the share of negative flips; None: `n`."""
    values: dict[str, Difference]
    per_label: dict[str, dict[str, Difference]] = Field(default={})
    mcnemar_p: float | None = None
    """Exact, two-sided (McNemar 1947), by clusters where there are any; None: this kind's answers are not right or
    wrong."""
    negative_flips: int | None = None
    """Rows the champion gets right and the candidate wrong (Yan et al. 2021)."""
    positive_flips: int | None = None
    """Rows the champion gets wrong and the candidate right."""
    worst: tuple[str, ...] = ()
    """Row ids of the negative flips the candidate is surest of; twenty at most."""


class SliceFigures(Record):
    """Candidate and champion on some of the test rows."""

    name: str
    """For example sector=banks, length: shortest quarter, time: oldest quarter."""
    by: str
    """What these rows were told apart by: a column, length, time, label, near copies or expression."""
    candidate: Metrics
    champion: Metrics | None = None
    comparison: Comparison | None = None


class BehaviourFigures(Record):
    """One behavioural test (after CheckList, Ribeiro et al. 2020)."""

    name: str
    capability: str
    """What is tested, for example negation."""
    type: str
    """minimum, invariance or direction."""
    n: int
    passed: int
    min_pass_rate: float
    failing: tuple[str, ...] = ()
    """Ids of failing cases; some."""
    clusters: int | None = Field(default=None, exclude_if=lambda clusters: clusters is None)
    """Different texts that the cases were made of; None: as many as cases."""
    effective_n: float | None = Field(default=None, exclude_if=lambda effective_n: effective_n is None)
    """How many independent cases would tell as much; None: `n`."""


class GroupFigures(Record):
    """What swapping the terms of one group (names, genders, …) for others does to the answers."""

    group: str
    n: int
    """Swapped rows."""
    flips: int
    """Swapped rows whose answer changed."""
    mean_shift: float
    """Mean absolute change of the score of the answer to the row as it was."""
    clusters: int | None = Field(default=None, exclude_if=lambda clusters: clusters is None)
    """Different texts among the rows; None: as many as rows."""
    effective_n: float | None = Field(default=None, exclude_if=lambda effective_n: effective_n is None)
    """How many independent rows would tell as much of the share of flips; None: `n`."""


class ServingFigures(Record):
    """What a package costs to ask on this machine, measured in the same minute as its rival."""

    batch_flips: int
    """Answers in batches that are other than the answer to the same row alone."""
    batch_answers: int | None = Field(default=None, exclude_if=lambda answers: answers is None)
    """Of so many: each row in batches of several sizes, put together as a server does, from rows of any length. None:
    measured by an older Perennial, on each row once, with rows of its own length."""
    padding_flips: int
    """Rows answered otherwise with more padding."""
    n: int
    """Rows these were counted on."""
    latency_p50: float
    """Milliseconds for one text."""
    latency_p95: float
    throughput: float
    """Rows a second, in batches."""
    peak_memory: float
    """MB, of a process that only answers."""
    size: float
    """MB, of the package."""

    @property
    def batch_flip_rate(self) -> float | None:
        """The share of answers in a server's batches that are other than alone; None: none was asked."""
        asked = self.batch_answers or self.n
        return self.batch_flips / asked if asked else None


class LabelErrors(Record):
    """Rows whose given label the model contradicts; a file beside the predictions says which they are."""

    n: int
    """Rows looked at: test and validation, which the model did not learn."""
    found: int


class Cases(Record):
    """Fixed inputs and the candidate's answers to them, asked all at once; no user's text. What is to serve must answer
    them the same."""

    machine: tuple[str, ...]
    """What scores depend on beyond the package, as `Predictor.machine` says it."""
    inputs: tuple[Any, ...]
    answers: tuple[dict[str, Any], ...]


class AnchorAsked(Record):
    """How the anchor stood when it was asked what the candidate was asked."""

    version: str
    labels: tuple[str, ...] | None = None
    """Those it knows; None: it could not be loaded."""
    problem: str | None = None
    """Why it could not be judged."""
    stands_for: str = ""


class NearCopies(Record):
    """How many rows that a model is judged on are nearly copies of what it learned, and can be known by heart."""

    test: int
    """Test rows."""
    near: int
    """Those that are near copies of a train row."""
    shared: int = 0
    """Of a kind that reads two texts together: others of which one text is in a train row."""
    validation: int
    validation_near: int
    """As of test rows."""
    train: int
    compared: int
    """Train rows with which all these were compared; fewer than there are: each second one, third one, …"""


class CutRows(Record):
    """Rows of which the model reads the beginning only."""

    rows: int
    """Rows looked at."""
    cut: int
    """Those of them that are longer than the model reads."""
    tokens: int
    """Of all rows looked at."""
    tokens_cut: int
    """Those of them that the model never reads."""

    @property
    def share(self) -> float:
        """Of the rows."""
        return self.cut / self.rows if self.rows else 0.0

    @property
    def token_share(self) -> float:
        """Of the tokens."""
        return self.tokens_cut / self.tokens if self.tokens else 0.0

    @property
    def in_words(self) -> str:
        """Rows and shares."""
        return (
            f"{self.cut:,} of {self.rows:,} ({percent(self.share, 1)}; {percent(self.token_share, 1)} of their tokens)"
        )


class LostEnds(Record):
    """Rows longer than the model reads, in each split."""

    max_length: int
    """Tokens that the model reads of a row."""
    splits: dict[str, CutRows]

    @property
    def any(self) -> bool:
        """Whether a row loses its end."""
        return any(split.cut for split in self.splits.values())

    @property
    def sentence(self) -> str:
        """The same in words; of splits without such rows nothing is said."""
        said = ", ".join(f"{name} {split.in_words}" for name, split in self.splits.items() if split.cut)
        longer = f"longer than {self.max_length} tokens (model.max_length)"
        if not said:
            return f"No row is {longer}."
        return f"Rows {longer} lose their ends: {said}."


class EvaluationContext(Record):
    """What was asked of candidate and champion beside the test rows, and how the champion stood."""

    champion_version: str | None = None
    """None: there was no champion yet."""
    champion_labels: tuple[str, ...] | None = None
    """Those it knows; None: there is none, or it could not be loaded."""
    champion_problem: str | None = None
    """Why the champion could not be judged; None: it was, or there is none."""
    behaviours: tuple[BehaviourFigures, ...] = ()
    champion_behaviours: tuple[BehaviourFigures, ...] = ()
    fairness: tuple[GroupFigures, ...] = ()
    serving: ServingFigures | None = None
    champion_serving: ServingFigures | None = None
    cases: Cases | None = None
    lost_ends: LostEnds | None = Field(default=None, exclude_if=lambda lost: lost is None)
    """None: judged by an older Perennial."""
    agreement: AnnotatorAgreement | None = Field(default=None, exclude_if=lambda agreement: agreement is None)
    near_copies: NearCopies | None = Field(default=None, exclude_if=lambda near_copies: near_copies is None)
    """None: judged by an older Perennial."""
    faithfulness: Faithfulness | None = Field(default=None, exclude_if=lambda faithfulness: faithfulness is None)
    """None: judged by an older Perennial."""
    anchor: AnchorAsked | None = Field(default=None, exclude_if=lambda anchor: anchor is None)
    """None: no gate asks for one, or there was no champion yet."""


class AnchorFigures(Record):
    """The anchor and the candidate on the same test rows."""

    version: str
    problem: str | None
    """Why it could not be judged; then nothing is promoted by a gate that names it."""
    stands_for: str = ""
    metrics: Metrics | None = None
    candidate: Metrics | None = None
    """On the labels that the anchor knows too; None: it knows all."""
    comparison: Comparison | None = None


class Look(Record):
    """A candidate's comparison on test rows, as the ledger counted it: what it may err with, and what is left."""

    number: int
    """How many candidates of this model were compared on test rows, this one included."""
    budget: float
    """What all looks at one set of test rows may err with together (`evaluation.test_budget`)."""
    level: float
    """What this one may err with, one-sided."""
    spent: float
    """Of the budget, this look included; new rows have brought some back."""
    texts: int
    """Different texts among the test rows."""
    fresh: int
    """Of these, how many no candidate was compared on before."""
    fresh_a_day: float | None = None
    """New texts a day of late; None: not known yet."""
    unit: str = Field(default="text", exclude_if=lambda unit: unit == "text")
    """What is counted where this says texts: what rows of one split share, so a group where rows are split by it."""

    @property
    def sentence(self) -> str:
        """The same in words."""
        left = max(0.0, self.budget - self.spent)
        return (
            f"Look {self.number:,} at these test rows, {self.fresh:,} of whose {self.texts:,} {self.unit}s are new: "
            f"it may err with {self.level:.2g}; of the budget of {self.budget:g} {self.spent:.2g} is spent "
            f"({percent(self.spent / self.budget)}), {left:.2g} left."
        )


class Evaluation(Record):
    """The candidate, the champion and the baselines on the same test rows."""

    digest: str
    candidate: Metrics
    champion: Metrics | None
    champion_version: str | None
    champion_problem: str | None
    """Why there is a champion that could not be judged; then nothing is promoted."""
    shared: Metrics | None = None
    """The candidate's figures on the labels that the champion knows too, on which the two are compared; None: they
    know the same labels, or there is no champion."""
    new_labels: tuple[str, ...] = ()
    """Labels that the champion does not know."""
    dropped_labels: tuple[str, ...] = ()
    """Labels of the champion that the candidate does not know."""
    baselines: dict[str, Metrics]
    comparison: Comparison | None = None
    """Candidate against champion; None: there is none, or it could not be judged."""
    slices: tuple[SliceFigures, ...] = ()
    behaviours: tuple[BehaviourFigures, ...] = ()
    champion_behaviours: tuple[BehaviourFigures, ...] = ()
    fairness: tuple[GroupFigures, ...] = ()
    serving: ServingFigures | None = None
    champion_serving: ServingFigures | None = None
    label_errors: LabelErrors | None = None
    """None: judged by an older Perennial, which did not look for any."""
    cases: Cases | None = None
    """None: kept by an older Perennial."""
    lost_ends: LostEnds | None = Field(default=None, exclude_if=lambda lost: lost is None)
    """None: judged by an older Perennial."""
    agreement: AnnotatorAgreement | None = Field(default=None, exclude_if=lambda agreement: agreement is None)
    """How far the people agree who gave the labels; None: no text was labelled by more than one, as far as is known."""
    near_copies: NearCopies | None = Field(default=None, exclude_if=lambda near_copies: near_copies is None)
    """None: judged by an older Perennial. The figures without them are a slice's."""
    faithfulness: Faithfulness | None = Field(default=None, exclude_if=lambda faithfulness: faithfulness is None)
    """None: judged by an older Perennial."""
    anchor: AnchorFigures | None = Field(default=None, exclude_if=lambda anchor: anchor is None)
    """None: no gate asks for one, or there was no champion yet."""
    look: Look | None = Field(default=None, exclude_if=lambda look: look is None)
    """None: not compared with a champion, no budget is kept, or judged by an older Perennial."""
    predictions_path: str
    """Parquet: row_id, target and each model's prediction; no text."""

    @property
    def rival_problem(self) -> str | None:
        """Why the champion or the anchor could not be judged; None: both were, or there are none."""
        return self.champion_problem or (self.anchor.problem if self.anchor else None)

"""The frozen records that steps hand to each other: paths into the store, digests and facts; never live objects.

Every path is relative to the store's root, so a home can be moved or mounted elsewhere.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A step's output: immutable, comparable, written as JSON beside the files it names."""

    # A figure that is no number has to come back as it was: JSON has none, so it is written as a string.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Part(Record):
    """A bounded, immutable piece of a snapshot: one Parquet file of canonical rows."""

    path: str
    sha256: str
    rows: int


class Retirement(Record):
    """Rows of older parts that count no more, because a run read that they were corrected or deleted."""

    path: str
    """Parquet: row_id, part (its number, from 0), what became of it."""
    sha256: str
    before: int
    """How many parts there were; what the run appended stands after them."""
    hits: dict[int, int] = {}
    """By the number of a part, how many of its rows go; empty: none goes, and only what was read is remembered."""
    deleted: int = 0
    """How many of them were deleted; the others were replaced by a row in a later part."""


class Snapshot(Record):
    """All labelled rows known when a run started, as a list of parts, less those that were retired since."""

    pipeline: str
    digest: str
    """Of the parts' sha256, in order, and of what was retired."""
    parts: tuple[Part, ...]
    retired: tuple[Retirement, ...] = ()
    rows: int
    """Rows that count: of all parts, less those that were retired."""
    new_rows: int
    """Rows this run appended that are no corrections of older ones; 0: nothing new."""
    corrected_rows: int = 0
    """Rows this run appended in place of an older one with the same id."""
    deleted_rows: int = 0
    """Rows that are gone because this run read that they were deleted."""
    repeated_rows: int
    """Rows this run read and left out because it knew them, or a newer one with the same id, already."""
    late_rows: int
    """Unseen rows this run left out because they are older than the watermark of a file read before."""
    watermark: str | None
    """The newest time among the rows, ISO 8601 in UTC; None: no time column."""


class CheckedPart(Record):
    """A part after validation: its good rows, and those set aside with the reason."""

    source: Part
    path: str
    """Parquet of the good rows: the columns of the source part."""
    sha256: str
    rows: int
    quarantined: int
    quarantine_path: str | None
    """CSV of the rows set aside, with file, line and reason; None: none."""
    corrected: int = 0
    """Rows whose label data.corrections replaced."""
    dropped: int = 0
    """Rows that data.corrections took out; neither good nor quarantined."""


class ValidatedData(Record):
    """A snapshot's rows that may be trained and judged on."""

    digest: str
    """Of the checked parts' sha256, in order, and of what was retired."""
    parts: tuple[CheckedPart, ...]
    retired: tuple[Retirement, ...] = ()
    """Rows of the parts that count no more; they may be among the good ones in the files."""
    rows: dict[str, int]
    """Rows per split: train, validation, test."""
    label_rows: dict[str, dict[str, int]]
    """Rows per split and label; empty for a kind without labels."""
    quarantined: int
    warnings: tuple[str, ...]
    """What severity `warning` found beyond rows, in words."""
    report_path: str
    """Folder with validation.json and the Data Docs (index.html); row ids and counts, no text."""


class EncodedPart(Record):
    """A checked part's train rows, tokenized.

    A folder with train.arrow (Arrow IPC: input_ids, target, row_key, time), one record for each segment of a row.
    Validation and test rows are not here: they are judged as they would be served, from the text on.
    """

    path: str
    digest: str
    rows: int
    truncated: int
    """Rows longer than model.max_length, which lost their ends."""


class EncodedData(Record):
    """Token ids of the rows to train on, in memory-mappable Arrow files."""

    digest: str
    parts: tuple[EncodedPart, ...]
    rows: int
    truncated: int
    tokenizer_path: str
    """The tokenizer.json that made the ids; the one that is packed and served."""


class Start(Record):
    """What a training that was to start from the champion started from."""

    version: str | None = None
    """The champion's; None: from the base model after all."""
    digest: str | None = None
    """sha256 of that version's model.safetensors."""
    path: str | None = None
    """Where those weights lie in the store."""
    problem: str | None = None
    """Why it started from the base model; None: it did not."""


class StartingPoint(Record):
    """The champion as a training goes on from it."""

    start: Start
    labels: tuple[str, ...] = ()
    """Those it knows, in its own order."""
    parts: tuple[str, ...] = ()
    """sha256 of the snapshot's parts that it learned from."""
    decoding: dict[str, Any] = {}
    """What its outputs are read by."""


class Sample(Record):
    """How many rows were learned from where it was not all of them."""

    rows: int
    of: int
    """All train rows."""
    new: int | None
    """Of `rows`, those that the model it started from did not learn from; None: it started from the base model."""


class Halved(Record):
    """Batches halved because memory ran out, and accumulated twice as often: the optimizer sees as much in a step."""

    step: int
    """Of the optimizer, from 0, in which it ran out."""
    tokens_per_batch: int
    rows_per_batch: int
    accumulation: int
    """From that step on."""


class Distillation(Record):
    """From what a model of fewer layers learned."""

    layers: int
    """Its own."""
    teacher_layers: int
    metric: str
    """The kind's main metric."""
    teacher: "TrainedModel"
    """The run's fine-tuned model."""


class TrainedModel(Record):
    """A fine-tuned or distilled model in a folder: model.safetensors, config.json, tokenizer.json, training.json."""

    digest: str
    """sha256 of model.safetensors."""
    path: str
    base: str
    base_revision: str
    """sha256 of the base model's weights."""
    pooling: str
    precision: str
    """fp32 or bf16: what training computed in."""
    epochs: float
    best_epoch: float
    train_rows: int
    validation: dict[str, float]
    """Metrics of the best checkpoint on the validation split, by the torch model."""
    decoding: dict[str, Any] = {}
    """What its outputs are read by beyond the labels, as the kind chose it on the validation split."""
    seconds: float
    halved: tuple[Halved, ...] = ()
    """Each time that memory ran out in training."""
    start: Start | None = None
    """None: training.start_from was base."""
    sample: Sample | None = None
    """None: all train rows were learned from."""
    distillation: Distillation | None = None
    """None: it is the fine-tuned model itself."""

    @property
    def fine_tuned(self) -> "TrainedModel":
        """The model that a later training goes on from: itself, or its teacher."""
        return self.distillation.teacher if self.distillation else self

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not as usual, each in a sentence."""
        told = []
        if self.start and self.start.version:
            told.append(f"Training went on from the weights of version {self.start.version}.")
        elif self.start:
            told.append(f"Training started from the base model, not from the champion: {self.start.problem}.")
        if self.sample:
            new = "" if self.sample.new is None else f", {self.sample.new:,} of them new"
            told.append(f"It learned from {self.sample.rows:,} of {self.sample.of:,} rows{new}.")
        if self.distillation:
            told.append(_distilled(self, self.distillation))
        if self.halved:
            last = self.halved[-1]
            told.append(
                f"Memory ran out, so batches became smaller, in the end {last.tokens_per_batch:,} tokens, and were "
                f"accumulated {last.accumulation} times."
            )
        return tuple(told)


def _distilled(model: TrainedModel, how: Distillation) -> str:
    own, teacher = (each.validation.get(how.metric, float("nan")) for each in (model, how.teacher))
    return (
        f"It has {how.layers} of {how.teacher_layers} layers, distilled: its validation {how.metric} is {own:.3f}, its "
        f"teacher's {teacher:.3f}."
    )


class Cascade(Record):
    """What a linear model before the transformer did on the validation rows on which its threshold was chosen."""

    threshold: float | None
    """The lowest probability at which the linear model answers; None: it answers nothing, and is not in the package."""
    share: float
    """Of the rows, those that it answers."""
    rows: int
    metric: str
    """The kind's main metric, of which …"""
    alone: float
    """… the transformer has so much alone, …"""
    together: float
    """… and both so much."""

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.threshold is None:
            return (
                "The linear model of the cascade answers nothing: whatever rows it is given, more validation "
                f"{self.metric} is lost than export.cascade allows, against {self.alone:.3f} of the transformer alone."
            )
        return (
            f"A linear model answers {self.share:.0%} of {self.rows:,} validation rows, the transformer the others: "
            f"validation {self.metric} is {self.together:.3f}, {self.alone:.3f} of the transformer alone."
        )


class OnnxPackage(Record):
    """The folder that is registered and served: model.onnx, tokenizer.json, package.json; linear.npy of a cascade."""

    digest: str
    """sha256 of package.json, which names the sha256 of every other file."""
    path: str
    precision: str
    """What it really is: fp32, int8 or fp16."""
    fallback: str | None
    """Why it is not the precision asked for; None: it is."""
    size_bytes: int
    parity: dict[str, float]
    """max_logit_difference, int8_agreement, …: as measured at export."""
    cascade: Cascade | None = None
    """None: none was asked for."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was not as usual, each in a sentence."""
        return (*([self.fallback] if self.fallback else []), *([self.cascade.sentence] if self.cascade else []))


class Champion(Record):
    """The version the alias `champion` points to, with the package it serves."""

    version: str
    package_digest: str
    path: str
    """Where its package lies in the store."""
    splits: str | None = None
    """Fingerprint of the splits it was trained with; None: not known."""


class Interval(Record):
    """A confidence interval."""

    low: float
    high: float


class Metrics(Record):
    """Figures of one model on one set of rows. `values` and `per_label` hold every metric a gate can name."""

    n: int
    values: dict[str, float]
    per_label: dict[str, dict[str, float]] = {}
    support: dict[str, int] = {}
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows by true label (down) and predicted label (across), in the order of `support`."""
    intervals: dict[str, Interval] = {}
    """Of `values`, where resampling the rows can give one."""
    label_intervals: dict[str, dict[str, Interval]] = {}
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
    values: dict[str, Difference]
    per_label: dict[str, dict[str, Difference]] = {}
    mcnemar_p: float | None = None
    """Exact, two-sided (McNemar 1947); None: this kind's answers are not right or wrong."""
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
    """What these rows were told apart by: a column, length, time, label, or expression."""
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


class GroupFigures(Record):
    """What swapping the terms of one group (names, genders, …) for others does to the answers."""

    group: str
    n: int
    """Swapped rows."""
    flips: int
    """Swapped rows whose answer changed."""
    mean_shift: float
    """Mean absolute change of the score of the answer to the row as it was."""


class ServingFigures(Record):
    """What a package costs to ask on this machine, measured in the same minute as its rival."""

    batch_flips: int
    """Rows answered otherwise alone than in a batch."""
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


class Contest(Record):
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
    predictions_path: str
    """Parquet: row_id, target and each model's prediction; no text."""


class Verdict(StrEnum):
    """What a check or a decision came to."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNDECIDED = "undecided"
    SKIPPED = "not judged"


class Outcome(StrEnum):
    """What is to happen with the candidate."""

    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    REJECT = "REJECT"


class Check(Record):
    """One gate applied to one figure."""

    gate: str
    """The gate in words, for example `recall of 'positive' at least 0.70`."""
    metric: str
    label: str | None
    subject: str | None = None
    """The slice, behavioural test or group it is about; None: all test rows."""
    value: float | None
    """The candidate's."""
    limit: float | None
    """What `value` is held against; versus the champion: the champion's figure, made worse by the margin."""
    difference: float | None = None
    """Candidate minus champion; None: not compared with it row by row."""
    interval: Interval | None = None
    """Of `difference`, or where there is none of `value`; None: not known."""
    margin: float | None = None
    """How much worse than the champion or the best baseline it may be; None: not compared with them."""
    n: int
    """Rows, cases or whatever was counted."""
    verdict: Verdict
    reason: str


class Decision(Record):
    """PROMOTE when every check that could be judged passed, REJECT when one failed, HOLD when one is undecided."""

    digest: str
    outcome: Outcome
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion_version: str | None
    """The champion the candidate was judged against; None: there was none yet."""


class Trigger(Record):
    """Why a run was started."""

    kind: Literal["hand", "schedule", "data", "drift"] = "hand"
    detail: str = ""
    """In words, for example the file that came, or what drifted."""


class Evidence(Record):
    """All that a run found, and its decision rests on; what is registered with the package."""

    snapshot: Snapshot
    validated: ValidatedData
    trained: TrainedModel
    package: OnnxPackage
    evaluation: Evaluation
    decision: Decision
    seconds: dict[str, float]
    """Wall-clock time of each step so far."""
    libraries: dict[str, str] = {}
    """Versions of what made and judged it; empty: made by an older Perennial, which did not say."""
    trigger: Trigger = Trigger()
    """Why the run was started."""


class Report(Record):
    """The page about a run, for people: one HTML file that needs nothing but itself."""

    pipeline: str
    decision: str
    """Digest of the decision it tells about."""
    path: str
    size_bytes: int


class RegisteredVersion(Record):
    """A model version in MLflow's registry."""

    model: str
    version: str
    run_id: str
    package_digest: str
    champion_version: str | None
    """The champion that the decision was made against."""


class Status(StrEnum):
    """How a run ended."""

    PROMOTED = "promoted"
    HELD = "held"
    REJECTED = "rejected"
    OBSERVED = "observed"
    """Judged and registered, and nothing was to move: registry.mode is observe."""
    SKIPPED = "skipped"


class RunResult(Record):
    """What a retraining run came to."""

    status: Status
    model: str
    version: str | None
    run_id: str | None
    """MLflow's."""
    reasons: tuple[str, ...]
    snapshot: Snapshot
    evidence: Evidence | None = None
    """None: skipped, there was nothing to do."""
    report: Report | None = None
    """None: skipped."""
    trigger: Trigger = Trigger()
    """Why it was started."""
    seconds: dict[str, float]
    """Wall-clock time of each step."""

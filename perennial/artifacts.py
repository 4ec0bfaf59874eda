"""The frozen records that steps hand to each other: paths into the store, digests and facts; never live objects.

Every path is relative to the store's root, so a home can be moved or mounted elsewhere.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A step's output: immutable, comparable, written as JSON beside the files it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(Record):
    """A bounded, immutable piece of a snapshot: one Parquet file of canonical rows."""

    path: str
    sha256: str
    rows: int


class Snapshot(Record):
    """All labelled rows known when a run started, as a list of parts."""

    pipeline: str
    digest: str
    """Of the parts' sha256, in order."""
    parts: tuple[Part, ...]
    rows: int
    new_rows: int
    """Rows this run appended; 0: nothing new."""
    repeated_rows: int
    """Rows this run read and left out because their row id was there already."""
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


class ValidatedData(Record):
    """A snapshot's rows that may be trained and judged on."""

    digest: str
    """Of the checked parts' sha256, in order."""
    parts: tuple[CheckedPart, ...]
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

    A folder with train.arrow (Arrow IPC: input_ids, target), one record for each segment of a row. Validation and test
    rows are not here: they are judged as they would be served, from the text on.
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


class TrainedModel(Record):
    """A fine-tuned model in a folder: model.safetensors, config.json, tokenizer.json, training.json."""

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


class OnnxPackage(Record):
    """The folder that is registered and served: model.onnx, tokenizer.json, package.json."""

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


class Champion(Record):
    """The version the alias `champion` points to, with the package it serves."""

    version: str
    package_digest: str
    path: str
    """Where its package lies in the store."""
    splits: str | None = None
    """Fingerprint of the splits it was trained with; None: not known."""


class Metrics(Record):
    """Figures of one model on one set of rows. `values` and `per_label` hold every metric a gate can name."""

    n: int
    values: dict[str, float]
    per_label: dict[str, dict[str, float]] = {}
    support: dict[str, int] = {}
    confusion: tuple[tuple[int, ...], ...] = ()
    """Rows by true label (down) and predicted label (across), in the order of `support`."""


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
    predictions_path: str
    """Parquet: row_id, target and each model's prediction; no text."""


class Verdict(StrEnum):
    """What a check or a decision came to."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNDECIDED = "undecided"


class Outcome(StrEnum):
    """What is to happen with the candidate."""

    PROMOTE = "PROMOTE"
    HOLD = "HOLD"
    REJECT = "REJECT"


class Check(Record):
    """One gate applied to one metric."""

    gate: str
    """The gate in words, for example `recall of 'positive' at least 0.70`."""
    metric: str
    label: str | None
    value: float | None
    limit: float | None
    n: int
    verdict: Verdict
    reason: str


class Decision(Record):
    """PROMOTE when every check passed, REJECT when one failed, HOLD when one could not be decided."""

    digest: str
    outcome: Outcome
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    champion_version: str | None
    """The champion the candidate was judged against; None: there was none yet."""


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
    seconds: dict[str, float]
    """Wall-clock time of each step."""

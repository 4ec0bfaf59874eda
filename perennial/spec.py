"""pipeline.yaml as frozen models: the one definition of every setting, with its unit, its default and why.

Reading the file, its line numbers and `--set` overrides are in `perennial.spec_file`.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from perennial import kinds
from perennial.spec_base import Label, Settings, Share, listed
from perennial.spec_behaviours import BehavioursSpec, CounterfactualsSpec
from perennial.spec_behaviours import DirectionSpec as DirectionSpec
from perennial.spec_behaviours import ExpectSpec as ExpectSpec
from perennial.spec_behaviours import InvarianceSpec as InvarianceSpec
from perennial.spec_behaviours import MinimumSpec as MinimumSpec
from perennial.spec_notify import NotifySpec
from perennial.spec_schedule import ScheduleSpec as ScheduleSpec
from perennial.spec_serving import ServingSpec as ServingSpec
from perennial.spec_triggers import DriftLimits as DriftLimits
from perennial.spec_triggers import WindowsSpec

Severity = Literal["critical", "warning", "info"]
SPLITS = ("train", "validation", "test")


class FileSource(Settings):
    """Files on this machine: CSV, TSV, JSONL or Parquet, plain or gzipped."""

    type: Literal["file"]
    """file: what makes this a source of files."""
    path: Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
    """Paths or globs, relative to the pipeline's folder."""
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet"] = "auto"
    """auto: by the file's ending (.csv, .tsv, .jsonl, .ndjson, .json, .parquet, each also with .gz)."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Of CSV; None: a comma (a tab for TSV)."""


class HuggingFaceSource(Settings):
    """A data set of the `datasets` library: a hub name, or a local folder that `load_dataset` reads."""

    type: Literal["huggingface"]
    """huggingface: what makes this a source of the `datasets` library."""
    name: str
    """Hub name (owner/name) or a folder, relative to the pipeline's folder."""
    config: str | None = None
    """The data set's configuration, where it has several."""
    split: str = "train"
    """The data set's own split to read; Perennial makes its own splits of it."""
    revision: str | None = None
    """Commit or tag; required for a hub name, so that the same run reads the same rows."""


class SqlSource(Settings):
    """A query on any database SQLAlchemy reaches."""

    type: Literal["sql"]
    """sql: what makes this a database."""
    url_env: str
    """Name of the environment variable that holds the URL; the URL itself never goes into a file."""
    query: str
    """May use the bound parameter :watermark, the newest time already read (the epoch on the first run)."""


Source = Annotated[FileSource | HuggingFaceSource | SqlSource, Field(discriminator="type")]


class ColumnsSpec(Settings):
    """Which of the source's columns is what."""

    text: str = "text"
    """The column with the text."""
    text_pair: str = "text_pair"
    """text-pair: the column with the other text."""
    label: str = "label"
    """The column with the label. multi-label: with a list of labels, also as JSON or parted by |, ; or a comma.
    regression: with the number."""
    tokens: str | None = None
    """token-classification: the column with a list of words, also as JSON or parted by spaces; None: rows are a text
    with spans."""
    tags: str = "tags"
    """token-classification, with tokens: the column with a tag for each token: BIO, IOBES, BMES or BIOLU."""
    spans: str = "spans"
    """token-classification, without tokens: the column with a list of {start, end, label}, in characters of the
    text."""
    time: str | None = None
    """When the row came to be; rows not newer than the newest already read are not read again."""
    id: str | None = None
    """A stable row id: of two rows with the same one the newer counts, by `time`, or the one read later where there is
    none. None: a hash of the row's content."""
    deleted: str | None = None
    """The column that says (true, yes, 1) that the row with this id is gone; such a row needs an id and a time, nothing
    else. None: none is ever deleted."""
    slices: tuple[str, ...] = ()
    """Columns kept with each row beside its text: expectations may name them, and rows can be told apart by them."""

    @model_validator(mode="after")
    def _deleted_by_id(self) -> Self:
        if self.deleted is not None and self.id is None:
            raise ValueError("deleted goes with id: without one it can't be told which row is gone")
        return self


class ExpectationSpec(Settings):
    """An expectation of Great Expectations, under its own name and with its own arguments."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    """Snake case, for example expect_column_value_lengths_to_be_between."""
    column: str | None = None
    """One of: text, label, time, row_id, or a slice column."""
    severity: Severity = "critical"
    """critical stops the run; warning quarantines the rows (row-level) or is reported (others); info is reported."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The expectation's own arguments."""
        return dict(self.model_extra or {})


class SplitsSpec(Settings):
    """How rows are divided by the hash of their text. Changing it moves rows: judge no old champion after that."""

    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of rows that choose the best checkpoint."""
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of rows that gates judge on; never trained on."""


class DataSpec(Settings):
    """Where labelled rows come from and what is expected of them."""

    source: Source
    """Where the rows are: files, a data set of the `datasets` library, or a database."""
    columns: ColumnsSpec = ColumnsSpec()
    """Which of the source's columns is what."""
    labels: tuple[Label, ...] = ()
    """All labels, in the order reports show them."""
    corrections: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """CSV files, relative to the pipeline's folder, with the columns row_id and label: labels that a person mended, or
    `drop` to take a row out. Of two corrections of a row the later one counts. `perennial review NAME` writes such a
    file."""
    expectations: tuple[ExpectationSpec, ...] = ()
    """On top of the built-in ones: text there and not blank, label known, one label a text, enough rows, …"""
    splits: SplitsSpec = SplitsSpec()
    """How rows are divided into train, validation and test."""
    max_text_length: int = Field(default=100_000, gt=0)
    """Characters; longer texts are quarantined: far beyond any model's reach, and usually a broken file."""
    min_rows: int = Field(default=50, gt=0)
    """Fewer rows in all stop the run: nothing can be learned or judged from them."""
    min_rows_per_label: int = Field(default=2, ge=0)
    """Fewer rows of a label in any split stop the run: its figures would mean nothing."""
    max_quarantined: Share = 0.05
    """A larger share of quarantined rows, in all or among the new ones, stops the run: the data is not what it was."""
    max_label_shift: Share = 0.25
    """Total variation distance between the label shares of new and old rows above which the run warns."""

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"label {twice[0]!r} is there more than once; name each label once")
        return labels


class ModelSpec(Settings):
    """The pretrained model that is fine-tuned."""

    base: str = "sentence-transformers/all-MiniLM-L6-v2"
    """A folder (relative to the pipeline's), a hub id, or a hub id that an installed package carries."""
    revision: str | None = None
    """Commit or tag on the hub."""
    max_length: int = Field(default=128, ge=8, le=8192)
    """Tokens; longer texts lose their ends. token-classification: tokens in one window; longer texts are read in
    several that overlap, and lose nothing."""
    pooling: Literal["auto", "mean", "cls"] = "auto"
    """mean: a linear head on the mean of the token vectors. cls: the architecture's own head.
    auto: mean for sentence-embedding models, whose own pooler was never trained; cls for others.
    token-classification answers each word and pools nothing."""


class TrainingSpec(Settings):
    """How the model is fine-tuned."""

    epochs: float = Field(default=3, gt=0, le=1000)
    """Passes over the training rows at most; early stopping may end them sooner."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] | Literal["auto"] = "auto"
    """Peak, of the encoder's top layer. auto: 2e-4 at a hidden width of 384, falling with its square (5e-5 at 768)."""
    layer_decay: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Each layer's peak learning rate is this times that of the layer above; the embeddings are lowest. 1: the same for
    all. 0.85 was better with 6,000 rows to train on, and worse with 2,000, which give too few steps to learn so slowly;
    `perennial init` writes what suits the rows."""
    head_learning_rate: float = Field(default=1e-3, gt=0, lt=1)
    """Peak, of the new head, which starts from nothing."""
    tokens_per_batch: int = Field(default=1024, ge=8)
    """Tokens, padding included, in one forward pass; texts of like lengths share a batch."""
    rows_per_batch: int = Field(default=64, ge=1)
    """At most; keeps batches of very short texts small enough to learn from."""
    accumulation: int = Field(default=1, ge=1)
    """Batches per optimizer step."""
    averaging: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share that the running average of the weights keeps at each step; the average is what is judged and kept. 0: the
    weights of the last step. 0.99 was better with 6,000 rows to train on; it wants some hundred steps."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of all steps in which the learning rate rises; then it falls linearly to 0."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's, of all weights but biases and normalisation."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Before the head."""
    encoder_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Inside the encoder, after each sublayer. Over the few epochs of a fine-tuning it changed no accuracy that was
    measured."""
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of each target spread evenly over all labels: scores come out calibrated, and labels have errors."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: a label's weight in the loss is inverse to its frequency. regression has none."""
    max_gradient_norm: float = Field(default=1.0, gt=0)
    """Longer gradients are cut to this length."""
    early_stopping: int = Field(default=2, ge=1)
    """Epochs without a better validation score after which training ends; the best checkpoint is kept anyway."""
    freeze_embeddings: bool = False
    """Keep the pretrained token embeddings, about half of a small model's weights."""
    freeze_layers: int = Field(default=0, ge=0)
    """The lowest N layers keep their pretrained weights."""
    gradient_checkpointing: bool = False
    """Keep what each layer gives only at its edges, and compute the rest again for the gradient: for long texts or
    large models that would not fit into memory. A step takes about a third longer."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 autocast where the GPU has it, or the CPU multiplies matrices faster in it, which is measured; else
    fp32. Some CPUs have the instructions and are twice as fast without."""
    seed: int = Field(default=42, ge=0)
    """Of the head's first weights, dropout and the order of batches."""
    checkpoint_seconds: float = Field(default=30, gt=0)
    """At least this long between the checkpoints from which a killed training resumes."""
    start_from: Literal["base", "champion"] = "base"
    """base: every training starts from model.base. champion: from the weights of the model serving now, whose labels
    may be others; from the base where there is no champion yet or its weights can't be had, which is recorded."""
    max_rows: int | None = Field(default=None, ge=1)
    """At most so many rows are learned from, so that the cost of a run does not grow with the history: the same row is
    drawn in every run in which there is room for it, and every label keeps its share. None: all rows."""
    half_life_days: float | None = Field(default=None, gt=0)
    """With max_rows: a row this much older than the newest is half as likely to be drawn, one twice as old a quarter.
    Needs data.columns.time. None: all alike."""
    replay: float | None = Field(default=None, ge=0, lt=1)
    """With start_from: champion: share of the rows that the champion learned from among those learned from now; the
    others are new. 0: new rows only, which forgets. None: new and old rows are drawn alike."""
    hold: Literal["none", "l2-sp"] = "none"
    """l2-sp: in place of weight decay, a penalty on the squared distance from the starting weights (of the base, or of
    the champion)."""
    hold_strength: float = Field(default=0.01, gt=0)
    """With hold: how strong the penalty is: half of this times the squared distance."""

    @model_validator(mode="after")
    def _drawn_from(self) -> Self:
        if self.replay is not None and self.start_from != "champion":
            raise ValueError("replay goes with start_from: champion; a training from the base has no old rows")
        if self.half_life_days is not None and self.max_rows is None and self.replay is None:
            raise ValueError("half_life_days goes with max_rows or replay; else all rows are learned from alike")
        return self


class StudentSpec(Settings):
    """A smaller model that learns from the fine-tuned one, its teacher, and is exported in its place."""

    layers: int = Field(ge=1)
    """Of the encoder; fewer than model.base has. It begins as so many of its teacher's, evenly spaced."""
    epochs: float = Field(default=6, gt=0, le=1000)
    """Passes over the teacher's training rows at most; training.early_stopping may end them sooner. Everything else
    about the training is as `training` says, but that no layer is frozen and no weight held."""
    temperature: float = Field(default=2.0, gt=0, le=100)
    """By which the outputs of both are divided where they are compared: above 1, also what the teacher thinks of
    unlikely labels counts. regression has none."""
    soft_share: Share = 0.7
    """Share of the loss that is the distance from the teacher's outputs; the rest is from the rows' own targets."""


class CascadeSpec(Settings):
    """A linear model in the package that answers the rows it is sure of, in microseconds; the transformer answers the
    others."""

    max_loss: Share = 0.002
    """Validation accuracy that may be lost against the transformer alone. How sure the linear model must be to answer
    is chosen so that it answers as many validation rows as that allows."""


class ExportSpec(Settings):
    """What the registered package is."""

    precision: Literal["fp32", "int8", "fp16"] = "int8"
    """int8: dynamic, per channel; a quarter of the size. fp16: for GPUs."""
    max_drop: Share = 0.01
    """Validation accuracy (or the kind's main metric) int8 or fp16 may lose against fp32; past it fp32 is packed."""
    student: StudentSpec | None = None
    """A model of fewer layers, to be exported instead; none: the fine-tuned model itself is."""
    cascade: CascadeSpec | None = None
    """text-classification: a linear model before the transformer; none: the transformer answers every row."""


class SliceSpec(Settings):
    """Test rows that are judged by themselves, too."""

    name: str = Field(min_length=1)
    """What reports and gates call it."""
    where: str = Field(min_length=1)
    """An SQL expression over text, label, time, text_length (in characters) and data.columns.slices, for example
    "text LIKE '%profit%' AND text_length < 80"."""


class EvaluationSpec(Settings):
    """How the candidate is measured beside the champion."""

    slices: tuple[SliceSpec, ...] = ()
    """On top of those by data.columns.slices, text length, time and label."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Of every interval, two-sided: at 0.95, at most one in forty candidates that are worse by the whole margin is
    promoted."""
    resamples: int = Field(default=10_000, ge=1000)
    """Of the paired bootstrap."""
    champion_slowdown: float = Field(default=30.0, ge=1, allow_inf_nan=False)
    """How many times as long as the candidate the champion may take to answer the same rows; two minutes are always
    allowed. One that takes longer, or hangs, is ended and can't be judged: the candidate is held. A BERT of 12 layers
    in fp32 beside the default model in int8 comes to about 20: 8 times the arithmetic, 2.4 times slower arithmetic."""
    counterfactuals: CounterfactualsSpec = CounterfactualsSpec()
    """Test rows asked again with names, genders, nationalities and companies swapped."""


class GateSpec(Settings):
    """One condition on figures of the candidate. Exactly one of min, max and versus; with `per: behaviour` none is
    needed."""

    metric: str
    """A metric of the kind of task; or negative_flip_rate, batch_flip_rate, padding_flip_rate, latency_p50,
    latency_p95, throughput, peak_memory, size; with `per: behaviour` pass_rate; with `per: group` flip_rate or
    score_shift."""
    per: Literal["label", "slice", "behaviour", "group"] | None = None
    """label, slice, behaviour (a behavioural test), group (of swapped names and the like): the condition holds for
    each one's own figure."""
    slice: str | None = Field(default=None, min_length=1)
    """The condition holds for this slice's figure, for example "sector=banks" or "time: newest quarter"."""
    min: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The floor: the metric must be at least this. Only of what is better the higher it is."""
    max: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """The ceiling: the metric must be at most this. Only of what is better the lower it is."""
    versus: Literal["champion", "baseline"] | None = None
    """champion: compared with the model serving now, on the same rows. baseline: with the best of the baselines."""
    margin: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    """With versus: how much worse the candidate may be; negative: how much better it must be. With versus: champion
    that has to be shown: the whole confidence interval of the difference must lie on the right side, so 0 asks for a
    candidate that is shown to be better."""
    ratio: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """With versus: champion, of what serving costs: at most this many times the champion's (throughput: at least)."""
    min_n: int = Field(default=1, ge=1)
    """Fewer rows than this leave the check undecided, which holds the candidate."""
    small: Literal["hold", "skip"] = "hold"
    """Of a slice with fewer rows than min_n: hold the candidate, or skip the slice, which is said."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in ("min", "max", "versus") if getattr(self, name) is not None]
        if len(given) != 1 and (given or self.per != "behaviour"):
            seen = " and ".join(given) if given else "none of them"
            raise ValueError(f"a gate needs exactly one of min, max and versus; this one has {seen}")
        if self.margin and self.versus is None:
            raise ValueError("margin goes with versus; a floor or ceiling has none")
        if self.ratio is not None and (self.versus != "champion" or self.margin):
            raise ValueError("ratio goes with versus: champion, and without a margin")
        if self.slice is not None and self.per is not None:
            raise ValueError(f"slice and per: {self.per} exclude each other; name one slice, or say per: slice")
        if self.small == "skip" and self.slice is None and self.per != "slice":
            raise ValueError("small: skip goes with slice or per: slice; nothing else may be skipped")
        return self


class RegistrySpec(Settings):
    """What may happen in the registry."""

    mode: Literal["enforce", "observe"] = "enforce"
    """enforce: what the gates decide is done. observe: everything is computed, decided and registered, and no alias
    moves; a person can `perennial promote` what passed."""
    allow_dropped_labels: tuple[Label, ...] = ()
    """Labels of the champion that a candidate need not know any more; any other that is gone holds the candidate."""
    approval: Literal["none", "required"] = "none"
    """required: a candidate that passes its gates does not serve before a person says `perennial approve`."""


class ReportSpec(Settings):
    """What the page about a run shows."""

    show_texts: bool = False
    """true: also the texts of the worst negative flips and of failing behavioural cases. Whoever can open the page, or
    the run in MLflow, reads them then; false: row ids and counts only."""


class TriggersSpec(WindowsSpec):
    """When drift starts a run: new rows, or live texts, that are far from what the champion was trained on."""

    source: Source | None = None
    """Where live texts are that nobody labels, in the columns that data.columns.text and text_pair name; None: the
    pipeline's own new rows are looked at."""
    time: str | None = None
    """The column of `source` that says when a text came."""


class PipelineSpec(Settings):
    """One pipeline: what it learns, from what, and when the result may serve."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    """Lower-case letters, digits, - and _; also the registered model's name."""
    kind: str
    """The kind of task, for example text-classification."""
    data: DataSpec
    """Where labelled rows come from and what is expected of them."""
    model: ModelSpec = ModelSpec()
    """The pretrained model that is fine-tuned."""
    training: TrainingSpec = TrainingSpec()
    """How the model is fine-tuned."""
    export: ExportSpec = ExportSpec()
    """What the registered package is."""
    evaluation: EvaluationSpec = EvaluationSpec()
    """How the candidate is measured beside the champion."""
    behaviours: BehavioursSpec = BehavioursSpec()
    """What the model must do with texts that are made up for it."""
    gates: Annotated[tuple[GateSpec, ...], Field(min_length=1)]
    """At least one: a pipeline without a gate would promote anything."""
    registry: RegistrySpec = RegistrySpec()
    """What may happen in the registry."""
    report: ReportSpec = ReportSpec()
    """What the page about a run shows."""
    serving: ServingSpec = ServingSpec()
    """How `perennial serve` answers."""
    schedule: ScheduleSpec | None = None
    """When a scheduled run starts; none: only when asked to."""
    triggers: TriggersSpec | None = None
    """When drift starts a run; none: drift is not looked at."""
    notify: NotifySpec = NotifySpec()
    """Who is told how runs end."""
    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _ages_known(self) -> Self:
        if self.training.half_life_days is not None and self.data.columns.time is None:
            raise ValueError("training.half_life_days needs data.columns.time, by which a row has an age")
        return self

    @property
    def folder(self) -> Path:
        """Where pipeline.yaml lies: relative paths start there. Not a setting, so no part of any key."""
        return self._folder

    def located(self, folder: Path) -> Self:
        """The same pipeline, its relative paths starting at `folder`."""
        copy = self.model_copy()
        copy._folder = folder
        return copy

    @model_validator(mode="after")
    def _something_to_watch(self) -> Self:
        if self.schedule and self.schedule.watch and not isinstance(self.data.source, FileSource):
            raise ValueError(
                f"schedule.watch looks for files, and data.source is of type {self.data.source.type}; leave watch out"
            )
        return self

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in kinds.names():
            raise ValueError(f"{kind!r} is not a kind of task; there are: {', '.join(kinds.names())}")
        return kind

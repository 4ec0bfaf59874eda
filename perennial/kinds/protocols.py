"""The seam between the pipeline and what it learns: all that a step needs to know of a kind of task.

A kind is one package in this folder plus one decoder in `perennial.inference.decoders`; no other code asks which kind
it is, and each step asks by name for the part of a kind that it needs. Heavy libraries are imported inside the methods
that need them, so that a spec can be checked without torch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

    from perennial.inference.decoders.base import Encoded, Input, Outputs
    from perennial.inference.spans import Span
    from perennial.kinds.floors import CountedRows, Floor
    from perennial.kinds.recognition.sample import FileSample, Given, RecognisedColumns, RowShape
    from perennial.kinds.wording import Wording
    from perennial.metrics.label_errors import Doubt
    from perennial.metrics.prediction import Prediction
    from perennial.metrics.sums import MetricSums
    from perennial.records.evaluation import Metrics
    from perennial.rows.batch import Batch
    from perennial.rows.expectation import Expected
    from perennial.rows.text_edits import Edit
    from perennial.settings.behaviours import ExpectSpec
    from perennial.settings.data import ColumnsSpec, DataSpec
    from perennial.settings.pipeline import PipelineSpec
    from perennial.settings.training import TrainingSpec


Problem = tuple[tuple[str | int, ...], str]
"""The path of a setting, and what is wrong with it and what to do."""


class Named(Protocol):
    """A kind as messages name it."""

    name: str


class ReadsRows(Named, Protocol):
    """What reading and checking rows asks of a kind."""

    text_columns: tuple[str, ...]
    """Canonical columns of text; their normalised content decides a row's split."""
    input_columns: tuple[str, ...]
    """Canonical columns from which the decoder reads what the model answers to."""
    target_column: str
    """Canonical column that holds what the model learns."""
    contradicts: bool
    """Whether two rows with the same text and different targets can't both be right."""
    least_labels: int
    """Different labels that there must be for anything to be learned; 0: this kind has none."""
    takes_any_text: bool
    """Whether any text may stand in the target's column: then rows without a target can be read as rows of this kind,
    with the text in its place."""
    fault_column: str | None
    """Canonical column that says why a row can't be read; None: whatever can't be read has no target."""

    @abstractmethod
    def column_types(self) -> dict[str, pa.DataType]:
        """Canonical columns of this kind with their Arrow types; the text and target columns are among them."""

    @abstractmethod
    def sources(self, columns: ColumnsSpec) -> tuple[str, ...]:
        """Names of the source's columns that are read."""

    @abstractmethod
    def canonical(self, batch: Batch, columns: ColumnsSpec) -> dict[str, pa.Array]:
        """The canonical columns of `batch`. Raises SourceError, naming file and line, for what can't be a row."""

    @abstractmethod
    def derived(self, rows: pa.Table, labels: Sequence[str]) -> dict[str, pa.Array]:
        """Columns that `expectations` look at and nobody keeps."""

    @abstractmethod
    def spec_problems(self, spec: PipelineSpec) -> list[Problem]:
        """What in `spec` does not fit this kind."""

    @abstractmethod
    def expectations(self, data: DataSpec) -> tuple[Expected, ...]:
        """Expectations every data set of this kind must meet."""

    @abstractmethod
    def labels_in(self, targets: pa.Array) -> pa.Array | None:
        """The labels of these rows in one array, each once a row; None: this kind has no labels."""

    @abstractmethod
    def label_rows(self, targets: pa.Array) -> tuple[np.ndarray, pa.Array]:
        """Each label that these rows hold: the number of its row, and its name; both empty: this kind has no labels."""

    @abstractmethod
    def respelled(self, targets: pa.Array, spelling: Mapping[str, str]) -> pa.Array:
        """`targets` with each label that `spelling` has as it has it; as they are, for a kind without labels."""


class LearnsTargets(Named, Protocol):
    """What training asks of a kind: targets as numbers, outputs, losses."""

    selection_metric: str
    """Chooses the best checkpoint; higher is better."""

    @abstractmethod
    def encode_targets(self, targets: pa.Array, encoded: Encoded, labels: Sequence[str]) -> pa.Array:
        """What the model learns, as numbers, one for each segment of `encoded` (a list: one for each of its tokens)."""

    @abstractmethod
    def labels_learned(self, targets: np.ndarray, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Where on the first axis of encoded `targets` a label is to be learned, and its number; both empty: nowhere,
        or this kind has no labels."""

    @abstractmethod
    def outputs(self, labels: Sequence[str]) -> int:
        """Width of the model's output."""

    @abstractmethod
    def output_names(self, labels: Sequence[str]) -> tuple[str, ...]:
        """What each output stands for, by which outputs of models with other labels are told to be the same."""

    @abstractmethod
    def statistics(self, targets: np.ndarray, labels: Sequence[str], training: TrainingSpec) -> dict[str, np.ndarray]:
        """What the loss, or the reading of outputs, must know of all encoded train targets; float32 arrays."""

    @abstractmethod
    def loss(
        self,
        outputs: torch.Tensor,
        targets: torch.Tensor,
        statistics: Mapping[str, torch.Tensor],
        training: TrainingSpec,
    ) -> torch.Tensor:
        """The scalar training loss of a batch."""

    @abstractmethod
    def soft_loss(
        self, outputs: torch.Tensor, soft: torch.Tensor, targets: torch.Tensor, temperature: float
    ) -> torch.Tensor:
        """How far the `outputs` for a batch are from those that a teacher gives for it, `soft`, as one number to be
        minimised: a mean over what is learned, as `loss` is. (Hinton et al. 2015, section 2.)

        `targets`: of the batch, as `loss` takes them. Outputs are divided by `temperature` first, and what comes out is
        multiplied by its square, so that gradients stay as large as those of `loss`.
        """

    @abstractmethod
    def decoding(
        self,
        outputs: Outputs,
        encoded: Encoded,
        targets: Sequence[Any],
        labels: Sequence[str],
        statistics: Mapping[str, np.ndarray],
    ) -> dict[str, Any]:
        """What the decoder must know beyond the labels, chosen on validation rows; JSON-ready.

        `outputs`: what the model gives for each segment of `encoded`; `targets`: values of the target column. A kind
        whose answers have scores gives their `temperature` here.
        """


class GivesAnswers(Named, Protocol):
    """What is asked of a kind by whoever looks at single answers, and at how an edit of the text moves them."""

    expected_forms: tuple[str, ...]
    """Settings of `expect` in a behavioural test that say something to this kind."""
    cascades: bool
    """Whether a linear model may answer easy rows: the outputs are one for each label, of which one is right."""
    degree_of: Literal["label", "number"] | None
    """What `degree` looks at: one label's score, or the number answered; None: there is nothing of the sort."""
    asks: Literal["label", "labels", "number", "spans"] | None
    """What a person who labels is asked of one text by itself, and what the model answers to it; None: of one text by
    itself nothing can be asked."""
    reads_whole: bool
    """Whether the whole of a text is read that is longer than `model.max_length`, window by window."""

    @abstractmethod
    def inputs(self, rows: pa.Table) -> list[Input]:
        """What the model reads of each row, from the kind's input columns."""

    @abstractmethod
    def labels_answered(self, prediction: Prediction) -> list[str]:
        """The labels that the answer names, each once; none: this kind has no labels, or the answer names none."""

    @abstractmethod
    def collapsed(self, predictions: Sequence[Prediction]) -> str | None:
        """What a model that learned nothing answers to everything; None: these answers differ."""

    @abstractmethod
    def same_answer(self, one: Prediction, other: Prediction) -> bool:
        """Whether two predictions tell a user the same, whatever their scores."""

    @abstractmethod
    def unmarked(self, texts: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Span, ...]]:
        """A behavioural case's texts without what a person marked in them, and the spans marked there, if any."""

    @abstractmethod
    def meets(self, expect: ExpectSpec, marks: Sequence[Span], prediction: Prediction) -> bool:
        """Whether `prediction` is what a behavioural test expects; `marks`: the spans marked in its text."""

    @abstractmethod
    def degree(self, prediction: Prediction, label: str | None) -> float:
        """What `degree_of` names: the score of `label`, or the number answered."""

    @abstractmethod
    def moved(self, prediction: Prediction, edits: Sequence[Edit]) -> Prediction:
        """What `prediction` would be if it meant the same after `edits` of the text, for `same_answer`."""

    @abstractmethod
    def shift(self, before: Prediction, after: Prediction) -> float:
        """How far (0 or more) the score of the answer `before` moved, once `moved`; a number's own unit for numbers."""

    @abstractmethod
    def without_text(self, prediction: Prediction) -> Prediction:
        """`prediction` without any of the row's own text, as it may be stored beside a run."""


class JudgesAnswers(Named, Protocol):
    """What evaluation asks of a kind: metrics, right and wrong, rivals."""

    headline_metric: str
    """What `export.max_drop` limits and tables show first; higher is better."""
    metrics: tuple[str, ...]
    """Names of the overall metrics."""
    label_metrics: tuple[str, ...]
    """Names of the metrics there are for each label."""
    lower_is_better: frozenset[str]
    not_resampled: frozenset[str]
    """Metrics that are no function of sums over rows: they have no interval, so no champion is compared by them, and
    no slice has them."""
    right_or_wrong: bool
    """Whether an answer is right or wrong, and not a matter of degree."""

    @abstractmethod
    def measure(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> Metrics:
        """Every metric of `predictions`, row by row beside `targets` (values of the target column)."""

    @abstractmethod
    def metric_sums(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[MetricSums, ...]:
        """What each row adds to the sums that the metrics of `measure` but `not_resampled` are made of."""

    @abstractmethod
    def right(self, target: Any, prediction: Prediction) -> bool | None:
        """Whether `prediction` is what `target` (a value of the target column) asks for; None: a matter of degree."""

    @abstractmethod
    def sureness(self, prediction: Prediction) -> float:
        """How sure the model was of its answer, 0 to 1, to list the worst mistakes first."""

    @abstractmethod
    def scored(self, targets: Sequence[Any], predictions: Sequence[Prediction]) -> tuple[list[float], list[bool]]:
        """Each score that `predictions` tell, and whether what it is the score of is so; empty: this kind has none."""

    @abstractmethod
    def shared(
        self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> tuple[list[Any], list[Prediction]]:
        """The part of `targets` and `predictions` that is about `labels`, some of all, for comparing two models."""

    @abstractmethod
    def baselines(self, train: pa.Table, test: pa.Table, labels: Sequence[str]) -> dict[str, list[Prediction]]:
        """Predictions for `test` of simple models trained on `train`, by name; both hold the canonical columns."""


class ReviewsTargets(Named, Protocol):
    """What is asked of a kind where people look at targets and correct them."""

    doubts_need_details: bool
    """Whether `doubts` takes predictions with details (`Predictor.predict`), or answers as they are."""

    @abstractmethod
    def doubts(self, targets: Sequence[Any], predictions: Sequence[Prediction], labels: Sequence[str]) -> list[Doubt]:
        """Rows whose targets `predictions`, of a model that did not learn them, contradict."""

    @abstractmethod
    def target_in_words(self, target: Any) -> str:
        """A value of the target column as a person reads and writes it in one cell."""

    @abstractmethod
    def target_of_words(self, words: str, labels: Sequence[str]) -> Any:
        """The value of the target column that `words` mean. Raises ValueError that says what is wrong with them."""

    @abstractmethod
    def beside_text(self, words: str, texts: Sequence[str]) -> str:
        """`words` of `target_in_words` as a person corrects them beside the row's texts."""

    @abstractmethod
    def misfit(self, words: str, text: str | None) -> str | None:
        """Why `words` can't be about the row with this first text; None: they can."""


class RecognisesFiles(Named, Protocol):
    """What `init` asks of a kind: whether a file is for it, and which pipeline to begin with."""

    wording: Wording
    roles: tuple[str, ...]
    """Columns it reads or may read, as `data.columns` names them."""
    recognised_after: int
    """A file is shown to the kinds in this order, the one with the most telling columns first. What none of them takes
    it for is left to the last."""
    shape: RowShape | None
    """By which a file of another kind is said to do for this one as well; None: none does."""

    @abstractmethod
    def recognise(self, sample: FileSample, given: Given, *, forced: bool) -> RecognisedColumns | None:
        """The columns of a file of this kind; None: it is none.

        `forced`: a user says that it is of this kind. Raises SpecError when it can't be.
        """

    @abstractmethod
    def conflict_of_roles(self, roles_named: Sequence[str]) -> str | None:
        """What is wrong with these of its roles being given together; None: nothing."""

    @abstractmethod
    def oddity(self, sample: FileSample) -> str | None:
        """What looks like rows of this kind that can't be read, in words with what is expected instead."""

    @abstractmethod
    def floor(self, counted: CountedRows) -> Floor:
        """The floor under a first model of these rows."""

    @abstractmethod
    def majority(self, counted: CountedRows) -> float | None:
        """Share of the commonest label where each row has one; None: rows may have several, or none."""

    @abstractmethod
    def cautions(self, counted: CountedRows) -> Iterator[str]:
        """What a person should know of these rows before the first run and other kinds need not be told."""


class Kind(ReadsRows, LearnsTargets, GivesAnswers, JudgesAnswers, ReviewsTargets, RecognisesFiles, Protocol):
    """All that a kind of task decides; the steps do the rest, and each asks for its own part by name."""

"""Settings of the data: where labelled rows come from, and what is expected of them."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from perennial.settings.base import Label, Settings, Share, Span, as_list

AnnotationTool = Literal[
    "label-studio", "doccano", "prodigy", "argilla", "potato", "spacy", "conll", "conllu", "brat", "fasttext"
]
Severity = Literal["critical", "warning", "info"]
MissingLabels = Literal["set_aside", "none"]
Contradictions = Literal["set_aside", "newest", "majority"]
FUTURE_TOLERANCE = timedelta(days=1)
SPLITS = ("train", "validation", "test")


class FileSource(Settings):
    """Files on this machine: CSV, TSV, JSONL or Parquet, plain or gzipped; or what an annotation tool exported."""

    type: Literal["file"]
    """file: what makes this a source of files."""
    path: Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1)]
    """Paths or globs, relative to the pipeline's folder."""
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "arrow"] | AnnotationTool = "auto"
    """auto: exports of annotation tools by what is in them, others by the file's ending (.csv, .tsv, .jsonl, .ndjson,
    .json, .parquet, .arrow, each also with .gz). With a table's format an export is read as the plain table it is."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Of CSV; None: a comma (a tab for TSV)."""
    annotators: Literal["majority", "unanimous", "newest"] = "majority"
    """Of an annotation tool's exports: which answer a text has that several people labelled. majority: what most said;
    of several labels, and of spans, those that more than half gave; of numbers the median. unanimous: only what all
    said. newest: what was said last. A text without such an answer is set aside, for `perennial review`."""
    offsets: Literal["auto", "characters", "utf-16", "utf-8", "graphemes", "html", "rendered"] = "auto"
    """Of an annotation tool's exports: what its spans count. auto: as their own texts, or where they begin and end,
    tell; else what the tool is known to count (doccano: UTF-16)."""
    unlabelled: Literal["set_aside", "none"] = "set_aside"
    """Of an annotation tool's exports: texts without a label of which the export does not tell whether somebody looked
    at them (doccano, fastText). none: they have no label, or no spans, and are learned so; data.missing_labels: none
    says the same."""


class HuggingFaceSource(Settings):
    """A data set of the `datasets` library: a hub name, or a local folder that `load_dataset` or `load_from_disk`
    reads."""

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
    """May use the bound parameter :watermark, the newest time already read (the epoch on the first run). Compare with
    >=, as in created_at >= :watermark: rows that are known count once, and > would miss rows of the same instant."""
    lookback: Span = Field(
        default=timedelta(0), exclude_if=lambda lookback: not lookback, json_schema_extra={"default": "0 days"}
    )
    """How much earlier than the newest time already read :watermark is, such as 1 day: rows that are committed late,
    after newer ones were read, are taken in then. As long as the longest transaction; known rows count once."""


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
    """When the row came to be; rows not newer than the newest already read are not read again. A row without a time is
    set aside, and so is one dated in the future (data.future_tolerance)."""
    id: str | None = None
    """A stable row id: of two rows with the same one the newer counts, by `time`, or the one read later where there is
    none. None: a hash of the row's content."""
    deleted: str | None = None
    """The column that says (true, yes, 1) that the row with this id is gone; such a row needs an id and a time, nothing
    else. None: none is ever deleted."""
    slices: tuple[str, ...] = ()
    """Columns kept with each row beside its text: expectations may name them, and rows can be told apart by them."""
    group: str | None = Field(default=None, exclude_if=lambda group: group is None)
    """The column that says which rows belong together (a customer, an article, a thread): intervals and min_n count
    groups then, not rows. A row without one is by itself. None: rows with the same text belong together, of pairs
    those that share one."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Columns of the source that are kept with each row beside the kind's own, each once."""
        return self.slices if self.group is None or self.group in self.slices else (*self.slices, self.group)

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
    corrections: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()
    """CSV files, relative to the pipeline's folder, with the columns row_id and label: labels that a person mended, or
    `drop` to take a row out. Of two corrections of a row the later one counts. `perennial review NAME` writes such a
    file."""
    expectations: tuple[ExpectationSpec, ...] = ()
    """On top of the built-in ones: text there and not blank, label known, one label a text, enough rows, …"""
    splits: SplitsSpec = SplitsSpec()
    """How rows are divided into train, validation and test."""
    max_text_length: int = Field(default=100_000, gt=0)
    """Characters; longer texts are quarantined: far beyond any model's reach, and usually a broken file."""
    future_tolerance: Span = Field(
        default=FUTURE_TOLERANCE,
        exclude_if=lambda tolerance: tolerance == FUTURE_TOLERANCE,
        json_schema_extra={"default": "1 day"},
    )
    """How far after now a row's time may lie, such as 1 day: clocks and time zones differ by hours. Later ones are
    mistakes: such rows are set aside, and never taken for the newest time read."""
    missing_labels: MissingLabels = Field(default="set_aside", exclude_if=lambda meaning: meaning == "set_aside")
    """What a row means whose label (multi-label) or spans are not there: null, no such key, an empty cell. set_aside:
    nobody looked at it, so it is quarantined and counted. none: somebody did and found none, and it is learned so. An
    empty list, [], always says that there is none."""
    contradictions: Contradictions = Field(default="set_aside", exclude_if=lambda rule: rule == "set_aside")
    """What counts where rows with the same text have different labels. set_aside: none of the new ones; those that
    were learned before stay. newest: what the newest row says (by time; else the one read last), so that a change of
    the labels' meaning is learned. majority: what most rows say, so that one wrong label takes out itself and not every
    copy; a tie is set aside. Rows that lose are counted and listed, older ones are taken out."""
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

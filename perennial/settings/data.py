"""Settings of the data: where labelled rows come from, and what is expected of them."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from perennial.settings.base import Label, Settings, Share, Span, as_list

AnnotationTool = Literal[
    "label-studio",
    "doccano",
    "prodigy",
    "argilla",
    "potato",
    "spacy",
    "conll",
    "conllu",
    "brat",
    "fasttext",
    "perennial",
]
TimeFormat = Literal["epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "day_first", "month_first"]
Severity = Literal["critical", "warning", "info"]
MissingLabels = Literal["set_aside", "none"]
Contradictions = Literal["set_aside", "newest", "majority"]
FUTURE_TOLERANCE = timedelta(days=1)
SPLITS = ("train", "validation", "test")


class FileSource(Settings):
    """Files on this machine: CSV, TSV, JSON or Parquet, plain or packed; or what an annotation tool exported."""

    type: Literal["file"]
    """file: what makes this a source of files."""
    path: Annotated[tuple[str, ...], BeforeValidator(as_list), Field(min_length=1)]
    """Paths or globs, relative to the pipeline's folder."""
    format: Literal["auto", "csv", "tsv", "jsonl", "parquet", "arrow"] | AnnotationTool = "auto"
    """auto: exports of annotation tools by what is in them, others by the file's ending (.csv, .tsv, .jsonl, .ndjson,
    .json, .parquet, .arrow, each also with .gz, .bz2, .xz, .zst or .zip). With a table's format an export is read as
    the plain table it is. jsonl is any JSON of rows: an object a line, an array, an array in an object."""
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    """Of CSV; None: a comma (a tab for TSV), or, where the header has not the columns that are read then, the one by
    which it has them."""
    escape: str | None = Field(default=None, min_length=1, max_length=1, exclude_if=lambda escape: escape is None)
    """Of CSV and TSV: what stands before a quote inside a quoted cell: a backslash in what MySQL and Spark write, where
    an unquoted \\N is an empty cell. None: such a quote is written twice, as in most files."""
    quoting: Literal["quotes", "none"] = Field(default="quotes", exclude_if=lambda quoting: quoting == "quotes")
    """Of CSV and TSV. quotes: cells may stand in double quotes, and then hold delimiters and line ends. none: a quote
    is a character like any other, and each line a row."""
    skip_lines: int = Field(default=0, ge=0, exclude_if=lambda lines: lines == 0)
    """Of CSV and TSV: lines above the header, such as a title. Excel's line `sep=;` need not be counted: it is read as
    what it says."""
    header: bool = Field(default=True, exclude_if=lambda header: header)
    """Of CSV and TSV: whether the first line has the columns' names. false: they are called column_1, column_2, …"""
    blank_lines: Literal["skipped", "end_sentences"] = Field(
        default="skipped", exclude_if=lambda blank_lines: blank_lines == "skipped"
    )
    """Of CSV and TSV with data.columns.tokens. skipped: they mean nothing. end_sentences: each row is one token with
    its tag, and a line without a cell ends a sentence, which makes one row."""
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

    def how_written(self, form: str) -> dict[str, Any]:
        """What these settings say of a table of this form, csv or tsv, as `Dialect` has it."""
        return {
            "delimiter": self.delimiter or ("\t" if form == "tsv" else None),
            "escape": self.escape,
            "quoted": self.quoting == "quotes",
            "skip_lines": self.skip_lines,
            "header": self.header,
            "blank_rows": self.blank_lines == "end_sentences",
        }


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
    """Commit, tag or branch; required for a hub name. A tag or branch may move: each run asks which commit it is, and
    reads that one. A commit can't, and needs no asking."""


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
    separator: str | None = Field(default=None, min_length=1, exclude_if=lambda separator: separator is None)
    """multi-label: what stands between the labels of a cell of plain text. None: the first of |, ; and a comma that is
    in it."""
    one_hot: tuple[str, ...] = Field(default=(), exclude_if=lambda one_hot: not one_hot)
    """multi-label: columns that are each called as a label, with 1 (true, yes, x, its own name) where it holds and 0
    (false, no, nothing) where not; they are read instead of `label`. A row in which all are empty has no label
    (data.missing_labels)."""
    tokens: str | None = None
    """token-classification: the column with a list of words, also as JSON or parted by spaces; None: rows are a text
    with spans."""
    tags: str = "tags"
    """token-classification, with tokens: the column with a tag for each token: BIO, IOBES, BMES or BIOLU."""
    sentence: str | None = Field(default=None, exclude_if=lambda sentence: sentence is None)
    """token-classification, where each row of the source is one token with its tag: the column that says of which
    sentence it is, in each row or in a sentence's first one. The rows of a sentence, which must follow each other, are
    put together as one. None: a row has all tokens of a text."""
    spans: str = "spans"
    """token-classification, without tokens: the column with a list of {start, end, label}, or of [start, end,
    label], in characters of the text."""
    time: str | None = None
    """When the row came to be; rows not newer than the newest already read are not read again. A row without a time is
    set aside, and so is one dated in the future (data.future_tolerance)."""
    time_format: TimeFormat | None = Field(default=None, exclude_if=lambda form: form is None)
    """How times are written that don't tell it themselves: as seconds, milliseconds, microseconds or nanoseconds since
    1970, or as a date such as 03/04/2025 of which one number is the day. None: ISO 8601, seconds, a date with the
    month's English name, a time of the source's own. `init` finds it by the whole file; here, so that every file that
    comes later is read alike."""
    decimal: Literal[".", ","] | None = Field(default=None, exclude_if=lambda mark: mark is None)
    """regression: the decimal mark of numbers that people wrote; the other mark, spaces and apostrophes part thousands
    (1.234,5 or 1,234.5). None: numbers are plain, as programs write them: 1234.5."""
    unit: str | None = Field(default=None, min_length=1, exclude_if=lambda unit: unit is None)
    """regression, with decimal: a currency or % that may stand beside the number, and is left away; a number with
    another one is not read."""
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
    groups then, not rows, and with data.splits.by: group a group is in one split. A row without one is by itself. None:
    rows with the same text belong together, of pairs those that share one."""

    @property
    def kept(self) -> tuple[str, ...]:
        """Columns of the source that are kept with each row beside the kind's own, each once."""
        return self.slices if self.group is None or self.group in self.slices else (*self.slices, self.group)

    @model_validator(mode="after")
    def _deleted_by_id(self) -> Self:
        if self.deleted is not None and self.id is None:
            raise ValueError("deleted goes with id: without one it can't be told which row is gone")
        return self

    @model_validator(mode="after")
    def _sentence_of_tokens(self) -> Self:
        if self.sentence is not None and self.tokens is None:
            raise ValueError("sentence goes with tokens: it says which of them belong together; name their column")
        return self

    @model_validator(mode="after")
    def _forms_of_columns(self) -> Self:
        if self.time_format is not None and self.time is None:
            raise ValueError("time_format goes with time: without one there is nothing to read so")
        if self.unit is not None and self.decimal is None:
            raise ValueError("unit goes with decimal: a number with a unit was written by people; say its decimal mark")
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


SplitUnit = Literal["text", "folded_text", "first_text", "second_text", "group"]
BY_TEXT: SplitUnit = "text"


class SplitsSpec(Settings):
    """How rows are divided, by a hash of what they must not share across splits. Changing it moves rows: judge no old
    champion after that."""

    by: SplitUnit = Field(default=BY_TEXT, exclude_if=lambda by: by == BY_TEXT)
    """What rows have to share to be in one split for ever. text: the text, but for case, width and white space, as in
    pipelines made before there was a choice; theirs stays, or rows would move. folded_text: the text's letters alone,
    without punctuation, digits, markup and invisible characters too, so that copies edited a little stay together; of
    two texts read together, both. first_text, second_text: of two texts read together this one's letters alone, so that
    it is in no two splits. group: data.columns.group; a row without one goes by folded_text. `perennial init` writes
    folded_text, or of two texts the one that is repeated more."""
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
    fold_labels: bool = Field(default=False, exclude_if=lambda fold: not fold)
    """Whether a label that differs from one of data.labels only in case, width or a trailing .0 (`Positive`,
    `POSITIVE`, `1.0`) is read as that one; how often is told. Blanks make no other label either way. false: such rows
    are set aside, and told, as pipelines of older versions do; `init` writes true."""
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

    @property
    def has_token_rows(self) -> bool:
        """Whether a row of the source is one token, which is put together with others to a sentence."""
        by_lines = isinstance(self.source, FileSource) and self.source.blank_lines == "end_sentences"
        return self.columns.tokens is not None and (by_lines or self.columns.sentence is not None)

    @model_validator(mode="after")
    def _lines_of_tokens(self) -> Self:
        by_lines = isinstance(self.source, FileSource) and self.source.blank_lines == "end_sentences"
        if by_lines and (self.columns.tokens is None or self.columns.sentence is not None):
            raise ValueError(
                "source.blank_lines: end_sentences goes with columns.tokens, and without columns.sentence: name the "
                "column of tokens, and what ends a sentence once"
            )
        return self

    @model_validator(mode="after")
    def _groups_kept_whole(self) -> Self:
        group, by = self.columns.group, self.splits.by
        if by == "group" and group is None:
            raise ValueError("splits.by: group needs columns.group, the column that says which rows belong together")
        if group is not None and by not in ("group", BY_TEXT):
            raise ValueError(
                f"columns.group names {group!r}, and splits.by: {by} would part its groups; say splits.by: group (or "
                "text, if this pipeline has split by text so far and its champion is to be judged on the same rows)"
            )
        return self

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"label {twice[0]!r} is there more than once; name each label once")
        return labels

"""What the steps from a source to token ids hand on. Every path is relative to the store's root."""

from collections.abc import Sequence

from pydantic import Field

from perennial.core.record import Record


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
    hits: dict[int, int] = Field(default={})
    """By the number of a part, how many of its rows go; empty: none goes, and only what was read is remembered."""
    deleted: int = 0
    """How many of them were deleted; the others were replaced by a row in a later part."""


class AnnotatorAgreement(Record):
    """How far the people who labelled the same texts agree."""

    texts: int
    """Texts that more than one person labelled."""
    annotators: int
    differing: int
    """Texts of which people said different things."""
    undecided: int
    """Texts among them that were set aside, as no answer had the texts by the pipeline's rule."""
    alpha: float | None
    """Krippendorff's alpha: 1 all agree, 0 as by chance. None: not known, such as where all gave one answer."""
    low: float | None
    high: float | None
    """The interval's ends, 95%, by the bootstrap."""
    judged: str
    """What was compared: labels, sets of labels, numbers, or words with the span they lie in."""


class SourceReading(Record):
    """What became of an annotation tool's exports when they were read."""

    tool: str
    left_out: dict[str, int] = Field(default={})
    """By reason."""
    changed: dict[str, int] = Field(default={})
    """Spans converted, trimmed or widened, and the like, by what was done."""
    first_places: dict[str, str] = Field(default={})
    """Where the first of each is."""
    agreement: AnnotatorAgreement | None = None
    """None: nobody labelled what another had, or it is not known who did."""


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
    kept_splits: int = Field(default=0, exclude_if=lambda kept_splits: not kept_splits)
    """Rows this run appended to the split that their id had before, where their text by itself belongs to another."""
    deleted_rows: int = 0
    """Rows that are gone because this run read that they were deleted."""
    repeated_rows: int
    """Rows this run read and left out because it knew them, or a newer one with the same id, already."""
    late_rows: int
    """Unseen rows this run left out because they are older than the watermark of a file read before."""
    forgotten_rows: int = Field(default=0, exclude_if=lambda rows: not rows)
    """Rows this run read and set aside because they were forgotten (`perennial forget`)."""
    watermark: str | None
    """The newest time among the rows, ISO 8601 in UTC; None: no time column."""
    readings: tuple[SourceReading, ...] = Field(default=(), exclude_if=lambda readings: not readings)
    """What became of annotation tools' exports, as they were read last."""


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
    outvoted: int = Field(default=0, exclude_if=lambda rows: not rows)
    """Rows that contradict others which data.contradictions puts before them: in the file of rows set aside, and not
    counted as quarantined."""


def agreement_in(readings: Sequence[SourceReading]) -> AnnotatorAgreement | None:
    """How far the people agree who labelled the same texts; None: nobody did, as far as is known."""
    return next((reading.agreement for reading in readings if reading.agreement is not None), None)


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
    outvoted: int = Field(default=0, exclude_if=lambda rows: not rows)
    """Rows that contradicted others which data.contradictions put before them, as they came; not in `quarantined`."""
    superseded: int = Field(default=0, exclude_if=lambda rows: not rows)
    """Good rows that newer ones were put before since, for the same reason."""
    warnings: tuple[str, ...]
    """What severity `warning` found beyond rows, in words."""
    readings: tuple[SourceReading, ...] = Field(default=(), exclude_if=lambda readings: not readings)
    """What became of annotation tools' exports when they were read; their texts and labels are among the rows."""
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

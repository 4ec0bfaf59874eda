"""What is in a data file: which kind of task, which column is what, which labels, and which settings fit."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from perennial import kinds
from perennial.core import progress
from perennial.core.errors import SpecError
from perennial.core.record import Record
from perennial.init import file_census, token_files, token_lengths, whole_file_checks
from perennial.init.data_file import DataFile, data_file
from perennial.init.file_census import Census
from perennial.init.recognise import RecognisedKind, recognise
from perennial.init.shape_warnings import shape_warnings
from perennial.init.split_unit import split_unit
from perennial.init.warnings import warnings
from perennial.init.written_values import WrittenForms, written_forms
from perennial.kinds.protocols import Kind
from perennial.kinds.recognition import columns
from perennial.kinds.recognition.column_choice import ColumnChoice
from perennial.kinds.recognition.sample import FileSample, Given
from perennial.rows import far_numbers
from perennial.settings.data import SPLITS, ColumnsSpec, DataSpec, MissingLabels, SplitUnit
from perennial.settings.pipeline import PipelineSpec

SAMPLED_ROWS = 20_000


class Guess(Record):
    """What `perennial init` found, ready to be shown, overridden and written."""

    name: str
    data: str
    """The file's path as it was given."""
    delimiter: str | None
    """Of a CSV file, where it is not a comma."""
    written: dict[str, str | int | bool] = Field(default_factory=dict)
    """How else a CSV or TSV is written, where it is not as most are, as settings of data.source."""
    format: str | None = None
    """The annotation tool that wrote the file; None: it is a table."""
    kind: str
    kind_reason: str
    kind_alternatives: tuple[str, ...]
    """Kinds that would do as well."""
    text: ColumnChoice | None = None
    """This and the other columns: None where the kind reads no such column."""
    text_pair: ColumnChoice | None = None
    label: ColumnChoice | None = None
    one_hot: ColumnChoice | None = None
    separator: str | None = None
    """What stands between the labels of a cell, where that must be said."""
    tokens: ColumnChoice | None = None
    tags: ColumnChoice | None = None
    sentence: ColumnChoice | None = None
    spans: ColumnChoice | None = None
    time: ColumnChoice
    id: ColumnChoice
    slices: tuple[ColumnChoice, ...]
    forms: dict[str, str]
    """How times and numbers are written, as data.columns says it."""
    rows: int
    labels: dict[str, int]
    """Rows with each label, in the order the labels are written."""
    fold_labels: bool
    """Whether other spellings of a label are read as it."""
    label_rows: dict[str, dict[str, int]]
    """Rows per split and label."""
    numbers: tuple[float, float] | None
    """The least and the greatest number that is learned; None: labels are."""
    far_numbers: str | None
    """The expectation that sets numbers aside which are far from the rest; None: there are none."""
    max_tokens: int
    """Estimated tokens that 99 of 100 rows don't exceed."""
    max_length: int
    floor_metric: str
    floor: float
    floor_basis: str
    """What the same answer to everything reaches, in words."""
    majority: float | None
    """Share of the commonest label where each row has one."""
    min_rows_per_label: int
    splits_by: SplitUnit
    """What rows must not share across splits."""
    warnings: tuple[str, ...]
    contradicted: float = 0.0
    """Share of the rows whose text has another label elsewhere."""
    missing_labels: int = 0
    """Rows without a label where a row can have none."""
    missing_means: MissingLabels = "set_aside"
    """What they mean."""

    @property
    def read(self) -> dict[str, ColumnChoice]:
        """The columns that the kind reads, by role."""
        choices = {role: getattr(self, role) for role in (*Given.__dataclass_fields__, "one_hot", "sentence")}
        return {role: choice for role, choice in choices.items() if choice is not None}

    def as_json(self) -> dict[str, Any]:
        """The guess as JSON can hold it."""
        return self.model_dump(mode="json")


def plan(
    name: str,
    data: Path,
    *,
    kind: str | None = None,
    text: str | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    tokens: str | None = None,
    tags: str | None = None,
    sentence: str | None = None,
    spans: str | None = None,
    time: str | None = None,
    id: str | None = None,  # noqa: A002  (as the setting and the option are called)
    slices: Sequence[str] | None = None,
    delimiter: str | None = None,
    time_format: str | None = None,
    decimal: str | None = None,
) -> Guess:
    """Look at the CSV, TSV, JSON or Parquet file `data`, a folder of such, or an annotation tool's export, and guess
    what a pipeline `name` for it needs.

    The kind, columns and forms may be given instead of guessed; "" for time and id (for slices [""]) means none. Reads
    about 20,000 rows to guess by and then the guessed columns of the whole file, in bounded memory. Raises SpecError
    for a name, kind or column that can't be, SourceError for a file that can't be read or learned from.
    """
    _check_name(name)
    whole = data_file(data)
    if whole.annotated is None:
        whole.look_at_dialect(delimiter)
    progress.advance(0, None, detail=f"looking at {data.name}")
    given = Given(text=text, text_pair=text_pair, label=label, tokens=tokens, tags=tags, spans=spans)
    looked = token_files.looked_at(whole, file_census.head(whole, SAMPLED_ROWS), given, kind, sentence)
    sample = FileSample(looked.cells)
    recognised = recognise(FileSample(whole.may_be_learned(looked.cells)), given, kind)
    taken = [name for choice in recognised.columns.values() for name in choice.names]
    # People don't label texts in the order in which they came to be: a watermark would leave out older ones.
    time_choice = columns.time(sample.columns, taken, "" if time is None and whole.annotated else time)
    id_choice = columns.row_id(sample.columns, [*taken, time_choice.column or ""], id)
    used = [*taken, *(choice.column for choice in (time_choice, id_choice) if choice.column)]
    slice_choices = columns.slices(sample.columns, used, slices)
    kind_known = kinds.kind_named(recognised.kind)
    text_roles = [role for role in kind_known.text_columns if role in recognised.columns]
    splits_by = split_unit([sample.cells[recognised.columns[name].column or ""] for name in text_roles])
    forms = written_forms(
        whole,
        kind_known,
        sample,
        _columns(recognised, time_choice, id_choice, slice_choices),
        time_choice,
        time_given=bool(time),
        time_format=time_format,
        decimal=decimal,
    )
    time_choice = forms.time
    census = file_census.take_census(
        whole, kind_known, _columns(recognised, time_choice, id_choice, slice_choices, forms), splits_by
    )
    time_choice = whole_file_checks.checked_time(time_choice, census, given=bool(time))
    sound_id = whole_file_checks.checked_row_id(id_choice, census, given=bool(id))
    if sound_id.column != id_choice.column:
        # Rows were told apart by what is no id.
        census = file_census.take_census(
            whole, kind_known, _columns(recognised, time_choice, sound_id, slice_choices, forms), splits_by
        )
    target = list(recognised.columns)[-1]
    whole_file_checks.check_whole_file(data, kind_known, target, recognised.columns[target], census, forms.no_numbers)
    return Guess(
        name=name,
        data=str(whole.pattern),
        delimiter=whole.delimiter,
        written=_written(whole),
        format=whole.source_format,
        kind=recognised.kind,
        kind_reason=recognised.reason,
        kind_alternatives=recognised.alternatives,
        **recognised.columns,
        sentence=looked.sentence,
        separator=recognised.separator,
        time=time_choice,
        id=sound_id,
        slices=slice_choices,
        splits_by=splits_by,
        forms=forms.settings_for(time_choice),
        **_settings(
            kind_known, census, (*shape_warnings(whole, sample, recognised), *_warnings_of_reading(whole, forms))
        ),
    )


def _warnings_of_reading(data: DataFile, forms: WrittenForms) -> tuple[str, ...]:
    """What of an annotation tool's export was left out or changed, and what is no number."""
    if data.annotated is None:
        return (forms.no_numbers,) if forms.no_numbers else ()
    return tuple(f"{data.annotated.form.tool.title}: {sentence}." for sentence in data.outcome.tally.sentences())


def _columns(
    recognised: RecognisedKind,
    time: ColumnChoice,
    row_id: ColumnChoice,
    slices: Sequence[ColumnChoice],
    forms: WrittenForms | None = None,
) -> ColumnsSpec:
    names = {role: choice.columns or choice.column for role, choice in recognised.columns.items()}
    kept = tuple(choice.column for choice in slices if choice.column)
    written = forms.settings_for(time) if forms else {}
    others = {"time": time.column, "id": row_id.column, "slices": kept, "separator": recognised.separator}
    return ColumnsSpec.model_validate({**names, **others, **written})


def _written(data: DataFile) -> dict[str, str | int | bool]:
    if data.dialect is None:
        return {}
    dialect, settings = data.dialect, dict[str, str | int | bool]()
    if dialect.escape:
        settings["escape"] = dialect.escape
    if not dialect.quoted:
        settings["quoting"] = "none"
    if dialect.skip_lines:
        settings["skip_lines"] = dialect.skip_lines
    if not dialect.header:
        settings["header"] = False
    if dialect.blank_rows:
        settings["blank_lines"] = "end_sentences"
    return settings


def _settings(kind: Kind, census: Census, export_warnings: tuple[str, ...]) -> dict[str, Any]:
    counts = census.rows_per_label
    names = ordered(counts)
    label_rows = {split: {name: max(census.labels[split][name], 0) for name in names} for split in SPLITS}
    usual = int(DataSpec.model_fields["min_rows_per_label"].default)
    far = far_numbers.far_numbers(census.numbers)
    floor, majority, tokens = kind.floor(census), kind.majority(census), token_lengths.longest(census.tokens)
    return {
        "rows": census.rows,
        "labels": {name: max(counts[name], 0) for name in names},
        "fold_labels": bool(names) and census.spellings.fold,
        "label_rows": label_rows,
        "numbers": (min(census.numbers), max(census.numbers)) if census.numbers else None,
        "far_numbers": far.expectation(kind.target_column) if far else None,
        "max_tokens": tokens,
        "max_length": token_lengths.max_length(tokens),
        "floor_metric": floor.metric,
        "floor": floor.value,
        "floor_basis": floor.basis,
        "majority": majority,
        "min_rows_per_label": min([usual, *(rows for labels in label_rows.values() for rows in labels.values())]),
        "contradicted": census.contradicted,
        "missing_labels": census.missing_labels,
        "missing_means": census.missing_means,
        "warnings": (*export_warnings, *warnings(kind, census, label_rows, tokens, majority)),
    }


def ordered(labels: Counter[str]) -> list[str]:
    """Labels as reports show them: numbers by their value, others by name."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels, key=lambda label: (label.casefold(), label))


def _check_name(name: str) -> None:
    pattern = next(rule.pattern for rule in PipelineSpec.model_fields["name"].metadata if hasattr(rule, "pattern"))
    if not re.match(pattern, name):
        offer = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
        raise SpecError(
            f"{name!r} can't be a pipeline's name: expected lower-case letters, digits, - and _, at most 63, with a "
            "letter or digit first.",
            remedy=f"Try {offer!r}." if offer else "Try a name such as 'sentiment'.",
        )

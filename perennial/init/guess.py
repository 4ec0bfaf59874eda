"""What is in a data file: which column is what, which labels there are, and which settings fit."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from perennial import progress
from perennial.artifacts import Record
from perennial.data import profile
from perennial.data.sources import file
from perennial.errors import SourceError, SpecError, listing
from perennial.init import census as counting
from perennial.init import columns as roles
from perennial.init.census import MAX_LABELS, Census
from perennial.init.columns import Choice
from perennial.init.delimiter import sniff
from perennial.spec import SPLITS, DataSpec, FileSource, PipelineSpec

SAMPLED_ROWS = 20_000
LENGTHS = (128, 256, 512)
"""Tokens. 512 is where the default base model ends; below 128 nothing is gained, as batches are padded to their own."""
TOKENS_PER_WORD = 1.4
CHARACTERS_PER_TOKEN = 1.5
"""In scripts without spaces."""
MARKS = 2
"""[CLS] and [SEP]."""
LOPSIDED = 0.8
"""Share of the commonest label from which accuracy says little."""
ABOVE_CHANCE = 0.2
"""Part of the way from always answering the commonest label to no errors: noisy sets of many labels reach it, a model
that learned nothing does not."""
NOTICEABLE = 0.05


class Guess(Record):
    """What `perennial init` found, ready to be shown, overridden and written."""

    name: str
    data: str
    """The file's path as it was given."""
    delimiter: str | None
    """Of a CSV file, where it is not a comma."""
    text: Choice
    label: Choice
    time: Choice
    id: Choice
    slices: tuple[Choice, ...]
    rows: int
    labels: dict[str, int]
    """Rows with each label, in the order the labels are written."""
    label_rows: dict[str, dict[str, int]]
    """Rows per split and label."""
    tokens: int
    """Estimated tokens that 99 of 100 texts don't exceed."""
    max_length: int
    floor_metric: str
    floor: float
    majority: float
    """Share of the commonest label."""
    min_rows_per_label: int
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The guess as JSON can hold it."""
        return self.model_dump(mode="json")


def plan(
    name: str,
    data: Path,
    *,
    text: str | None = None,
    label: str | None = None,
    time: str | None = None,
    id: str | None = None,  # noqa: A002  (as the setting and the option are called)
    slices: Sequence[str] | None = None,
    delimiter: str | None = None,
) -> Guess:
    """Look at the CSV, TSV, JSONL or Parquet file `data` and guess what a pipeline `name` for it needs.

    Columns may be given instead of guessed; "" (for slices [""]) means none. Reads about 20,000 rows to guess
    by and then the guessed columns of the whole file, in bounded memory. Raises SpecError for a name or column that
    can't be, SourceError for a file that can't be read or learned from.
    """
    _check_name(name)
    delimiter = delimiter or _delimiter(data)
    progress.advance(0, None, detail=f"looking at {data.name}")
    sample = counting.head(data, delimiter, SAMPLED_ROWS)
    seen = profile.of_columns(sample)
    text_choice = roles.text(seen, text)
    label_choice = roles.label(seen, _chosen(text_choice), label)
    taken = [_chosen(text_choice), _chosen(label_choice)]
    time_choice = roles.time(seen, taken, time)
    id_choice = roles.row_id(seen, [*taken, time_choice.column or ""], id)
    used = [*taken, *(choice.column for choice in (time_choice, id_choice) if choice.column)]
    slice_choices = roles.slices(seen, used, slices)
    census = _count(data, taken, time_choice, id_choice, slice_choices, delimiter)
    time_choice = _sound_time(time_choice, census, given=bool(time))
    sound_id = _sound_id(id_choice, census, given=bool(id))
    if sound_id.column != id_choice.column:
        # Rows were told apart by what is no id.
        census = _count(data, taken, time_choice, sound_id, slice_choices, delimiter)
    _check(data, label_choice, census)
    return Guess(
        name=name,
        data=str(data),
        delimiter=delimiter,
        text=text_choice,
        label=label_choice,
        time=time_choice,
        id=sound_id,
        slices=slice_choices,
        **_settings(census, _tokens(sample[taken[0]])),
    )


def _count(
    data: Path, taken: Sequence[str], time: Choice, row_id: Choice, slices: Sequence[Choice], delimiter: str | None
) -> Census:
    text, label = taken
    names = [choice.column for choice in slices if choice.column]
    return counting.take(data, text, label, time=time.column, row_id=row_id.column, slices=names, delimiter=delimiter)


def _settings(census: Census, tokens: int) -> dict[str, Any]:
    counts = census.rows_per_label
    names = ordered(counts)
    majority = max(counts.values()) / max(counts.total(), 1)
    metric, floor = _floor(majority, len(counts))
    label_rows = {split: {name: max(census.labels[split][name], 0) for name in names} for split in SPLITS}
    least = min(rows for labels in label_rows.values() for rows in labels.values())
    return {
        "rows": census.rows,
        "labels": {name: max(counts[name], 0) for name in names},
        "label_rows": label_rows,
        "tokens": tokens,
        "max_length": next((length for length in LENGTHS if length >= tokens), LENGTHS[-1]),
        "floor_metric": metric,
        "floor": floor,
        "majority": majority,
        "min_rows_per_label": min(least, _default_min_rows_per_label()),
        "warnings": tuple(_warnings(census, label_rows, tokens, majority)),
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


def _delimiter(data: Path) -> str | None:
    try:
        form = file.form_of(data, FileSource(type="file", path=(str(data),)))
    except SourceError as error:
        if data.is_file():
            raise SourceError(error.problem, remedy="Rename the file by what it holds.") from error
        form = ""  # that it is not there is the better message; reading gives it
    if form != "csv" or not data.is_file():
        return None
    found = sniff(data)
    return None if found == "," else found


def _chosen(choice: Choice) -> str:
    return choice.column or ""


def _check(data: Path, choice: Choice, census: Census) -> None:
    column, labels = choice.column, census.rows_per_label
    if len(labels) > MAX_LABELS:
        raise SourceError(
            f"Column {column!r} of {data} has more than {MAX_LABELS:,} different values: too many for labels.",
            remedy=f"Name the label column with --label COLUMN{_alternatives(choice)}.",
        )
    least = DataSpec.model_fields["min_rows"].default
    if census.usable < least:
        raise SourceError(
            f"{data} has {census.usable:,} rows with a text and a label; at least {least:,} are needed (data.min_rows) "
            "to learn from and to judge by.",
            remedy="Label more texts; some hundreds make a useful model.",
        )
    if len(labels) < 2:
        raise SourceError(
            f"Column {column!r} of {data} holds one value only, {next(iter(labels))[:40]!r}: there is nothing to tell "
            "apart.",
            remedy=f"Name another column with --label COLUMN{_alternatives(choice)}, or add rows with other labels.",
        )


def _alternatives(choice: Choice) -> str:
    return f" (it might be {listing(map(repr, choice.alternatives))})" if choice.alternatives else ""


def _sound_time(choice: Choice, census: Census, *, given: bool) -> Choice:
    if not choice.column or not census.bad_times:
        return choice
    problem = f"{census.bad_times:,} of {census.rows:,} rows have no time in {choice.column!r} that can be read"
    if given:
        raise SourceError(
            f"{problem}; expected ISO 8601, such as 2026-01-31T09:30:00Z, or seconds since 1970, in every row.",
            remedy="Mend those rows, or leave the time out: --time ''.",
        )
    return Choice(column=None, reason=f"{problem}, so it is left out", alternatives=choice.alternatives)


def _sound_id(choice: Choice, census: Census, *, given: bool) -> Choice:
    if not choice.column or not (census.missing_ids or census.repeated_ids):
        return choice
    missing = f"{census.missing_ids:,} rows have none" if census.missing_ids else ""
    repeated = f"{census.repeated_ids:.1%} of the rows repeat another's" if census.repeated_ids else ""
    problem = f"{choice.column!r} is no id of each row: {' and '.join(filter(None, (missing, repeated)))}"
    if given:
        raise SourceError(
            f"{problem}.", remedy="Mend it, or leave the id out (--id ''): then rows are told apart by their content."
        )
    return Choice(column=None, reason=f"{problem}, so it is left out", alternatives=choice.alternatives)


def _floor(majority: float, labels: int) -> tuple[str, float]:
    """The metric and the least value of it that a candidate must reach, well above what the commonest label gives."""
    chance, metric = majority, "accuracy"
    if majority > LOPSIDED:
        # Macro F1 of always answering the commonest label: its own F1, and 0 for every other label.
        chance, metric = 2 * majority / (1 + majority) / labels, "macro_f1"
    return metric, math.floor((chance + ABOVE_CHANCE * (1 - chance)) * 100) / 100


def _tokens(texts: Sequence[object]) -> int:
    """Estimated tokens that 99 of 100 texts don't exceed."""
    lengths = sorted(_estimate(str(text)) for text in texts if text)
    return math.ceil(lengths[min(len(lengths) - 1, int(len(lengths) * 0.99))]) if lengths else 0


def _estimate(text: str) -> float:
    wide = sum(map(len, profile.WIDE.findall(text)))
    words = len(profile.WIDE.sub(" ", text).split())
    return words * TOKENS_PER_WORD + wide / CHARACTERS_PER_TOKEN + MARKS


def _default_min_rows_per_label() -> int:
    return int(DataSpec.model_fields["min_rows_per_label"].default)


def _warnings(census: Census, label_rows: dict[str, dict[str, int]], tokens: int, majority: float) -> Iterator[str]:
    blank = (census.blank_texts + census.blank_labels) / max(census.rows, 1)
    if blank:
        yield (
            f"{census.blank_texts:,} rows have no text and {census.blank_labels:,} no label; a run sets them aside "
            "(quarantine)."
        )
    if census.repeated:
        yield f"{census.repeated:,} rows repeat an earlier one; a run reads them once."
    if census.contradicted > NOTICEABLE:
        yield (
            f"{census.contradicted:.1%} of the rows have a text that another row labels otherwise; a run sets them "
            "aside. Look at how the labels were given."
        )
    if blank + census.contradicted > DataSpec.model_fields["max_quarantined"].default:
        yield (
            f"About {blank + census.contradicted:.1%} of the rows would be set aside: a run stops at more than "
            f"{DataSpec.model_fields['max_quarantined'].default:.0%}. Mend the rows, or raise data.max_quarantined."
        )
    for split, labels in label_rows.items():
        empty = [label for label, rows in labels.items() if not rows]
        if empty:
            what = {"train": "can't be learned", "validation": "can't be chosen by", "test": "can't be judged"}[split]
            yield f"No {split} row has the label {listing(map(repr, empty))}: it {what}. Add rows with it."
    if tokens > LENGTHS[-1]:
        yield f"Some texts have about {tokens:,} tokens; the model reads the first {LENGTHS[-1]} of a text."
    if majority > LOPSIDED:
        yield f"{majority:.0%} of the rows have one label, so accuracy says little: the floor is on macro F1."

"""The pipeline.yaml that is written for a guess: it runs as it is, and its comments teach what can be set."""

import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist

import yaml

from perennial import kinds
from perennial.core.errors import SpecError, StoreError
from perennial.core.store import write_atomically
from perennial.init.guess import Guess
from perennial.kinds.recognition.column_choice import ColumnChoice
from perennial.pipeline_file import loader
from perennial.rows.written_times import NAMES
from perennial.settings.data import DataSpec, SplitsSpec, SplitUnit
from perennial.settings.evaluation import EvaluationSpec

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*( [A-Za-z0-9_-]+)*")
_LINE = 100
"""Characters that a list of labels may have on one line."""
_WRITTEN = {
    "escape": "    # what stands before a quote inside a cell",
    "quoting": "    # a quote is a character like any other",
    "skip_lines": "    # above the header",
    "header": "    # the first line is a row; columns are called column_1, column_2, …",
    "blank_lines": "    # each row is one token with its tag",
}
_ROLES = {
    "one_hot": "    # a column for each label, with 0 and 1",
    "sentence": "    # each row is one token; those of a sentence are put together",
}
_MANY_ROWS = 5_000
_FOLDED = "without case, punctuation, digits and markup"
_SPLIT_COMMENTS: Mapping[SplitUnit, Sequence[str]] = {
    "folded_text": (f"  # Rows with the same text, {_FOLDED}, are in one split. Changed later, it moves rows.",),
    "first_text": (
        f"  # Rows with the same first text, {_FOLDED}, are in one split, as it is the one",
        "  # that is repeated more (second_text: the other one). Changed later, it moves rows.",
    ),
    "second_text": (
        f"  # Rows with the same second text, {_FOLDED}, are in one split, as it is the",
        "  # one that is repeated more (first_text: the other one). Changed later, it moves rows.",
    ),
}
_FLIPS = """\
  # Of the answers that a server gives to several rows together, how many may be other than to the row alone: int8
  # scales their numbers together. 0.02 is usual, and export.precision: fp32 has none: docs/serving-checks.md
  - {{metric: batch_flip_rate, max: {most:g}}}
"""
_MOST_FLIPS = 0.05
_MANY_STEPS = """\
  layer_decay: 0.85     # lower layers learn more slowly: better where there are some thousand rows, worse below
  averaging: 0.99       # the running average of the weights is kept: steadier than the last step's
"""
_ENOUGH_STEPS = """\
  min_steps: 100        # of the optimizer: few rows are learned from in smaller batches, and more often
"""


def write_pipeline(guess: Guess, folder: Path, *, force: bool = False) -> Path:
    """Write pipeline.yaml for `guess` into `folder` (pipelines/NAME, made if need be) and return its path.

    `force`: replace a pipeline.yaml that is there; other files in the folder stay. Raises SpecError when the folder is
    there without `force`, StoreError when it can't be written.
    """
    if folder.exists() and not force and (not folder.is_dir() or any(folder.iterdir())):
        raise SpecError(
            f"{folder} is there already.",
            remedy="Choose another name, or replace its pipeline.yaml with --force; other files in it stay.",
        )
    text = render_pipeline(guess, folder)
    scratch = Path(tempfile.mkdtemp(prefix="perennial-init-"))
    try:
        # What is put in place is known to be valid.
        (scratch / loader.FILE).write_text(text, encoding="utf-8")
        loader.read_pipeline(scratch / loader.FILE)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    try:
        write_atomically(folder / loader.FILE, text)
    except OSError as error:
        raise StoreError(
            f"{folder / loader.FILE} can't be written: {error.strerror or error}.",
            remedy="Look at the rights of the folder and the space on the disk, and run again.",
        ) from error
    return folder / loader.FILE


def render_pipeline(guess: Guess, folder: Path) -> str:
    """The text of pipeline.yaml for `guess`, for a pipeline that lies in `folder`."""
    return "\n".join(
        (
            _head(guess, folder),
            _columns(guess),
            _labels(guess),
            _rest_of_data(guess),
            _model(guess),
            _training(guess),
            _gates(guess),
            _SCHEDULE,
        )
    )


def source_path(data: Path, folder: Path) -> str:
    """How pipeline.yaml in `folder` names `data`: relative inside the tree that holds the pipelines, else absolute."""
    file, folder = data.expanduser().resolve(), folder.resolve()
    tree = folder.parent.parent
    if len(tree.parts) > 1 and file.is_relative_to(tree):
        return Path(os.path.relpath(file, folder)).as_posix()
    return file.as_posix()


def quoted(text: str) -> str:
    """`text` as a YAML scalar that reads back as this very text."""
    if _PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    return str(yaml.dump(text, default_style='"', allow_unicode=True, width=float("inf"))).strip()


def _head(guess: Guess, folder: Path) -> str:
    delimiter = f"\n    delimiter: {quoted(guess.delimiter)}" if guess.delimiter else ""
    delimiter += "".join(f"\n    {name}: {_scalar(value)}{_WRITTEN[name]}" for name, value in guess.written.items())
    if guess.format:
        delimiter = (
            f"\n    format: {guess.format}    # what this annotation tool exports: docs/annotation.md\n"
            "    # annotators: majority    # of a text that several people labelled: majority, unanimous or newest"
        )
    return f"""\
# Written by `perennial init`, from {guess.rows:,} rows. Check it, change what you like, and run it:
#   perennial run {guess.name}
# Any setting can be overridden for one run: perennial run {guess.name} --set training.epochs=1
name: {guess.name}    # also the name of the registered model
kind: {guess.kind}    # {kinds.kind_named(guess.kind).wording.answer}

data:
  source:
    type: file
    # Relative to this folder; a glob such as data/*.csv takes in every file that is added later.
    path: {quoted(source_path(Path(guess.data), folder))}{delimiter}"""


def _columns(guess: Guess) -> str:
    lines = [f"    {role}: {_names(choice)}{_ROLES.get(role, '')}" for role, choice in guess.read.items()]
    if guess.separator:
        lines.append(f"    separator: {quoted(guess.separator)}    # what stands between the labels of a cell")
    if guess.time.column:
        lines.append(
            f"    time: {quoted(guess.time.column)}    # when the row came to be; late ones are left out: docs/data.md"
        )
        if form := guess.forms.get("time_format"):
            lines.append(f"    time_format: {form}    # {NAMES[form]}{' since 1970' * form.startswith('epoch')}")
    else:
        lines.append(
            "    # time: added_at    # when the row came to be; a run then reads newer rows only: docs/data.md"
        )
    lines += [f"    {name}: {quoted(guess.forms[name])}" for name in ("decimal", "unit") if name in guess.forms]
    if guess.id.column:
        lines.append(f"    id: {quoted(guess.id.column)}    # of two rows with one id the newer counts")
    if guess.slices:
        names = ", ".join(quoted(choice.column or "") for choice in guess.slices)
        lines.append(f"    slices: [{names}]    # kept with each row; expectations may name them")
    lines.append(
        "    # group: customer    # rows that belong together, such as a customer's; with it say splits: {by: group}"
    )
    return "\n".join(["  columns:", *lines])


def _names(choice: ColumnChoice) -> str:
    if choice.columns:
        return f"[{', '.join(map(quoted, choice.columns))}]"
    return quoted(choice.column or "")


def _scalar(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool | int) else quoted(value)


def _labels(guess: Guess) -> str:
    if not guess.labels:
        return "  # There are no labels to name: what is learned is a number."
    names = [quoted(label) for label in guess.labels]
    comment = "  # All labels, in the order reports show them; rows with any other are set aside (quarantined)."
    for alternative in guess.kind_alternatives:
        if instead := kinds.kind_named(alternative).wording.instead:
            comment += f"\n  # {instead}"
    line = f"  labels: [{', '.join(names)}]"
    lines = [line] if len(line) <= _LINE else ["  labels:", *(f"    - {name}" for name in names)]
    if guess.fold_labels:
        lines.append("  fold_labels: true    # Good, GOOD and good are one label, 1.0 and 1, too; how many is told")
    return "\n".join([comment, *lines])


_MISSING = {
    "set_aside": ": nobody may have looked at them. none: somebody did, and they have none.",
    "none": ", and nothing but empty cells says that one does not hold. set_aside: nobody looked.",
}


def _rest_of_data(guess: Guess) -> str:
    usual = DataSpec.model_fields["min_rows_per_label"].default
    lines = []
    if guess.labels and guess.min_rows_per_label < usual:
        rare = min(guess.labels, key=lambda label: (_least(guess, label), guess.labels[label]))
        shown = re.sub(r"\s+", " ", rare)[:40]
        lines += [
            f"  # Label {shown} has only {guess.min_rows_per_label} rows in some split: its figures mean little. The "
            f"default, {usual}, would stop the run.",
            f"  min_rows_per_label: {guess.min_rows_per_label}",
        ]
    if guess.missing_labels:
        lines += [
            f"  # {guess.missing_labels:,} of {guess.rows:,} rows have no label{_MISSING[guess.missing_means]}",
            f"  missing_labels: {guess.missing_means}",
        ]
    if guess.contradicted:
        lines += [
            f"  # {guess.contradicted:.1%} of the rows have a text that another row labels otherwise: what most say "
            "counts. newest: what",
            "  # the newest says, as where labels got another meaning. set_aside: none of them counts.",
            "  contradictions: majority",
        ]
    lines += [
        *_SPLIT_COMMENTS[guess.splits_by],
        f"  splits: {{by: {guess.splits_by}}}",
        "  # Great Expectations' own names and arguments, on top of the built-in checks. severity: warning sets rows",
        "  # aside; critical (the default) stops the run.",
        "  # expectations:",
        "  #   - {type: expect_column_value_lengths_to_be_between, column: text, min_value: 3, severity: warning}",
    ]
    if guess.far_numbers:
        lines.append(f"  #   - {guess.far_numbers}")
    elif guess.numbers:
        low, high = guess.numbers
        lines.append(
            f"  #   - {{type: expect_column_values_to_be_between, column: label, min_value: {low:g}, "
            f"max_value: {high:g}, severity: warning}}"
        )
    return "\n".join(lines) + "\n"


def _least(guess: Guess, label: str) -> int:
    return min(rows[label] for rows in guess.label_rows.values())


def _model(guess: Guess) -> str:
    length = kinds.kind_named(guess.kind).wording.length
    return f"""\
model:
  # A folder, or a hub id; this one is installed with Perennial and needs no network.
  base: sentence-transformers/all-MiniLM-L6-v2
  max_length: {guess.max_length}    # tokens; 99 of 100 have {guess.max_tokens:,} or fewer, {length}
"""


def _training(guess: Guess) -> str:
    own = kinds.kind_named(guess.kind).wording.training
    if guess.rows >= _MANY_ROWS:
        own += _MANY_STEPS
    if own:
        return f"training:\n{own}{_ENOUGH_STEPS}"
    rare = "  # class_weights: none       # balanced: for labels that are rare and matter\n" if guess.labels else ""
    return f"""\
training:
{_ENOUGH_STEPS}  # The other defaults are good; these are the first to try:
  # epochs: 3
  # learning_rate: auto
  # tokens_per_batch: 1024    # less: smaller steps, which short texts and few rows often like
{rare}# export:
#   precision: int8           # a quarter of the size; fp32 is kept if int8 costs more than max_drop
"""


def _most_flips(rows: int) -> float:
    """The share of `rows` test rows that may flip: two at least, so that where there are few no single one decides."""
    return max(_MOST_FLIPS, round(2 / max(rows, 2), 2))


def _gates(guess: Guess) -> str:
    kind = kinds.kind_named(guess.kind)
    rows = round(guess.rows * SplitsSpec().test)
    return f"""\
# All must hold before a new model serves. All judge the packed model, on test rows no model has trained on.
gates:
  # A floor under everything, low enough for a first run; raise it to what you need.
  # {guess.floor_basis[:1].upper()}{guess.floor_basis[1:]}.
  - {{metric: {guess.floor_metric}, min: {guess.floor:.2f}}}
  # Not clearly worse than {kind.wording.baseline}.
  - {{metric: {kind.selection_metric}, versus: baseline, margin: 0.02}}
  # Shown to be at most this much worse than the model serving now: the whole confidence interval of the difference
  # must say so, and on about {rows:,} test rows chance alone is nearly as much. With more rows it can be smaller. All
  # candidates of a set of test rows together pass wrongly with 0.03 at most (evaluation.test_budget).
  - {{metric: {kind.headline_metric}, versus: champion, margin: {margin(rows):.2f}}}
  # The same beside the best champion of a year, so that a little worse each night doesn't add up.
  - {{metric: {kind.headline_metric}, versus: anchor, margin: {margin(rows):.2f}}}
{_FLIPS.format(most=_most_flips(rows))}  # - {kind.wording.offered_gate}
  # Of the test rows, how many may be nearly copies of train rows, which a model can know by heart; and the figure
  # without them.
  # - {{metric: near_copy_rate, max: 0.1}}
  # - {{metric: {guess.floor_metric}, slice: "near copies: none", min: {guess.floor:.2f}}}
"""


def margin(rows: int) -> float:
    """Half the width of the interval of two models' difference on `rows` test rows, a tenth of them answered otherwise.

    A smaller margin could hardly be shown to hold. From 0.01 to 0.10: what is more should not be allowed.
    """
    z = NormalDist().inv_cdf((1 + EvaluationSpec().confidence) / 2)
    half = z * math.sqrt(0.1 / max(rows, 1))
    return min(0.10, max(0.01, math.ceil(half * 100) / 100))


_SCHEDULE = """\
# schedule:
#   cron: "0 3 * * *"      # every night at three
#   min_new_rows: 200      # a night that brought fewer new rows is skipped
"""

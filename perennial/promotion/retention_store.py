"""What of the home's store is needed, and what is left over: found by following the paths that records name."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from perennial.core.home import Home
from perennial.core.record import Record
from perennial.core.store import DISCARDED, RECORD
from perennial.evaluation import package_evaluation
from perennial.evaluation.report import run_report
from perennial.export import linear_cascade, onnx_package
from perennial.ingest import parts, retirements, snapshot_heads
from perennial.records.data import Snapshot, ValidatedData
from perennial.registry import packages
from perennial.registry.versions import StoredEvidence
from perennial.runs import starting_point
from perennial.training import finetuning
from perennial.training.distillation import student_training
from perennial.training.encoding import row_encoding, tokenizer
from perennial.validation import part_validation, retired_counts, snapshot_validation

R = TypeVar("R", bound=Record)

GRACE_SECONDS = 24 * 3600
"""Nothing younger goes: it may be of a run that failed an hour ago and is about to be tried again."""
STEPS = {
    parts.STEP: "rows",
    retirements.STEP: "corrected and deleted rows",
    retired_counts.STEP: "counts of corrected and deleted rows",
    part_validation.STEP: "validated rows",
    snapshot_validation.REPORT_STEP: "validation report",
    row_encoding.STEP: "token ids",
    finetuning.STEP: "trained model",
    student_training.STEP: "distilled model",
    onnx_package.STEP: "exported package",
    linear_cascade.STEP: "package of a cascade",
    package_evaluation.STEP: "evaluation",
    run_report.STEP: "report",
    packages.STEP: "downloaded package",
    starting_point.STEP: "downloaded weights",
}
"""What may go, by step; anything else in the store is left alone. Tokenizers are few, and every version needs one."""


class UnneededEntry(Record):
    """A file or folder of the home that nothing needs."""

    path: str
    """Relative to the home."""
    what: str
    why: str
    bytes: int


def of_version(home: Home, stored: StoredEvidence) -> set[str]:
    """The store's entries (`step/key`) that a version was made from, or that its next run starts from."""
    evidence = stored.evidence
    return {
        *named_in(evidence.model_dump()),
        *_token_ids(home, [stored], evidence.validated),
        f"{packages.STEP}/{evidence.package.digest}",
        f"{run_report.STEP}/{run_report.report_key(stored.spec, evidence)}",
    }


def of_heads(home: Home, kept: Iterable[StoredEvidence]) -> set[str]:
    """The entries that the next run of each pipeline starts from: all rows so far, as they were validated last.

    Raises StoreError when the record of what was read can't be read.
    """
    kept, reports = list(kept), _reports(home)
    needed: set[str] = set()
    for head in snapshot_heads.every_head(home):
        needed |= set(named_in(head.model_dump()))
        specs = [stored for stored in kept if stored.spec.name == head.pipeline]
        for path, report in reports:
            if _is_of(report, head):
                needed |= {path, *named_in(report.data.model_dump())}
                needed |= set(_token_ids(home, specs, report.data))
                break
    return needed


def named_in(value: Any, name: str = "") -> Iterator[str]:
    """The entry of each store path in a record: records name them in fields whose names end with `path`."""
    if isinstance(value, str):
        if name.endswith("path") and "/" in value:
            yield "/".join(value.split("/")[:2])
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from named_in(inner, str(key))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from named_in(inner, name)


def unneeded(home: Home, needed: set[str], keep_days: float) -> list[UnneededEntry]:
    """All that is in the home and that nothing needs."""
    return [*_entries(home, needed), *_leftovers(home, keep_days)]


def has_models(home: Home) -> bool:
    """Whether the store holds anything that was trained."""
    return any(entry.parent.name == onnx_package.STEP for entry in home.store.entries())


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    total = 0
    for file in _files(path):
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _token_ids(home: Home, kept: Iterable[StoredEvidence], data: ValidatedData) -> Iterator[str]:
    """Evidence does not name encoded parts, but all that their keys are made of."""
    tokenizers = [record for _, record in _records(home, tokenizer.STEP, tokenizer.StoredTokenizer)]
    for stored, tokenizer_key, number in product(kept, tokenizers, range(len(data.parts))):
        for key in row_encoding.part_keys(stored.spec, data, number, tokenizer_key):
            yield f"{row_encoding.STEP}/{key}"


def _reports(home: Home) -> list[tuple[str, snapshot_validation.ValidationReport]]:
    """Every validation report, the newest first."""
    reports = _records(home, snapshot_validation.REPORT_STEP, snapshot_validation.ValidationReport)
    return sorted(reports, key=lambda one: _touched(home.store.root / one[0]), reverse=True)


def _records(home: Home, step: str, kind: type[R]) -> Iterator[tuple[str, R]]:
    """The entries of a step with their records."""
    for path in sorted((home.store.root / step).glob(f"*/{RECORD}")):
        try:
            yield home.store.relative(path.parent), kind.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue  # damaged, so of no use to the next run either


def _is_of(report: snapshot_validation.ValidationReport, head: Snapshot) -> bool:
    validated = [part.source.sha256 for part in report.data.parts]
    return bool(validated) and validated == [part.sha256 for part in head.parts][: len(validated)]


def _entries(home: Home, needed: set[str]) -> Iterator[UnneededEntry]:
    for step, what in STEPS.items():
        for folder in sorted((home.store.root / step).glob("[!.]*")):
            entry = home.store.relative(folder)
            if entry not in needed and _age(_touched(folder)) > GRACE_SECONDS:
                yield _unneeded_entry(home, folder, what, "no version or snapshot that is kept was made from it")


def _leftovers(home: Home, keep_days: float) -> Iterator[UnneededEntry]:
    kept = max(keep_days * 86400, GRACE_SECONDS)
    for folder in sorted(home.store.root.glob("*/.*")):
        if folder.name.startswith(DISCARDED):
            yield _unneeded_entry(home, folder, "half removed entry", "its removal was cut short")
        elif _is_old(folder, GRACE_SECONDS):
            yield _unneeded_entry(home, folder, "half written entry", "a killed run left it")
    for folder in sorted((home.root / "tmp").glob("*")):
        if _is_old(folder, GRACE_SECONDS):
            yield _unneeded_entry(home, folder, "temporary files", "a killed run left them")
    for folder in sorted(home.checkpoints("").glob("*")):
        if _is_old(folder, kept):
            yield _unneeded_entry(home, folder, "checkpoint", f"its training was not resumed for {_days(kept)}")
    for folder in sorted((home.root / "damaged").glob("*")):
        if _is_old(folder, kept):
            yield _unneeded_entry(home, folder, "damaged entry", f"it was set aside {_days(kept)} ago and made again")


def _unneeded_entry(home: Home, path: Path, what: str, why: str) -> UnneededEntry:
    return UnneededEntry(path=path.relative_to(home.root).as_posix(), what=what, why=why, bytes=size(path))


def _is_old(path: Path, seconds: float) -> bool:
    return _age(max(_touched(path) for path in (path, *_files(path)))) > seconds


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [path for path in path.rglob("*") if path.is_file()]


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()  # somebody is at work here


def _age(moment: float) -> float:
    return time.time() - moment


def _days(seconds: float) -> str:
    return f"{seconds / 86400:,.0f} days"

"""What is to be forgotten: the ids and texts that a person gives, and the rows that these are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from perennial import kinds
from perennial.core.errors import SourceError, SpecError
from perennial.core.home import Home
from perennial.ingest import forgotten, parts, rewriting, snapshot_heads, unlabelled
from perennial.ingest.forgotten import ID, KEY, SIDE, TEXT, ForgetRequest, ForgottenPart, ForgottenRows, Sieve
from perennial.ingest.rewriting import MatchedRow
from perennial.ingest.snapshot_heads import Head
from perennial.kinds.protocols import Kind
from perennial.registry.lease import whoami
from perennial.rows import folding, splits
from perennial.settings.pipeline import PipelineSpec
from perennial.training.encoding import row_encoding


@dataclass(frozen=True)
class GivenNames:
    """What a person names rows by."""

    ids: Sequence[str] = ()
    texts: Sequence[tuple[str, ...]] = ()
    """The texts of a row each, in the order of the kind's."""
    sides: Sequence[str] = ()
    """Texts alone, where rows have two: of a row that has one of them as either."""


@dataclass(frozen=True)
class Matches:
    """The rows of a request that the home holds as rows."""

    rows: ForgottenRows
    """The record with the request in it, complete but for what is erased."""
    request: ForgetRequest
    heads: Mapping[Path, Head]
    by_head: Mapping[Path, Mapping[int, Sequence[MatchedRow]]]
    """Of the pipeline's snapshots, by their head's file, the matched rows by the number of their part."""
    is_new: bool
    """Nobody asked for the same before."""

    @property
    def count(self) -> int:
        """Matched rows of all snapshots."""
        return sum(len(rows) for matched in self.by_head.values() for rows in matched.values())

    def sieve(self, head: Path, current: Path) -> Sieve:
        """What tells the rows of the snapshot at `head`."""
        return Sieve(self.rows, [self.request], beside=head != current)


def read_given(spec: PipelineSpec, ids: Sequence[str], text_file: Path | None) -> GivenNames:
    """What was given on the command line. Raises SpecError when it can't name a row, SourceError for the file."""
    if ids and spec.data.columns.id is None:
        raise SpecError(
            f"--id names rows by the column of their ids, and {spec.name} has none: data.columns.id is not set.",
            remedy="Name the rows by their texts: --text-file FILE, one text a line.",
        )
    kind = kinds.kind_named(spec.kind)
    texts, sides = _texts(spec, kind, text_file) if text_file else ([], [])
    given = GivenNames(tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(texts)), tuple(dict.fromkeys(sides)))
    if not (given.ids or given.texts or given.sides):
        raise SpecError(
            "Nothing says which rows are to be forgotten.",
            remedy="Give --id ID (as often as needed) or --text-file FILE, or ask with --status.",
        )
    return given


def matched(spec: PipelineSpec, home: Home, given: GivenNames, reason: str, others: Mapping[str, str]) -> Matches:
    """The rows that `given` names in the pipeline's snapshots, and in parts that no snapshot names any more.

    `others`: the store's entries that other pipelines need. Raises StoreError when a snapshot can't be read.
    """
    before = forgotten.read_forgotten(home.state(spec.name)) or forgotten.new_record()
    request, is_new = _request(spec, before, given, reason)
    heads, current = snapshot_heads.heads_in(home, spec.name), snapshot_heads.head_path(spec, home)
    exact = Sieve(before, [request])
    by_head: dict[Path, dict[int, list[MatchedRow]]] = {}
    if current in heads:
        by_head[current] = rewriting.matched_in(heads[current].snapshot, exact, home.store)
        request = _with_rows(before, request, by_head[current], heads[current])
    wider = Sieve(before, [request], beside=True)
    for path in heads.keys() - {current}:
        by_head[path] = rewriting.matched_in(heads[path].snapshot, wider, home.store)
        request = _with_rows(before, request, by_head[path], heads[path])
    own = {part.sha256 for head in heads.values() for part in head.snapshot.parts}
    for folder in sorted((home.store.root / parts.STEP).glob("[!.]*")):
        if folder.name not in own and f"{parts.STEP}/{folder.name}" not in others:
            request = _with_part(before, request, folder.name, rewriting.matched_rows(folder / parts.FILE, wider))
    if is_new:
        asked = {*request.ids, *request.texts, *request.sides}
        request = request.model_copy(update={"unmatched": len(asked - exact.hits - wider.hits)})
    return Matches(
        rows=before.with_request(request),
        request=request,
        heads=heads,
        by_head=by_head,
        is_new=is_new,
    )


def digests_of(rows: ForgottenRows, given: GivenNames) -> dict[str, tuple[str, ...]]:
    """The digests of what was given, by the names of a request's fields."""
    keys = (splits.text_key(splits.SEPARATOR.join(map(folding.normalise, texts))) for texts in given.texts)
    return {
        "ids": tuple(sorted(rows.digest(ID, row_id) for row_id in given.ids)),
        "texts": tuple(sorted({rows.digest(TEXT, key) for key in keys})),
        "sides": tuple(sorted({rows.digest(SIDE, forgotten.side_key(text)) for text in given.sides})),
    }


def erased_before(matches: Matches, parts_now: Mapping[str, ForgottenPart]) -> Matches:
    """`matches` after parts took the place of those that held matched rows."""
    request = matches.request.model_copy(update={"parts": {**matches.request.parts, **parts_now}})
    return replace(matches, request=request, rows=matches.rows.with_request(request))


def _texts(spec: PipelineSpec, kind: Kind, path: Path) -> tuple[list[tuple[str, ...]], list[str]]:
    columns = kind.text_columns
    alternatives = [columns, *([("text",)] if len(columns) > 1 else [])]
    names = spec.data.columns.model_dump()
    preferred = {role: str(names[role]) for role in columns if names.get(role)}
    texts: list[tuple[str, ...]] = []
    sides: list[str] = []
    if not path.is_file():
        raise SourceError(f"There is no file {path}.", remedy="Give --text-file a file with one text a line.")
    for chunk in unlabelled.rows_of(path, read=alternatives, preferred=preferred):
        rows = list(zip(*(chunk.columns[name] for name in chunk.columns), strict=True))
        whole = [row for row in rows if any(text.strip() for text in row)]
        if len(chunk.columns) == len(columns):
            texts += whole
        else:
            sides += [text for (text,) in whole]
    return texts, sides


def _request(spec: PipelineSpec, before: ForgottenRows, given: GivenNames, reason: str) -> tuple[ForgetRequest, bool]:
    digests = digests_of(before, given)
    for request in before.requests:
        if all(getattr(request, name) == value for name, value in digests.items()):
            return request, False
    columns = kinds.kind_named(spec.kind).text_columns
    number = max((request.number for request in before.requests), default=0) + 1
    common = {"number": number, "moment": forgotten.now(), "who": whoami(), "reason": reason, "columns": columns}
    return ForgetRequest.model_validate({**common, **digests}), True


def _with_rows(
    rows: ForgottenRows, request: ForgetRequest, by_part: Mapping[int, Sequence[MatchedRow]], head: Head
) -> ForgetRequest:
    for number, some in by_part.items():
        request = _with_part(rows, request, head.snapshot.parts[number].sha256, some)
    return request


def _with_part(rows: ForgottenRows, request: ForgetRequest, sha256: str, some: Sequence[MatchedRow]) -> ForgetRequest:
    """`request` with the digests of these rows of a part."""
    if not some:
        return request
    ids = [row.row_id for row in some]
    keys = [str(key) for key in row_encoding.row_keys(ids).to_pylist()]
    texts = [row.text_key for row in some if rows.digest(ID, row.row_id) in request.ids]
    part = ForgottenPart(rows=len(some), train_rows=sum(row.split == "train" for row in some), now=None)
    return request.model_copy(
        update={
            "rows": _joined(request.rows, (rows.digest(ID, row_id) for row_id in ids)),
            "keys": _joined(request.keys, (rows.digest(KEY, key) for key in keys)),
            "beside": _joined(request.beside, (rows.digest(TEXT, key) for key in texts)),
            "parts": {**request.parts, sha256: request.parts.get(sha256, part)},
        }
    )


def _joined(before: Iterable[str], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*before, *more}))

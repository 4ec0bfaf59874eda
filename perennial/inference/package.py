"""The package: the one folder that is registered and served, and the check that it is what was exported.

package.json names the sha256 of every other file and carries a seal, the sha256 of its own content, so that a change
of any byte is noticed. That guards against damage and mix-ups; against forgery, compare `PackageInfo.digest` with the
digest in the registry.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perennial.core.errors import PackageError, listing

FORMAT = 1
FORMAT_WITH_CASCADE = 2
"""A Perennial that knows of no cascade would let the transformer answer every row: it must not load such a package."""
MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
LINEAR = "linear.npy"
DESCRIPTION = "package.json"
CHUNK_BYTES = 1 << 20
REMEDY = "Restore the folder from the registry or the store, or export the model again; nothing was loaded."


@dataclass(frozen=True)
class PackageInfo:
    """What package.json says."""

    kind: str
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    decoding: Mapping[str, Any]
    """What the decoder must know beyond the labels, for example a threshold for each."""
    max_length: int
    """Tokens; longer texts lose their ends."""
    pad_id: int
    """Token id that fills up the shorter rows of a batch."""
    precision: str
    """fp32, int8 or fp16: what the model is, not what was asked for."""
    fallback: str | None
    """Why it is not the precision asked for; None: it is."""
    opset: int
    inputs: tuple[str, ...]
    """Names of the graph's inputs: token ids and attention mask, rows × tokens, int64."""
    base: str
    base_revision: str
    data_digest: str
    cpu_features: tuple[str, ...]
    """Architecture and instruction sets of the CPU on which parity was measured."""
    graph: Mapping[str, Any]
    """How the graph was made: fused nodes by type, quantized nodes by type, and what was given up, in words."""
    parity: Mapping[str, Any]
    """rows, max_logit_difference (ONNX fp32 against torch), and for int8 or fp16 what changed against fp32."""
    created_with: Mapping[str, str]
    """Versions of the libraries that made it."""
    files: Mapping[str, str]
    """sha256 of every other file of the package, by name."""
    cascade: Mapping[str, Any] | None = None
    """The linear model that answers easy rows: the threshold of its probability, and what it did on validation rows;
    None: there is none."""
    digest: str = ""
    """sha256 of package.json itself, so not written in it."""


def read_package(folder: Path, *, digest: str | None = None) -> PackageInfo:
    """What the package in `folder` says, after every file's digest was checked.

    `digest`: the sha256 that package.json must have, for example the registry's. Raises PackageError if a file is
    missing or differs by a byte from what was exported, or if it is another package.
    """
    raw, content = _description(folder)
    info = _info(folder, content)
    damage = [f"{name} {fault}" for name, expected in info.files.items() if (fault := _fault(folder / name, expected))]
    if damage:
        raise PackageError(f"The package in {folder} is not what was exported: {listing(damage)}.", remedy=REMEDY)
    expected = hashlib.sha256(raw).hexdigest()
    if digest not in {None, expected}:
        raise PackageError(
            f"The package in {folder} has the digest {expected[:12]}…, expected {str(digest)[:12]}….",
            remedy="It is a whole package, but another one; fetch the right one from the registry.",
        )
    return dataclasses.replace(info, digest=expected)


def render(info: PackageInfo) -> bytes:
    """package.json for `info`: the same bytes for the same content, sealed."""
    content = dataclasses.asdict(info) | {"format": FORMAT_WITH_CASCADE if info.cascade else FORMAT}
    # A package without a cascade is what it was before there were any.
    left_out = {"digest", *(() if info.cascade else ("cascade",))}
    return _sealed({name: value for name, value in content.items() if name not in left_out})


def sha256(path: Path) -> str:
    """The sha256 of the file at `path`, in hex, read in chunks."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
    return hasher.hexdigest()


def _description(folder: Path) -> tuple[bytes, dict[str, Any]]:
    path = folder / DESCRIPTION
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PackageError(
            f"There is no package in {folder}: {DESCRIPTION} can't be read ({error.strerror}).",
            remedy=f"Name a folder that holds {MODEL}, {TOKENIZER} and {DESCRIPTION}.",
        ) from error
    try:
        content = json.loads(raw)
        intact = raw == _sealed({name: value for name, value in content.items() if name != "seal"})
    except (ValueError, AttributeError):
        intact = False
    if not intact:
        raise PackageError(
            f"{path} was changed since it was exported: its content does not match its own seal.", remedy=REMEDY
        )
    return raw, content


def _info(folder: Path, content: dict[str, Any]) -> PackageInfo:
    if content.get("format") not in {FORMAT, FORMAT_WITH_CASCADE}:
        raise PackageError(
            f"The package in {folder} has format {content.get('format')!r}; this version of perennial reads {FORMAT} "
            f"and {FORMAT_WITH_CASCADE}.",
            remedy="Update perennial where the package is used, or export the model again with this version.",
        )
    fields: dict[str, Any] = {name: _frozen(value) for name, value in content.items() if name not in {"format", "seal"}}
    without = {"digest", *(("cascade",) if content["format"] == FORMAT else ())}
    allowed = {field.name for field in dataclasses.fields(PackageInfo)} - without
    needed = {MODEL, TOKENIZER, *((LINEAR,) if "cascade" in allowed else ())}
    files = fields.get("files")
    if set(fields) != allowed or not isinstance(files, dict) or not needed <= set(files):
        raise PackageError(
            f"{folder / DESCRIPTION} does not describe a package: it must have exactly {listing(sorted(allowed), 20)}, "
            f"and name {listing(sorted(needed))}.",
            remedy=REMEDY,
        )
    if outside := [name for name in files if Path(name).name != name]:
        raise PackageError(f"{folder / DESCRIPTION} names files outside its folder: {listing(outside)}.", remedy=REMEDY)
    return PackageInfo(**fields)


def _sealed(content: dict[str, Any]) -> bytes:
    seal = hashlib.sha256(_json(content)).hexdigest()
    return _json(content | {"seal": seal})


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _fault(path: Path, expected: str) -> str:
    try:
        actual = sha256(path)
    except OSError:
        return "is missing"
    return "" if actual == expected else f"has sha256 {actual[:12]}…, expected {expected[:12]}…"

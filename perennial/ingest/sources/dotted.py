"""Values inside objects, by dotted names: `review.body` is what stands under `body` in the column `review`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from perennial.rows.batch import Batch


def value_at(row: Mapping[str, Any], name: str) -> Any:
    """What `row` has under `name`, a key of its own or, with dots, one inside its objects; None: nothing."""
    if name in row:
        return row[name]
    dot = name.find(".")
    while dot >= 0:
        inside = row.get(name[:dot])
        if isinstance(inside, Mapping) and has(inside, name[dot + 1 :]):
            return value_at(inside, name[dot + 1 :])
        dot = name.find(".", dot + 1)
    return None


def has(row: Mapping[str, Any], name: str) -> bool:
    """Whether `row` has `name`, with whatever value."""
    if name in row:
        return True
    dots = [index for index, character in enumerate(name) if character == "."]
    insides = ((row.get(name[:dot]), name[dot + 1 :]) for dot in dots)
    return any(isinstance(inside, Mapping) and has(inside, rest) for inside, rest in insides)


def names_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names of all values in `rows`: keys, and for objects those inside with dots, each once."""
    return list(dict.fromkeys(name for row in rows for name in _names(row)))


def column_of(batch: Batch, name: str) -> list[Any] | None:
    """The cells of the column `name` of `batch`, or under the dotted name in its columns of objects; None: none has
    it."""
    if name in batch.columns:
        return list(batch.columns[name])
    roots = [root for root in batch.columns if name.startswith(f"{root}.")]
    if not roots:
        return None
    rows = [
        dict(zip(roots, cells, strict=True)) for cells in zip(*(batch.columns[root] for root in roots), strict=True)
    ]
    return [value_at(row, name) for row in rows] if any(has(row, name) for row in rows) else None


def with_columns(batch: Batch, names: Iterable[str]) -> Batch:
    """`batch` with the columns `names` as well, where these are dotted names of values inside its own."""
    cells = {name: column_of(batch, name) for name in names if name not in batch.columns}
    inside = {name: values for name, values in cells.items() if values is not None}
    return Batch(batch.file, batch.unit, batch.numbers, {**batch.columns, **inside}) if inside else batch


def roots_of(names: Sequence[str], there: Sequence[str]) -> list[str]:
    """Those columns of `there` in which `names` are, each once."""
    roots = (
        name if name in there else next((root for root in there if name.startswith(f"{root}.")), name) for name in names
    )
    return list(dict.fromkeys(roots))


def flattened(batch: Batch) -> Batch:
    """`batch` with a column for each value inside its columns of objects, instead of those."""
    columns: dict[str, list[Any]] = {}
    for name, cells in batch.columns.items():
        if _are_objects(cells):
            rows = [{name: cell} for cell in cells]
            columns |= {inside: [value_at(row, inside) for row in rows] for inside in names_of(rows) if inside != name}
        else:
            columns[name] = cells
    return Batch(batch.file, batch.unit, batch.numbers, columns) if columns.keys() != batch.columns.keys() else batch


def _are_objects(cells: Sequence[Any]) -> bool:
    types = set(map(type, cells)) - {type(None)}
    return types == {dict} and any(cells)


def _names(row: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    for name, value in row.items():
        if isinstance(value, dict) and value:
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"

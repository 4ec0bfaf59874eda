"""From the body of a request to what the model reads: each row as `perennial predict` reads it, or a clear refusal.

A file may have gaps, which `perennial predict` tells of and answers as empty texts. A request has nobody who reads such
notes, so what is missing or of another type is refused.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from perennial.core.errors import listing
from perennial.inference.decoders import Decoder, Input
from perennial.inference.words import is_unicode
from perennial.serving import problems
from perennial.serving.requests.strict_json import StrictJsonError, parse_json
from perennial.settings.serving import ServingSpec

TOKENS = "tokens"
FORMS = ("texts", "rows")


class Rows(NamedTuple):
    """The rows of a request, as they came."""

    name: str
    """What the request calls them, for the words of a refusal."""
    form: Literal["texts", "rows"]
    """Texts (or lists of those that are read together), or objects with the columns of a row."""
    items: Any
    """A list, if the request is right."""


def read_request(
    body: bytes, decoder: Decoder, names: Mapping[str, str], settings: ServingSpec, limit: str = "max_rows"
) -> list[Input]:
    """What the model reads of {"texts": […]} or {"rows": [{…}, …]}, in that order. As `read_rows`."""
    content = read_json(body, _example())
    given = [form for form in FORMS if isinstance(content, dict) and form in content]
    if len(given) != 1 or len(content) != 1:
        raise problems.bad('The body must be an object with "texts" or "rows": one of them, no more.', _example())
    form: Any = given[0]
    return read_rows(Rows(form, form, content[form]), decoder, names, settings, limit)


def read_json(body: bytes, example: str) -> Any:
    """What `body` holds. Raises RequestProblem, with `example` as remedy, if it is not JSON."""
    try:
        return parse_json(body)
    except StrictJsonError as error:
        raise problems.bad(str(error), example) from error


def read_rows(
    rows: Rows, decoder: Decoder, names: Mapping[str, str], settings: ServingSpec, limit: str = "max_rows"
) -> list[Input]:
    """What the model reads of `rows`, in their order.


    `names`: the pipeline's own names for canonical columns, which rows may use. `limit`: the setting that
    max_rows of `settings` is of. Raises RequestProblem, that holds
    nothing of the request's content.
    """
    items = rows.items
    if not isinstance(items, list) or not items:
        raise problems.bad(f'"{rows.name}" must be a list with at least one item; it is {seen(items)}.', _example())
    if len(items) > settings.max_rows:
        raise problems.too_large(
            f"The request has {len(items):,} rows; {settings.max_rows:,} may be asked at once.",
            f"Ask them in several requests, or raise serving.{limit}.",
        )
    columns = _columns_of_texts(rows, decoder) if rows.form == "texts" else _columns_of_rows(rows, decoder, names)
    _check_lengths(columns, settings.max_characters)
    return decoder.inputs(columns)


def _columns_of_texts(rows: Rows, decoder: Decoder) -> dict[str, list[Any]]:
    roles, items, name = decoder.columns[-1], rows.items, rows.name
    if len(roles) == 1:
        return {roles[0]: [_text(item, f"{name}[{index}]") for index, item in enumerate(items)]}
    for index, item in enumerate(items):
        if not isinstance(item, list) or len(item) != len(roles):
            raise problems.bad(
                f"{name}[{index}] must be a list of {len(roles)} texts ({', '.join(roles)}), which this model reads "
                f"together; it is {seen(item)}."
            )
    return {
        role: [_text(item[part], f"{name}[{index}][{part}]") for index, item in enumerate(items)]
        for part, role in enumerate(roles)
    }


def _columns_of_rows(rows: Rows, decoder: Decoder, names: Mapping[str, str]) -> dict[str, list[Any]]:
    for index, item in enumerate(rows.items):
        if not isinstance(item, dict):
            raise problems.bad(f"{rows.name}[{index}] must be an object; it is {seen(item)}.")
    named = _names(rows, decoder, names)
    return {
        role: [_cell(item, f"{rows.name}[{index}]", role, name) for index, item in enumerate(rows.items)]
        for role, name in named.items()
    }


def _names(rows: Rows, decoder: Decoder, names: Mapping[str, str]) -> dict[str, str]:
    """The first row's key for each canonical column of the first alternative that it has."""
    row: Mapping[str, Any] = rows.items[0]
    for roles in decoder.columns:
        name_by_role = {role: next((name for name in (names.get(role), role) if name in row), None) for role in roles}
        if all(name_by_role.values()):
            return {role: str(name) for role, name in name_by_role.items()}
    wanted = " or ".join(listing(repr(names.get(role, role)) for role in roles) for roles in decoder.columns)
    raise problems.bad(f"{rows.name}[0] lacks what this model reads: {wanted}.", "Name the keys so.")


def _cell(row: Mapping[str, Any], of_row: str, role: str, name: str) -> Any:
    where = f"{of_row}.{name}"
    if name not in row:
        raise problems.bad(f"{where} is missing; the first row has it.", "Give every row of a request the same keys.")
    return _tokens(row[name], where) if role == TOKENS else _text(row[name], where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise problems.bad(f"{where} must be a text; it is {seen(value)}.")
    _check_unicode(value, where)
    # Blank is empty, as in a file.
    return value if value.strip() else ""


def _tokens(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
        raise problems.bad(f"{where} must be a list of texts; it is {seen(value)}.")
    _check_unicode("".join(value), where)
    return value


def _check_unicode(text: str, where: str) -> None:
    if not is_unicode(text):
        raise problems.bad(f"{where} holds half of a surrogate pair, which is no character.")


def _check_lengths(columns: Mapping[str, Sequence[Any]], most: int) -> None:
    for index, cells in enumerate(zip(*columns.values(), strict=True)):
        length = sum(len(cell) if isinstance(cell, str) else sum(len(token) + 1 for token in cell) for cell in cells)
        if length > most:
            raise problems.too_large(
                f"Row {index} has {length:,} characters; {most:,} are allowed.",
                "Ask about a part of it, or raise serving.max_characters.",
            )


def seen(value: Any) -> str:
    """What kind of thing `value` is, in JSON's words, and never what it says."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {str: "a text", int: "a number", float: "a number", dict: "an object"}
    if isinstance(value, list):
        kinds = sorted({seen(item) if not isinstance(item, list) else "a list" for item in value})
        return f"a list of {len(value):,} ({listing(kinds)})" if value else "an empty list"
    return names[type(value)]


def _example() -> str:
    return 'For example {"texts": ["a text", "another"]}, or {"rows": [{"text": "a text"}]}.'

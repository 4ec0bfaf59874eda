"""From the body of a request to what the model reads: each row as `perennial predict` reads it, or a clear refusal.

A file may have gaps, which `perennial predict` tells of and answers as empty texts. A request has nobody who reads such
notes, so what is missing or of another type is refused.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from perennial.core.errors import listing
from perennial.inference.decoders import Decoder, Input
from perennial.inference.words import is_unicode
from perennial.serving import problems
from perennial.settings.serving import ServingSpec

TOKENS = "tokens"
FORMS = ("texts", "rows")


def read_request(body: bytes, decoder: Decoder, names: Mapping[str, str], settings: ServingSpec) -> list[Input]:
    """What the model reads of {"texts": […]} or {"rows": [{…}, …]}, in that order.

    `names`: the pipeline's own names for canonical columns, which rows may use. Raises RequestProblem, that holds
    nothing of the request's content.
    """
    form, items = _items(body)
    if len(items) > settings.max_rows:
        raise problems.too_large(
            f"The request has {len(items):,} rows; {settings.max_rows:,} may be asked at once.",
            "Ask them in several requests, or raise serving.max_rows.",
        )
    columns = _columns_of_texts(items, decoder) if form == "texts" else _columns_of_rows(items, decoder, names)
    _check_lengths(columns, settings.max_characters)
    return decoder.inputs(columns)


def _items(body: bytes) -> tuple[str, list[Any]]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise problems.bad(f"The body is not JSON{where}.", _example()) from error
    given = [form for form in FORMS if isinstance(content, dict) and form in content]
    if len(given) != 1 or len(content) != 1:
        raise problems.bad('The body must be an object with "texts" or "rows": one of them, no more.', _example())
    [form] = given
    items = content[form]
    if not isinstance(items, list) or not items:
        raise problems.bad(f'"{form}" must be a list with at least one item; it is {_seen(items)}.', _example())
    return form, items


def _columns_of_texts(items: Sequence[Any], decoder: Decoder) -> dict[str, list[Any]]:
    roles = decoder.columns[-1]
    if len(roles) == 1:
        return {roles[0]: [_text(item, f"texts[{index}]") for index, item in enumerate(items)]}
    for index, item in enumerate(items):
        if not isinstance(item, list) or len(item) != len(roles):
            raise problems.bad(
                f"texts[{index}] must be a list of {len(roles)} texts ({', '.join(roles)}), which this model reads "
                f"together; it is {_seen(item)}."
            )
    return {
        role: [_text(item[part], f"texts[{index}][{part}]") for index, item in enumerate(items)]
        for part, role in enumerate(roles)
    }


def _columns_of_rows(items: Sequence[Any], decoder: Decoder, names: Mapping[str, str]) -> dict[str, list[Any]]:
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise problems.bad(f"rows[{index}] must be an object; it is {_seen(item)}.")
    named = _names(items[0], decoder, names)
    return {role: [_cell(item, index, role, name) for index, item in enumerate(items)] for role, name in named.items()}


def _names(row: Mapping[str, Any], decoder: Decoder, names: Mapping[str, str]) -> dict[str, str]:
    """The row's key for each canonical column of the first alternative that it has."""
    for roles in decoder.columns:
        name_by_role = {role: next((name for name in (names.get(role), role) if name in row), None) for role in roles}
        if all(name_by_role.values()):
            return {role: str(name) for role, name in name_by_role.items()}
    wanted = " or ".join(listing(repr(names.get(role, role)) for role in roles) for roles in decoder.columns)
    raise problems.bad(f"rows[0] lacks what this model reads: {wanted}.", "Name the keys so.")


def _cell(row: Mapping[str, Any], index: int, role: str, name: str) -> Any:
    where = f"rows[{index}].{name}"
    if name not in row:
        raise problems.bad(f"{where} is missing; the first row has it.", "Give every row of a request the same keys.")
    return _tokens(row[name], where) if role == TOKENS else _text(row[name], where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise problems.bad(f"{where} must be a text; it is {_seen(value)}.")
    _check_unicode(value, where)
    # Blank is empty, as in a file.
    return value if value.strip() else ""


def _tokens(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
        raise problems.bad(f"{where} must be a list of texts; it is {_seen(value)}.")
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


def _seen(value: Any) -> str:
    """What kind of thing `value` is, in JSON's words, and never what it says."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    names = {str: "a text", int: "a number", float: "a number", dict: "an object"}
    if isinstance(value, list):
        kinds = sorted({_seen(item) if not isinstance(item, list) else "a list" for item in value})
        return f"a list of {len(value):,} ({listing(kinds)})" if value else "an empty list"
    return names[type(value)]


def _example() -> str:
    return 'For example {"texts": ["a text", "another"]}, or {"rows": [{"text": "a text"}]}.'

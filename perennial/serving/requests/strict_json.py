"""JSON read strictly: what one reader takes so and another otherwise is refused (RFC 8259, I-JSON: RFC 7493)."""

import json
import math
from typing import Any


class StrictJsonError(ValueError):
    """Why it is refused, in words that hold nothing of the content."""


def parse_json(body: bytes) -> Any:
    """What `body` says. Raises StrictJsonError: not JSON, not UTF-8, a key twice in an object, NaN or Infinity, a
    number beyond a double's range, nested too deeply."""
    try:
        return json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_number,
            parse_int=_integer,
        )
    except StrictJsonError:
        raise
    except UnicodeDecodeError as error:
        raise StrictJsonError("The body is not UTF-8.") from error
    except json.JSONDecodeError as error:
        raise StrictJsonError(f"The body is not JSON (line {error.lineno}, column {error.colno}).") from error
    except RecursionError as error:
        raise StrictJsonError("The body is nested too deeply.") from error
    except ValueError as error:
        raise StrictJsonError("The body is not JSON.") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise StrictJsonError("An object of the body has the same key twice: which of them counts is not said.")
    return content


def _no_constant(_: str) -> float:
    raise StrictJsonError("The body holds NaN or Infinity, which JSON does not have.")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise StrictJsonError("The body holds a number that is larger than a double can be.")
    return value


def _integer(text: str) -> int:
    if len(text) > 400 or not math.isfinite(float(text)):
        raise StrictJsonError("The body holds a number that is larger than a double can be.")
    return int(text)

"""JSON Schemas (draft 2020-12), put together."""

from collections.abc import Mapping
from typing import Any

JsonSchema = dict[str, Any]

SHARE: JsonSchema = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: JsonSchema = {"type": "string"}


def obj(properties: Mapping[str, Any], *optional: str, more: bool = False) -> JsonSchema:
    """An object that has `properties`, all but `optional`; `more`: others are allowed, too."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required, "additionalProperties": more}


def array(items: JsonSchema, **limits: Any) -> JsonSchema:
    """A list of `items`."""
    return {"type": "array", "items": items, **limits}

"""Answers in JSON."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response


def json_answer(content: Mapping[str, Any]) -> Response:
    """200, with `content`."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, media_type="application/json")

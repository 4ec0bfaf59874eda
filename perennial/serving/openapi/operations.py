"""What each place is asked and answers, as OpenAPI has it. A place that is added is described here, or a test fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perennial.inference.decoders.json_schema import TEXT, JsonSchema, array, obj
from perennial.serving.openapi.schemas import ref
from perennial.serving.requests import invocations

JSON, HTML, PLAIN = "application/json", "text/html", "text/plain"
STATUSES: Mapping[int, str] = {
    400: "Not JSON, or not what the model reads: which row, what was seen, what was expected.",
    401: "No key, or none that is good, where keys are asked for.",
    403: "The key is good, but not for this.",
    404: "There is no such place, or no such model.",
    405: "The place is asked by another method.",
    408: "The body did not come in within serving.body_seconds.",
    413: "More rows, characters in a text, or bytes than serving.max_rows, max_characters, max_body_bytes.",
    415: "The body is of a type, or packed in a way, that is not read here.",
    429: "Too many rows wait, or the caller has asked its share; Retry-After says when to try again.",
    500: "The model could not answer.",
    503: "Nothing serves yet, too many requests are under way, the answer came too late, or the server is ending.",
    504: "Not answered within the milliseconds that the request itself allows.",
}
"""Of errors, all of which are {"code", "error", "remedy"}."""
GUARDED = (401, 403, 429, 503)
"""What any place may answer for which a key can be asked."""
ASKED = tuple(STATUSES)
"""What a place that asks the model may answer."""
TOLD = (404, 405, 503)


READINESS = obj({"status": {"const": "ready"}, "version": TEXT, "problem": {"type": ["string", "null"]}})


@dataclass(frozen=True)
class Operation:
    """A method of a place."""

    summary: str
    answers: Mapping[str, JsonSchema]
    """By media type: what 200 holds."""
    statuses: tuple[int, ...] = (404, 405)
    """Of errors."""
    body: Mapping[str, Any] | None = None
    """By media type: the schema, and perhaps an example; None: it is a GET."""


def operations(example: Any, of: str) -> dict[str, Operation]:
    """Of a model, by path. `example`: a text, or the texts that it reads together; `of`: what the names of its schemas
    begin with."""
    return {
        "/predict": Operation(
            "Answers of the version that serves, one for each row, in order.",
            {JSON: obj({"model": TEXT, "version": TEXT, "predictions": array(ref(of + "Prediction"))})},
            ASKED,
            {JSON: {"schema": {"oneOf": [obj({"texts": ref(of + "Texts")}), obj({"rows": ref(of + "Rows")})]},
                    "example": {"texts": [example]}}},
        ),
        "/explain": Operation(
            "Which words moved the answers: for each text its answer and a weight for each of its tokens.",
            {JSON: {"type": "object", "required": ["model", "version", "explanations"]}},
            ASKED,
            {JSON: {"schema": {"type": "object"}, "example": {"texts": [example]}}},
        ),
        "/invocations": Operation(
            "The same in MLflow's scoring protocol, for MLflow's clients.",
            {JSON: obj({"predictions": array(ref(of + "Prediction"))})},
            ASKED,
            _invocation_bodies(example, of),
        ),
        "/": Operation(
            "What is served. Browsers get a page on which to try it.",
            {JSON: ref(of + "Description"), HTML: TEXT},
            TOLD,
        ),
        "/ping": Operation("A version is loaded, as MLflow's clients ask it.", {PLAIN: TEXT}, TOLD),
        "/health": Operation("The same as /ping.", {PLAIN: TEXT}, TOLD),
        "/readyz": Operation(
            "A version is loaded. `problem`: why it is not the champion of now.", {JSON: READINESS}, TOLD
        ),
    }  # fmt: skip


def of_the_server(*, several: bool) -> dict[str, Operation]:
    """What is no single model's, by path; `several`: whether it serves more models than one."""
    common = {
        "/healthz": Operation("The process lives.", {JSON: obj({"status": {"const": "alive"}})}, (404, 405, 500)),
        "/version": Operation("The version of MLflow whose protocol is spoken.", {PLAIN: TEXT}),
        "/metrics": Operation("Figures for Prometheus.", {PLAIN: TEXT}),
        "/openapi.json": Operation("This document.", {JSON: {"type": "object"}}),
        "/docs": Operation("This document as a page.", {HTML: TEXT}),
        "/pages/{name}": Operation(
            "What the pages are made of.", {"text/css": TEXT, "text/javascript": TEXT, "image/svg+xml": TEXT}
        ),
    }
    if not several:
        return common
    readiness = {
        "type": "object",
        "additionalProperties": obj({"version": TEXT, "problem": {"type": ["string", "null"]}}),
    }
    return common | {
        "/": Operation("Which models are served. Browsers get a page.", {JSON: ref("Models"), HTML: TEXT}),
        "/readyz": Operation(
            "Of each model a version is loaded.", {JSON: obj({"status": {"const": "ready"}, "models": readiness})}, TOLD
        ),
        "/ping": Operation("The same, as MLflow's clients ask it.", {PLAIN: TEXT}, TOLD),
        "/health": Operation("The same as /ping.", {PLAIN: TEXT}, TOLD),
    }


def _invocation_bodies(example: Any, of: str) -> dict[str, Any]:
    cells = example if isinstance(example, list) else [example]
    columns = ["text", "text_pair"][: len(cells)]
    split = {"columns": columns, "data": [cells]}
    content = {
        invocations.SPLIT: obj(
            {"columns": array(TEXT, minItems=1, uniqueItems=True), "index": array({}), "data": array(array({}))},
            "index",
        ),
        invocations.RECORDS: ref(of + "Rows"),
        invocations.INSTANCES: _items(of),
        invocations.INPUTS: _items(of),
    }
    params = {"type": ["object", "null"], "description": "Read and ignored: no model here has any."}
    forms = [obj({name: schema, invocations.PARAMS: params}, invocations.PARAMS) for name, schema in content.items()]
    return {
        JSON: {"schema": {"oneOf": forms}, "example": {invocations.SPLIT: split}},
        invocations.CSV: {
            "schema": TEXT,
            "example": ",".join(columns) + "\n" + ",".join(f'"{c}"' for c in cells) + "\n",
        },
    }


def _items(of: str) -> JsonSchema:
    """Texts, rows, or columns."""
    return {"anyOf": [ref(of + "Texts"), ref(of + "Rows"), {"type": "object", "additionalProperties": True}]}

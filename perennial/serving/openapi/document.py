"""The document: what the server answers, with the kind and labels of what it serves now. (OpenAPI 3.1.)"""

from collections.abc import Iterable, Iterator
from typing import Any

from perennial.inference.decoders.json_schema import JsonSchema, array, obj
from perennial.inference.predictor import Predictor
from perennial.serving.access.guard import OPEN
from perennial.serving.host import Host, HostedModel
from perennial.serving.openapi import schemas
from perennial.serving.openapi.operations import GUARDED, STATUSES, Operation, of_the_server, operations
from perennial.serving.openapi.schemas import ref

MODEL = "/models/{model}"
TEXTS = ("Profit warning sends shares down", "The company warned of lower profit")
KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
DESCRIPTION = (
    "Answers of the version that is champion. All rows of a request are answered by one version. No text of a request "
    "is in an error, in the log or in a figure."
)


def document(host: Host, paths: Iterable[str]) -> dict[str, Any]:
    """Of the server that has `paths`; those of a model are there for each."""
    several = len(host.models) > 1
    served = [model.current.served for model in host.models.values()]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": ", ".join(host.models),
            "version": ", ".join(one.version if one else "none" for one in served),
            "description": DESCRIPTION,
        },
        # It is what no entry means, too, but clients that are made from the document want one.
        "servers": [{"url": "/"}],
        # With a key in one of three ways, or, where there are no keys, without.
        "security": [{name: []} for name in KEYS] if host.access and host.access.ring.asks else [],
        "paths": {path: described for template in paths for path, described in _paths(template, host, several)},
        "components": {
            "schemas": _schemas(host, several),
            "responses": {str(status): _error(words) for status, words in STATUSES.items()},
            "securitySchemes": KEYS,
        },
    }


def _paths(template: str, host: Host, several: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    common = of_the_server(several=several)
    if template in common and not template.startswith(MODEL):
        yield template, _path(template, common[template])
        return
    for model in host.models.values() if template.startswith(MODEL) else (host.first,):
        below = template.removeprefix(MODEL) or "/"
        operation = (common | operations(_example(model), _prefix(model, several)))[below]
        path = template.replace("{model}", model.name)
        yield path, _path(path, operation)


def _prefix(model: HostedModel, several: bool) -> str:
    return f"{model.name}." if several else ""


def _predictor(model: HostedModel) -> Predictor | None:
    return model.current.served.predictor if model.current.served else None


def _example(model: HostedModel) -> Any:
    predictor = _predictor(model)
    read = len(predictor.decoder.columns[-1]) if predictor else 1
    return list(TEXTS[:read]) if read > 1 else TEXTS[0]


def _path(path: str, operation: Operation) -> dict[str, Any]:
    method = "get" if operation.body is None else "post"
    answers = {kind: {"schema": answer} for kind, answer in operation.answers.items()}
    statuses = {*operation.statuses, *(() if path in OPEN else GUARDED)}
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}
    described: dict[str, Any] = {
        "operationId": _identifier(method, path),
        "summary": operation.summary,
        "responses": {"200": {"description": "OK", "content": answers}} | refusals,
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": dict(operation.body)}
    if "{name}" in path:
        named = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
        described["parameters"] = [named]
    return {method: described}


def _identifier(method: str, path: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in path).split()
    return "_".join((method, *words)) if words else f"{method}_description"


def _error(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": ref("Error")}}}


def _schemas(host: Host, several: bool) -> dict[str, JsonSchema]:
    named = {"Error": schemas.ERROR}
    for model in host.models.values():
        own = _schemas_of(model, host)
        named |= {_prefix(model, several) + name: schema for name, schema in own.items()}
    if several:
        # One that has no version yet says so in place of a description.
        each = {name: {"anyOf": [ref(f"{name}.Description"), ref("Error")]} for name in host.models}
        named["Models"] = obj({"models": obj(each)})
    return named


def _schemas_of(model: HostedModel, host: Host) -> dict[str, JsonSchema]:
    predictor = _predictor(model)
    decoder = predictor.decoder if predictor else None
    return {
        "Prediction": schemas.prediction(predictor),
        "Texts": schemas.texts(decoder, host.settings),
        "Rows": array(schemas.row(decoder, model.names), minItems=1, maxItems=host.settings.max_rows),
        "Description": schemas.DESCRIPTION,
    }

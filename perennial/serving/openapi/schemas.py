"""JSON Schemas (draft 2020-12, as OpenAPI 3.1 has them) of what is asked and answered, by kind of task."""

from collections.abc import Mapping

from perennial.inference.decoders import Decoder
from perennial.inference.decoders.json_schema import TEXT, JsonSchema, array, obj
from perennial.inference.predictor import Predictor
from perennial.settings.serving import ServingSpec


def ref(name: str) -> JsonSchema:
    """The schema called `name`."""
    return {"$ref": f"#/components/schemas/{name}"}


ERROR = obj({"code": TEXT, "error": TEXT, "remedy": TEXT})
DESCRIPTION = obj(
    {
        "model": TEXT,
        "version": TEXT,
        "kind": TEXT,
        "labels": array(TEXT),
        "reads": array(array(TEXT)),
        "package": TEXT,
        "precision": TEXT,
        "max_length": {"type": "integer"},
        "cpu_lacks": array(TEXT),
    },
    more=True,
)


def prediction(predictor: Predictor | None) -> JsonSchema:
    """What is answered to one row; None: nothing is served, so nobody knows."""
    if predictor is None:
        return {"type": "object"}
    return predictor.decoder.answer_schema(list(predictor.package.labels))


def texts(decoder: Decoder | None, settings: ServingSpec) -> JsonSchema:
    """What "texts" holds."""
    roles = decoder.columns[-1] if decoder else ("text",)
    one: JsonSchema = {"type": "string", "maxLength": settings.max_characters}
    if len(roles) > 1:
        one = array(TEXT, minItems=len(roles), maxItems=len(roles), description=", ".join(roles))
    return array(one, minItems=1, maxItems=settings.max_rows)


def row(decoder: Decoder | None, names: Mapping[str, str]) -> JsonSchema:
    """A row with the columns that are read, by their own names or the pipeline's; other keys are ignored."""
    alternatives = decoder.columns if decoder else (("text",),)
    return {"anyOf": [schema for roles in alternatives for schema in _named(roles, names)]}


def _named(roles: tuple[str, ...], names: Mapping[str, str]) -> list[JsonSchema]:
    """Each role by its own name, and by the pipeline's where that is another."""
    ways: list[dict[str, JsonSchema]] = [{}]
    for role in roles:
        cell = array(TEXT) if role == "tokens" else TEXT
        ways = [way | {name: cell} for way in ways for name in dict.fromkeys((names.get(role, role), role))]
    return [obj(way, more=True) for way in ways]

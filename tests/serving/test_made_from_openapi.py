"""Clients that read nothing but /openapi.json: schemathesis sends what it allows and what it forbids, and a client made
from it is answered."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from aiopenapi3 import OpenAPI
from hosting import KINDS, hosting, tiny_predictor
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LIMITS = {"max_rows": 20, "queue_rows": 200, "max_characters": 1000, "max_body_bytes": 100_000}
SOAK = pytest.mark.soak(twin="tests/serving/test_made_from_openapi.py::test_answers_are_as_the_document_says")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with hosting({"tiny": tiny_predictor(tmp_path_factory.mktemp("tiny"), KINDS[0])}, **LIMITS) as address:
        yield address


@pytest.fixture(scope="module")
def all_kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of a model of each kind."""
    with hosting({kind: tiny_predictor(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}, **LIMITS) as address:
        yield address


def send_all(address: str, mode: GenerationMode, examples: int, *, only: str = "") -> int:
    """Ask each operation of the document, or those with `only` in their paths, `examples` times; hold each answer
    against the document."""
    sent = 0
    for found in schemathesis.openapi.from_url(f"{address}/openapi.json").get_all_operations():
        operation = found.ok()
        # Where nothing is sent, nothing can be wrong.
        if only not in operation.path or (mode is GenerationMode.NEGATIVE and not operation.body):
            continue

        @settings(deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            nonlocal sent
            sent += 1
            case.call_and_validate(checks=CHECKS, timeout=30)

        send()
    return sent


@pytest.mark.parametrize("mode", list(GenerationMode), ids=["allowed", "forbidden"])
def test_answers_are_as_the_document_says(alone: str, mode: GenerationMode) -> None:
    assert send_all(alone, mode, 3, only="/models/tiny") >= 9


@pytest.mark.parametrize("mode", [pytest.param(mode, marks=SOAK, id=mode.value) for mode in GenerationMode])
def test_answers_of_all_kinds_are_as_the_document_says(all_kinds: str, mode: GenerationMode) -> None:
    assert send_all(all_kinds, mode, 20) >= 300


def test_a_generated_client_is_answered(alone: str) -> None:
    client = OpenAPI.load_sync(f"{alone}/openapi.json")
    answered = client._.post_predict(data={"texts": ["excellent soup"]})
    assert answered.model == "tiny"
    assert len(answered.predictions) == 1
    assert client._.get_readyz().version == "1"

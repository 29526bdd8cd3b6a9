"""Every operation that OpenAPI describes, called by schemathesis with what it makes up."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from flows.serve.problems import schema as problem_schema

EXAMPLES = 25
CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
# The stream never ends; test_events has it.
PATHS = (
    "/v1/images",
    "/v1/readings",
    "/v1/readings/{key}",
    "/v1/readings/{key}/crop",
    "/v1/readings/{key}/picture",
    "/v1/readings/{key}/view",
    "/v1/readings/{key}/reread",
    "/v1/failures",
    "/v1/board",
    "/v1/recipes",
    "/v1/recipe-forms",
    "/v1/recipes/{camera}",
    "/v1/recipes/{camera}/check",
    "/v1/recipes/{camera}/try",
    "/v1/recipes/{camera}/preview",
    "/v1/recipes/{camera}/pictures",
    "/v1/recipes/{camera}/earlier",
    "/v1/recipes/{camera}/earlier/{stamp}",
    "/v1/status",
    "/metrics",
    "/healthz",
    "/readyz",
)


@pytest.mark.parametrize("path", PATHS)
def test_operation_when_called_with_anything_then_it_answers_as_it_is_described(station, path):
    described = schemathesis.openapi.from_url(f"http://127.0.0.1:{station.port}/openapi.json")
    assert set(PATHS) | {"/v1/events"} == set(described.raw_schema["paths"])
    operations = [found.ok() for found in described.get_all_operations() if found.ok().path == path]
    statuses = set()
    anything = st.one_of(
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )

    @settings(
        max_examples=EXAMPLES,
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=anything)
    def call(case):
        answer = case.call_and_validate(checks=CHECKS)
        statuses.add(answer.status_code)
        if answer.status_code >= 400:
            assert set(answer.json()) == set(problem_schema()["required"])

    call()
    assert statuses

"""The OpenAPI document: valid, complete, and true."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.support.installation import ORIGIN, Installation


@pytest.fixture(scope="module")
def document(shared: Installation) -> dict[str, Any]:
    """The document as anybody may fetch it."""
    answer = shared.api().get("/openapi.json")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json
    return body


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_operation_says_what_it_needs(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        assert path.startswith("/api/v1/")
        for method, operation in operations.items():
            assert operation["security"] in ([{"token": []}, {"session": []}], [{"session": []}])
            assert operation["operationId"]
            assert operation["summary"]
            assert "401" in operation["responses"]
            if method == "post":
                assert {"409", "422"} <= set(operation["responses"])
                assert any(one["name"] == "Idempotency-Key" for one in operation["parameters"])
            if "{" in path:
                assert "404" in operation["responses"]
            if "requestBody" in operation:
                assert operation["requestBody"]["required"] is True
                assert {"400", "413", "415", "422"} <= set(operation["responses"])
    text = str(document)
    assert "/login" not in text
    assert "/settings" not in text


def test_what_is_sent_and_answered_is_what_the_document_says(
    shared: Installation, document: dict[str, Any]
) -> None:
    """Let schemathesis make up requests for every operation and check each answer."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", shared.app, base_url=ORIGIN)
    token = shared.token()
    checked = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(
            max_examples=12, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate],
        )
        def check(case: Any) -> None:
            response = case.call(headers={"Authorization": f"Bearer {token}"})
            # A schema can't say which cursors were given out or which values are too weak.
            case.validate_response(response, excluded_checks=[positive_data_acceptance])

        check()
        checked += 1
    assert checked == sum(len(operations) for operations in document["paths"].values())

"""The OpenAPI 3.1 document at ``/api/v1/openapi.json``; it names shapes, never values."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, APIFlask

from app.api.blueprint import BASE, IdConverter, problem_response
from app.api.shapes import ProblemOut

PATH = f"{BASE}/openapi.json"

_ID = {"type": "string", "format": "uuid"}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The ETag that the change starts from; a session must send it to save a flow.",
    "schema": {"type": "string"},
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key is done once and answered alike, for 24 "
    "hours; a repeated answer has `Idempotency-Replayed: true`.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}


def register(app: APIFlask) -> None:
    """Set the document's head and mend what the generator can't know."""
    app.url_map.converters["id"] = IdConverter
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_SERVERS=False,
        AUTO_200_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        TAGS=[
            "secrets", "flows", "runs", "components", "account", "people", "workers",
            "installation",
        ],
        INFO={
            "description": "Flows whose secrets are never spoken. Errors are "
            "`application/problem+json`; lists are `{items, next_cursor}`."
        },
        SERVERS=[{"url": "/"}],
        SECURITY_SCHEMES={
            "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
            "session": {
                "type": "apiKey",
                "in": "cookie",
                "name": "__Host-tacit",
                "description": "A login session; writes need X-CSRF-Token and our Origin.",
            },
        },
    )
    app.spec_callback = _mend


def limit(app: APIFlask) -> None:
    """Keep the pages out of the document; call it when every blueprint is registered.

    The generator asks each blueprint whether it is documented, and plain ones of Flask don't know.
    """
    for blueprint in app.blueprints.values():
        if not isinstance(blueprint, APIBlueprint):
            blueprint.enable_openapi = False  # type: ignore[attr-defined]


def _mend(spec: dict[str, Any] | str) -> dict[str, Any] | str:
    assert isinstance(spec, dict)  # noqa: S101 - the document is JSON here, never YAML
    schemas = spec.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _problem_schema(schemas)
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            operation["tags"] = [_tag(path)]
            if method == "post":
                operation["parameters"].append(dict(_IDEMPOTENCY_KEY))
                for status in (409, 422):
                    operation["responses"].setdefault(str(status), problem_response(status))
            if "412" in operation["responses"]:
                operation["parameters"].append(dict(_IF_MATCH))
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"].endswith("_id"):
                    parameter["schema"] = dict(_ID)
    return spec


def _problem_schema(schemas: dict[str, Any]) -> dict[str, Any]:
    finding = ProblemOut.model_json_schema(ref_template="#/components/schemas/Problem.{model}")
    for name, schema in finding.pop("$defs", {}).items():
        schemas[f"Problem.{name}"] = schema
    schemas["Problem.Finding"] = finding
    return {
        "title": "Problem",
        "description": "An error (RFC 9457).",
        "type": "object",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable name of the refusal."},
            "detail": {"type": "string", "description": "What happened and what to do."},
            "request_id": {"type": "string"},
            "problems": {
                "type": "array", "items": {"$ref": "#/components/schemas/Problem.Finding"}
            },
        },
    }


def _tag(path: str) -> str:
    parts = path.removeprefix(BASE).strip("/").split("/")
    if "runs" in parts:
        return "runs"
    return _TAGS.get(parts[0], "account")


_TAGS = {
    "secrets": "secrets", "flows": "flows", "components": "components", "users": "people",
    "workers": "workers", "freeze": "installation", "audit": "installation",
    "keys": "installation",
}

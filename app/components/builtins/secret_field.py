"""``secret.field``: one field of a JSON secret, as a secret of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from app.components.context import Context
from app.components.declaration import Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, field
from app.components.paths import walk
from app.components.ports import Port, PortType
from app.components.problems import Remedy


class _Written(str):
    """A number as it is written in the secret: 1.10 stays 1.10, and no digit is lost."""


class SecretFieldConfig(ComponentConfig):
    """Which field."""

    path: str = field(
        label="Field",
        kind="text",
        help="The field's name; with dots and numbers from 0 where it stands deeper.",
        placeholder="database.password",
        wirable=False,
        min_length=1,
        max_length=500,
    )
    output_format: Literal["raw", "json"] = field(
        "raw",
        alias="outputFormat",
        label="Output format",
        kind="select",
        choices=(("raw", "One text"), ("json", "JSON with fields")),
        help="JSON hands over an object or a list, for another Secret Field or for credentials.",
        wirable=False,
    )


class SecretField(Component):
    """Takes one field out of a JSON secret."""

    name = "secret.field"
    title = "Secret Field"
    help = (
        "Takes one field out of a JSON secret and hands it on as a secret of its own, which may go "
        "where the whole one may. Example: the field password of a secret with user and password."
    )
    category = "secret"
    icon = "file-key"
    summary = "{path}"
    handles_secrets = True
    examples = (
        Example("The password of a JSON secret", {"path": "password"},
                secrets={"secret": "db/credentials"}),
    )
    failures = (
        Failure("secret_not_json", "The secret isn't JSON. Store it as JSON, or wire it directly."),
        Failure("secret_field_missing", "The secret has no such field. Correct Field."),
        Failure("secret_field_not_text", "The field is an object or a list. Name a field in it."),
    )
    Config = SecretFieldConfig
    inputs = (
        Port(
            "secret",
            PortType.SECRET,
            "Secret",
            required=True,
            help="A JSON secret, raw or with the output format JSON.",
            structured=True,
        ),
    )
    outputs = (Port("value", PortType.SECRET, "Value", help="The field, as a secret."),)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the field as a secret.

        :raises NodeError: ``secret_not_json``, ``secret_field_missing``, ``secret_field_not_text``;
            they name the path and nothing that the secret holds.
        """
        path, wanted = context.config.path, context.config.output_format
        made = context.combine(lambda found: _take(found["secret"], path, wanted), "secret")
        return {"value": made.as_structured() if wanted == "json" else made}


def _take(text: str, path: str, wanted: str) -> str:
    number = None if wanted == "json" else _Written
    try:
        document = json.loads(text, parse_int=number, parse_float=number)
    except (ValueError, RecursionError):
        raise NodeError(
            "secret_not_json",
            "The secret wired into Secret isn't JSON, so it has no fields. Store JSON, or use the "
            "secret as it is.",
        ) from None
    found = _look_up(document, path)
    if found is None:
        raise NodeError(
            "secret_field_missing",
            f"The secret has no field {path}. Correct Field in the node, or store it in the "
            "secret.",
            remedy=Remedy("edit_field", "Change it in the node", {"field": "path"}),
        )
    if wanted == "json":
        return json.dumps(found, ensure_ascii=False)
    if isinstance(found, dict | list):
        raise NodeError(
            "secret_field_not_text",
            f"Field {path} holds several values. Name one of them, or set the output format to "
            "JSON.",
            remedy=Remedy("edit_field", "Change it in the node", {"field": "path"}),
        )
    return str(found) if isinstance(found, str) else json.dumps(found)


def _look_up(document: Any, path: str) -> Any:
    """Return what stands at a dotted path, None for nothing.

    A key with dots in it is found as it is written.
    """
    if isinstance(document, dict) and path in document:
        return document[path]
    try:
        return walk(document, path.split("."), digits=6)
    except KeyError:
        return None

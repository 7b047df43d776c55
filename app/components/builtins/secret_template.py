"""``secret.template``: a text with secret parts, which is a secret itself."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

from pydantic import JsonValue, field_validator, model_validator

from app.components.context import Context
from app.components.declaration import PORT_NAME, Component
from app.components.errors import NodeError
from app.components.examples import Example, Failure
from app.components.fields import ComponentConfig, config_words, field, output_format_field
from app.components.ports import Port, PortType
from app.components.shapes import Ports

_PLACE: Final = re.compile(r"\{\{\s*([^{}|]*?)\s*(?:\|\s*([^{}|]*?)\s*)?\}\}")
_PORTS: Final = ("secret", "secret_2", "secret_3", "secret_4")
_TAKEN: Final = frozenset({"start", "template", "values", "outputFormat"})
_SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "url": lambda text: quote(text, safe=""),
    "json": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "base64": lambda text: base64.b64encode(text.encode("utf-8", "surrogatepass")).decode(),
}


def _is_input(name: str) -> bool:
    return PORT_NAME.fullmatch(name) is not None and name not in _TAKEN


def _places(template: str) -> list[str]:
    """Return the names of the places that have an input, each once, in order."""
    found = dict.fromkeys(name for name, _ in _PLACE.findall(template))
    return [name for name in found if _is_input(name)]


class SecretTemplateConfig(ComponentConfig):
    """The text, and what of it is no secret."""

    template: str = field(
        label="Template",
        kind="multiline",
        help="Each place, {{password}} say, is an input for a secret of that name. Where none is "
        "wired, one of Values fills it. {{password|url}}, {{password|json}} and "
        "{{password|base64}} spell it for addresses, JSON and headers.",
        placeholder="postgresql://app:{{secret|url}}@db.example.com:5432/shop",
        shapes=True,
        min_length=1,
        max_length=20_000,
    )
    values: dict[str, JsonValue] = field(
        {},
        label="Values",
        kind="key_value",
        help="What fills the places without a secret.",
        note="is plain data; wire secrets into the inputs that the places have",
    )
    output_format: Literal["raw", "json"] = output_format_field(
        "JSON for credentials with several fields."
    )

    @field_validator("template")
    @classmethod
    def _places_can_be_filled(cls, template: str) -> str:
        places = _PLACE.findall(template)
        if any(spelling and spelling not in _SPELLINGS for _, spelling in places):
            raise config_words("has a place with a spelling other than url, json and base64")
        if not any(_is_input(name) for name, _ in places):
            raise config_words("has no place for a secret, such as {{secret}}")
        return template

    @model_validator(mode="after")
    def _something_is_secret(self) -> SecretTemplateConfig:
        named = _places(self.template)
        if not any(name in _PORTS or name not in self.values for name in named):
            raise config_words(
                "has no place for a secret: Values fills them all. Add one such as {{secret}}",
                "template",
            )
        return self


class SecretTemplate(Component):
    """Fills the places of a text with secrets."""

    name = "secret.template"
    title = "Secret Template"
    help = (
        "Makes one secret of a text and the secrets in it. All of the text is a secret from then "
        "on: masked, and sent only where all of its secrets may go. Example: "
        "postgresql://app:{{secret|url}}@db:5432/shop, the address of a database."
    )
    category = "secret"
    icon = "braces"
    summary = "{template}"
    handles_secrets = True
    examples = (
        Example("A header of two parts", {"template": "Token {{secret}}"},
                secrets={"secret": "api/token"}),
        Example("The address of a database",
                {"template": "postgresql://{{user|url}}:{{password|url}}@{{host}}:5432/shop",
                 "values": {"host": "db.example.com"}},
                secrets={"user": "shop/db-user", "password": "shop/db-password"}),
    )
    failures = (
        Failure("template_value_missing", "The template names what isn't there. Wire or set it."),
        Failure("secret_not_wired", "The template names a secret that isn't wired."),
        Failure("secret_not_json", "The filled text isn't JSON. Spell its places with |json."),
    )
    Config = SecretTemplateConfig
    inputs = (
        Port("secret", PortType.SECRET, "Secret", required=True, help="Fills {{secret}}."),
        *(
            Port(name, PortType.SECRET, f"Secret {number}", help=f"Fills {{{{{name}}}}}.",
                 rare=True)
            for number, name in enumerate(_PORTS[1:], start=2)
        ),
    )
    outputs = (Port("value", PortType.SECRET, "Value", help="The filled text, as a secret."),)

    @classmethod
    def ports(cls, config: Mapping[str, Any]) -> Ports:
        """Return an input for each place.

        The four that every template once had stay, out of sight where nothing names them: flows
        have wires into them.
        """
        named = _places(str(config.get("template") or ""))
        if not named:
            return Ports(cls.inputs, cls.outputs)
        label = {port.name: port.label for port in cls.inputs}
        own = [
            # What isn't one of the four may be one of Values, which a wire can bring too.
            Port(name, PortType.SECRET, label.get(name, name), required=name == _PORTS[0],
                 help=f"Fills {{{{{name}}}}}.")
            for name in named
        ]
        rest = [
            Port(port.name, PortType.SECRET, port.label, help=port.help, rare=True)
            for port in cls.inputs if port.name not in named
        ]
        return Ports((*own, *rest), cls.outputs)

    def run(self, context: Context) -> Mapping[str, Any]:
        """Return the filled text as a secret.

        :raises NodeError: ``template_value_missing``, ``secret_not_wired``, ``secret_not_json``.
        """
        named = _places(context.config.template)
        ports = [name for name in named if name in _PORTS or context.has_secret(name)]
        if not ports:
            raise NodeError(
                "secret_not_wired",
                f"No secret is wired into {named[0]}. Wire a Secret Fetch into it.",
            )

        def fill(secrets: Mapping[str, str]) -> str:
            return _fill(context.config.template, {**context.config.values, **secrets})

        made = context.combine(fill, *ports)
        if context.config.output_format == "json":
            made = made.as_structured()
        return {"value": made}


def _fill(template: str, values: Mapping[str, Any]) -> str:
    """Substitute once: what stands in a value is never read as a place."""

    def found(place: re.Match[str]) -> str:
        name = place[1]
        if name not in values:
            raise NodeError(
                "template_value_missing",
                f"The template names {{{{{name}}}}}, and nothing fills it. Wire a secret into the "
                "input of that name, add it to Values, or take it out of the template.",
            )
        value = values[name]
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return _SPELLINGS[place[2]](text) if place[2] else text

    return _PLACE.sub(found, template)

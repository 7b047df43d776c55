"""The settings of a component: what pydantic checks of them, and how the inspector shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticUndefined

from app.components.ports import Port, PortType

FieldKind = Literal[
    "text",
    "multiline",
    "number",
    "boolean",
    "select",
    "json",
    "key_value",
    "secret_name",
    "secret_version",
    "run_inputs",
]

_PORT_OF_KIND: Final[Mapping[str, PortType]] = {
    "text": PortType.TEXT,
    "multiline": PortType.TEXT,
    "select": PortType.TEXT,
    "number": PortType.NUMBER,
    "boolean": PortType.BOOLEAN,
    "json": PortType.JSON,
    "key_value": PortType.JSON,
}


class ComponentConfig(BaseModel):
    """Base of every component's config: strict types, unknown fields refused, frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


def config_words(words: str, field: str = "") -> PydanticCustomError:
    """Return the error that a validator of a config raises, in words that people are shown.

    :param words: follow on the field's label: ``has a name that comes twice``. Quote no value.
    :param field: whose they are, for a validator of the whole config.
    """
    return PydanticCustomError("config_words", "{words}", {"words": words, "field": field})


def field(
    default: Any = PydanticUndefined,
    *,
    label: str,
    kind: FieldKind,
    help: str = "",
    alias: str | None = None,
    wirable: bool = True,
    rare: bool = False,
    port_type: PortType | None = None,
    choices: Sequence[tuple[str, str]] = (),
    dynamic_choices: bool = False,
    shapes: bool = False,
    placeholder: str = "",
    visible_when: tuple[str, Sequence[Any]] | None = None,
    visible_with: str = "",
    group: str = "",
    note: str = "",
    **constraints: Any,
) -> Any:
    """Declare a config field: what pydantic checks, and how the inspector shows it.

    :param default: without one the field is required: typed or wired.
    :param alias: the name in the graph document and on the port, where it differs.
    :param wirable: False for what chooses a secret, version, provider or endpoint, or shapes
        ports; all else can be wired as an input of the same name.
    :param rare: that input is shown on the node only once it is wired, from the inspector.
    :param port_type: type of that input; follows from ``kind`` where not given.
    :param choices: ``(value, label)`` pairs of a ``select``.
    :param dynamic_choices: they follow from other settings, see :meth:`Component.choices`.
    :param shapes: ports or choices follow from it, so it can't be wired.
    :param visible_when: ``(field, values)``: shown only while that field has one of them.
    :param visible_with: name of an input: shown only while that one is wired.
    :param group: name of the part of the inspector that it folds away with until something in it
        is set; for what is rarely touched.
    :param note: why the wired input takes no secrets (see :class:`~app.components.ports.Port`).
    :param constraints: passed on to :func:`pydantic.Field` (``ge``, ``max_length``…).
    """
    shown = {
        "label": label,
        "help": help,
        "kind": kind,
        "wirable": wirable and not shapes,
        "rare": rare,
        "port_type": port_type or _PORT_OF_KIND.get(kind, PortType.TEXT),
        "choices": [{"value": value, "label": words} for value, words in choices],
        "dynamic_choices": dynamic_choices,
        "shapes": shapes,
        "placeholder": placeholder,
        "visible_when": visible_when,
        "visible_with": visible_with,
        "group": group,
        "note": note,
    }
    empty = isinstance(default, dict | list) and not default
    # Made anew for each node; as a default it would be copied deeply, which costs more.
    given = {"default_factory": type(default)} if empty else {"default": default}
    return Field(
        alias=alias, json_schema_extra={"tacit": cast(Any, shown)}, **given, **constraints
    )


def output_format_field(help: str = "JSON for secrets with several fields.") -> Any:
    """Declare the field ``outputFormat``, a ``Literal["raw", "json"]``, of what hands out secrets.

    :param help: what JSON brings here.
    """
    return field(
        "raw",
        alias="outputFormat",
        label="Output format",
        kind="select",
        choices=(("raw", "Raw text"), ("json", "JSON")),
        help=help,
        wirable=False,
    )


def time_limit_field(
    seconds: float,
    *,
    most: float,
    help: str = "Seconds for all tries together.",
    wirable: bool = False,
    rare: bool = False,
    group: str = "",
) -> Any:
    """Declare the field ``timeout``, a float, of what waits for others.

    :param seconds: the default; ``most`` is the highest that can be set.
    :param wirable: as for :func:`field`; so are ``rare`` and ``group``.
    """
    return field(
        seconds, label="Time limit (s)", kind="number", help=help, wirable=wirable, rare=rare,
        group=group,
        gt=0, le=most,
    )


class ConfigField:
    """One config field of a component, as declared."""

    __slots__ = ("attribute", "default", "name", "port", "required", "shown")

    def __init__(self, attribute: str, info: FieldInfo) -> None:
        extra = info.json_schema_extra
        if not isinstance(extra, dict) or "tacit" not in extra:
            raise TypeError(f"config field {attribute} has to be declared with field(…)")
        self.shown: dict[str, Any] = cast(Any, extra["tacit"])
        self.attribute = attribute
        self.name = info.alias or attribute
        self.required = info.is_required()
        self.default = None if self.required else info.get_default(call_default_factory=True)
        #: The input that a wire goes into, or None where the field can't be wired.
        self.port: Port | None = (
            Port(
                self.name,
                PortType(self.shown["port_type"]),
                self.shown["label"],
                required=self.required,
                help=self.shown["help"],
                note=self.shown["note"],
                rare=self.shown["rare"],
            )
            if self.shown["wirable"]
            else None
        )

    def describe(self) -> dict[str, Any]:
        """Return the field as ``GET /components`` shows it."""
        shown = self.shown
        out: dict[str, Any] = {
            "name": self.name,
            "label": shown["label"],
            "help": shown["help"],
            "kind": shown["kind"],
            "required": self.required,
            "default": self.default,
            "wirable": shown["wirable"],
            "port_type": str(shown["port_type"]) if shown["wirable"] else None,
        }
        if shown["choices"]:
            out["choices"] = shown["choices"]
        for name in ("dynamic_choices", "shapes"):
            if shown[name]:
                out[name] = True
        if shown["placeholder"]:
            out["placeholder"] = shown["placeholder"]
        if shown["visible_when"]:
            name, values = shown["visible_when"]
            out["visible_when"] = {"field": name, "in": list(values)}
        if shown["visible_with"]:
            out["visible_with"] = shown["visible_with"]
        if shown["group"]:
            out["group"] = shown["group"]
        return out

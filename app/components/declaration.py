"""What a component declares, and the class that an author writes.

A component is a class with its ports, a pydantic ``Config`` and ``run``. The server reads the
declaration and never calls ``run``; the worker does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final, Literal

from app.components.context import Context
from app.components.examples import Example, Failure, Use
from app.components.fields import ComponentConfig, ConfigField
from app.components.ports import DEFAULT_NOTE, DONE, START, Port, PortType
from app.components.shapes import Ports, Shape
from app.components.upgrades import Upgrade

SDK: Final = 1
"""The version of what authors import (:mod:`app.sdk`); raised when something is taken away."""

MAX_PORTS: Final = 200
PORT_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")

Category = Literal["trigger", "secret", "connect", "logic", "output"]
class Component:
    """Base of every component. Instances are stateless: one serves every node of its kind."""

    #: The version of the kit that it was written for; who says nothing wrote for the first.
    sdk: ClassVar[int] = 1
    name: ClassVar[str]
    version: ClassVar[int] = 1
    title: ClassVar[str]
    help: ClassVar[str]
    category: ClassVar[Category]
    #: Name of a lucide icon.
    icon: ClassVar[str]
    #: One line of settings that tells two such nodes apart: ``{method} {url}``.
    summary: ClassVar[str] = ""
    #: It reads, makes or rotates a secret: drawn with the hatched band.
    handles_secrets: ClassVar[bool] = False
    #: Its plain outputs may be made from secrets, and are scrubbed (an HTTP answer).
    opens_secrets: ClassVar[bool] = False
    #: It may fail in ways that pass, and says so on its errors: the inspector offers retries.
    retries: ClassVar[bool] = False
    #: It runs when what is wired into it has come or was left out, and something came (Merge).
    joins: ClassVar[bool] = False
    #: The external secret manager that it fetches from; see
    #: :class:`~app.components.external.ExternalFetch`.
    provider: ClassVar[str] = ""
    #: Older versions of itself that still run: classes of the same name. Nodes made with one
    #: keep it, and are told of the newer one.
    older: ClassVar[tuple[type[Component], ...]] = ()
    #: How settings of a version become those of the next one, by the version they come from.
    upgrades: ClassVar[Mapping[int, Upgrade]] = {}
    #: What it reaches outside of its node, see :data:`~app.components.examples.USES`.
    uses: ClassVar[tuple[Use, ...]] = ()
    #: Nodes as people would set them up; the contract suite runs each.
    examples: ClassVar[tuple[Example, ...]] = ()
    #: How its nodes fail, beside what every node can (a missing input, a time limit…).
    failures: ClassVar[tuple[Failure, ...]] = ()
    Config: ClassVar[type[ComponentConfig]] = ComponentConfig
    inputs: ClassVar[tuple[Port, ...]] = ()
    outputs: ClassVar[tuple[Port, ...]] = ()

    @classmethod
    def ports(cls, config: Mapping[str, Any]) -> Ports:
        """Return the ports of a node with these settings, where they follow from them.

        Pure: the server's check of wires, the canvas and the worker all ask it. Fields that it
        looks at are declared with ``shapes=True``.

        :param config: as typed: unfinished, wrong or empty too. What it raises is taken as if it
            had returned the declared ports.
        """
        return Ports(cls.inputs, cls.outputs)

    @classmethod
    def choices(cls, field: str, config: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        """Return the ``(value, label)`` pairs of a field declared with ``dynamic_choices``.

        Pure, like :meth:`ports`.
        """
        return ()

    def run(self, context: Context) -> Mapping[str, Any]:
        """Do the work of one node; runs in the worker only.

        :returns: outputs by port name: JSON values, and
            :class:`~app.components.secret.Secret` objects on secret ports only.
        :raises NodeError: the node failed for a reason that a user can act on.
        """
        raise NotImplementedError

    def check(self, context: Context) -> str:
        """Say before any node runs whether this one will get its secret (external ones only).

        :returns: the version that the run is going to use, in its manager's words; may be empty.
        :raises NodeError: it won't; the run ends as ``rejected``.
        """
        return ""

    @classmethod
    def external_secret(cls, config: Mapping[str, Any]) -> tuple[str, str] | None:
        """Return the reference and version that the settings name, or None where none is named.

        :param config: as typed, not validated.
        """
        return None

    @classmethod
    def prepare(cls) -> None:
        """Load what ``run`` needs. Called once in the process that runs are forked from, so
        that no run pays for it; holds no secret and connects nowhere."""

    @classmethod
    @cache
    def fields(cls) -> Mapping[str, ConfigField]:
        """Return the config fields by the name that the graph document uses."""
        made = (ConfigField(name, info) for name, info in cls.Config.model_fields.items())
        return {one.name: one for one in made}

    @classmethod
    @cache
    def required_fields(cls) -> Mapping[str, ConfigField]:
        """Return those of the fields that a node can't do without."""
        return {name: field for name, field in cls.fields().items() if field.required}

    @classmethod
    @cache
    def choosing_fields(cls) -> Mapping[str, ConfigField]:
        """Return those of the fields whose choices follow from the settings."""
        fields = cls.fields().items()
        return {name: field for name, field in fields if field.shown["dynamic_choices"]}

    @classmethod
    @cache
    def input_ports(cls) -> Mapping[str, Port]:
        """Return every input by name: declared ones, wirable fields, and ``start``."""
        wired = (one.port for one in cls.fields().values() if one.port is not None)
        return _by_name(cls.name, (*cls.inputs, *wired, START))

    @classmethod
    @cache
    def output_ports(cls) -> Mapping[str, Port]:
        """Return every output by name, ``done`` among them."""
        ports = _by_name(cls.name, (*cls.outputs, DONE))
        _check_ports(cls.name, {}, ports)
        return ports

    @classmethod
    @cache
    def has_dynamic_ports(cls) -> bool:
        """Say whether the ports follow from the settings."""
        return cls.ports.__func__ is not Component.ports.__func__  # type: ignore[attr-defined]

    @classmethod
    def shape(cls, config: Mapping[str, Any]) -> Shape:
        """Return the ports of a node with these settings. Raises nothing, whatever they are."""
        if not cls.has_dynamic_ports():
            return cls._declared_shape()
        try:
            return cls._shape_of(*cls.ports(config))
        except Exception:
            # A package's own code, on settings that nobody has finished yet.
            return cls._declared_shape()

    @classmethod
    @cache
    def _declared_shape(cls) -> Shape:
        return Shape(cls.inputs, cls.outputs, cls.input_ports(), cls.output_ports())

    @classmethod
    def _shape_of(cls, inputs: Sequence[Port], outputs: Sequence[Port]) -> Shape:
        wired = (one.port for one in cls.fields().values() if one.port is not None)
        into = _by_name(cls.name, (*inputs, *wired, START))
        out_of = _by_name(cls.name, (*outputs, DONE))
        _check_ports(cls.name, into, out_of)
        return Shape(tuple(inputs), tuple(outputs), into, out_of)

    @classmethod
    def choices_of(cls, name: str, config: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return a field's choices under these settings. Raises nothing, whatever they are."""
        try:
            return [(str(value), str(words)) for value, words in cls.choices(name, config)][:1_000]
        except Exception:
            return []

    @classmethod
    def describe_shape(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return what follows from a node's settings: its ports, and choices by field."""
        choices = {
            name: [{"value": one, "label": words} for one, words in cls.choices_of(name, config)]
            for name, one in cls.fields().items()
            if one.shown["dynamic_choices"]
        }
        return {**cls._describe_ports(cls.shape(config)), "choices": choices}

    @classmethod
    def _describe_ports(cls, shape: Shape) -> dict[str, Any]:
        fields = cls.fields()
        inputs = [
            {
                **_describe_port(port), "note": port.note or DEFAULT_NOTE,
                "field": name in fields, "rare": port.rare,
            }
            for name, port in shape.into.items()
            if port.type is not PortType.ORDER
        ]
        return {"inputs": inputs, "outputs": [_describe_port(port) for port in shape.outputs]}

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """Return the declaration as ``GET /components`` shows it."""
        fields = cls.fields().values()
        config = {one.name: one.default for one in fields if not one.required}
        return {
            "name": cls.name,
            "version": cls.version,
            "title": cls.title,
            "help": cls.help,
            "category": cls.category,
            "icon": cls.icon,
            "handles_secrets": cls.handles_secrets,
            "retries": cls.retries,
            "joins": cls.joins,
            "provider": cls.provider,
            "summary": cls.summary,
            "fields": [one.describe() for one in fields],
            **cls._describe_ports(cls.shape(config)),
            "dynamic": cls.has_dynamic_ports()
            or any(one.shown["dynamic_choices"] for one in fields),
        }


def _by_name(component: str, ports: Iterable[Port]) -> dict[str, Port]:
    found: dict[str, Port] = {}
    for port in ports:
        if port.name in found:
            raise TypeError(f"{component}: port {port.name} is declared twice")
        found[port.name] = port
    return found


def _check_ports(component: str, into: Mapping[str, Port], out_of: Mapping[str, Port]) -> None:
    if any(port.type is PortType.ANY for port in out_of.values()):
        raise TypeError(f"{component}: an output can't be of type any")
    if len(into) > MAX_PORTS or len(out_of) > MAX_PORTS:
        raise TypeError(f"{component}: it has more than {MAX_PORTS} ports on one side")
    wrong = next((name for name in (*into, *out_of) if not PORT_NAME.fullmatch(name)), None)
    if wrong is not None:
        raise TypeError(
            f"{component}: a port's name has 1 to 64 letters, digits, “_”, “.” or “-”"
        )


def _describe_port(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "type": str(port.type),
        "label": port.label or port.name,
        "required": port.required,
        "multiple": port.multiple,
        "help": port.help,
    }

"""Whether a declaration holds together: what is asked of packages when they are loaded.

Built-ins are held to the same by the contract suite (tests/contract).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, get_args

from app.components.declaration import Category, Component, ComponentConfig
from app.components.examples import USES, Example, Failure
from app.components.ports import Port

NAME: Final = re.compile(r"(?=.{3,100}\Z)[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
PORT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
MAX_PORTS: Final = 200


def find_faults(component: type[Component]) -> list[str]:
    """Return what is wrong with a declaration: parts of sentences that follow on its name."""
    faults = list(_plain_faults(component))
    if faults:
        return faults
    try:
        component.fields()
        component.input_ports()
        component.output_ports()
        json.dumps(component.describe())
    except (TypeError, ValueError, AttributeError) as error:
        # An author's mistake, in the words of declaration.py; nothing of a user is in it.
        return [f"doesn't hold together: {error}"]
    return list(_field_faults(component)) + list(_said_faults(component))


def _plain_faults(component: type[Component]) -> Iterator[str]:
    for attribute in ("name", "title", "help", "category", "icon"):
        if not isinstance(getattr(component, attribute, None), str):
            yield f"declares no {attribute}"
    if not isinstance(getattr(component, "name", ""), str) or not NAME.fullmatch(
        getattr(component, "name", "a.b")
    ):
        yield "needs a name of lower-case words with dots between them, such as acme.greet"
    if getattr(component, "category", None) not in get_args(Category):
        yield f"needs a category out of {', '.join(get_args(Category))}"
    if type(component.version) is not int or component.version < 1:
        yield "needs a version that is a whole number from 1 on"
    if not isinstance(component.Config, type) or not issubclass(component.Config, ComponentConfig):
        yield "needs a Config that is a ComponentConfig"
    if component.run is Component.run:
        yield "has no run"
    for side, ports in (("inputs", component.inputs), ("outputs", component.outputs)):
        if not isinstance(ports, tuple) or not all(isinstance(one, Port) for one in ports):
            yield f"needs {side} that are a tuple of Port"
            continue
        yield from (
            f"has a port in {side} whose name isn't 1 to 64 letters, digits, “_”, “.” or “-”"
            for one in ports
            if not PORT.fullmatch(one.name)
        )
        if len(ports) > MAX_PORTS:
            yield f"has more than {MAX_PORTS} {side}"


def _field_faults(component: type[Component]) -> Iterator[str]:
    fields = component.fields()
    for one in fields.values():
        if not one.shown["label"]:
            yield f"has a field {one.name} without a label"
        seen = one.shown["visible_when"]
        if seen and seen[0] not in fields:
            yield f"shows {one.name} by a field {seen[0]}, which it doesn't have"


def _said_faults(component: type[Component]) -> Iterator[str]:
    if not all(isinstance(one, Example) for one in component.examples):
        yield "has examples that are no Example"
    if not all(
        isinstance(one, Failure) and _CODE.fullmatch(one.code) for one in component.failures
    ):
        yield "has failures that are no Failure with a snake_case code"
    unknown = set(component.uses) - set(USES)
    if unknown:
        yield f"uses {', '.join(sorted(map(str, unknown)))}, which nobody knows: {', '.join(USES)}"

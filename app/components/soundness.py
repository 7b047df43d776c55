"""Whether a declaration holds together: what is asked of packages when they are loaded.

Built-ins are held to the same by the contract suite (tests/contract).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final, get_args

from app.components.declaration import Category, Component
from app.components.examples import USES, Example, Failure
from app.components.fields import ComponentConfig
from app.components.ports import Port
from app.components.upgrades import Upgrade

NAME: Final = re.compile(r"(?=.{3,100}\Z)[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+")
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


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
    return [
        *_field_faults(component), *_version_faults(component), *_said_faults(component)
    ]


def _plain_faults(component: type[Component]) -> Iterator[str]:
    for attribute in ("name", "title", "help", "icon"):
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


def _field_faults(component: type[Component]) -> Iterator[str]:
    fields = component.fields()
    for one in fields.values():
        if not one.shown["label"]:
            yield f"has a field {one.name} without a label"
        if one.shown["kind"] == "select":
            if not one.shown["choices"] and not one.shown["dynamic_choices"]:
                yield f"has a field {one.name} to select from, and no choices for it"
            if one.shown["dynamic_choices"] and not _is_own(component, "choices"):
                yield f"has a field {one.name} with dynamic choices, and no choices()"
        seen = one.shown["visible_when"]
        if seen and seen[0] not in fields:
            yield f"shows {one.name} by a field {seen[0]}, which it doesn't have"
        wire = one.shown["visible_with"]
        if wire and wire not in component.input_ports():
            yield f"shows {one.name} with an input {wire}, which it doesn't have"


def _is_own(component: type[Component], method: str) -> bool:
    """Say whether a class method is another than the base class has."""
    return bool(
        getattr(component, method).__func__ is not getattr(Component, method).__func__
    )


def _version_faults(component: type[Component]) -> Iterator[str]:
    seen = set()
    for older in component.older:
        if not isinstance(older, type) or not issubclass(older, Component):
            yield "has older versions that are no Component"
            return
        if older.name != component.name or not older.version < component.version:
            yield "has an older version of another name, or that isn't older"
        if older.version in seen:
            yield f"has version {older.version} twice"
        seen.add(older.version)
        if older is not component:
            yield from (f"version {older.version}: {fault}" for fault in find_faults(older))
    for version, one in component.upgrades.items():
        if version not in range(1, component.version) or not isinstance(one, Upgrade):
            yield "has upgrades that aren't Upgrade by a version before its own"


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

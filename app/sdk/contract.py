"""What every component owes the people who use it, as checks that an author's tests can call.

::

    def test_it_keeps_the_contract():
        contract.check(Greet())

Tacit's own suite (tests/contract) holds every registered component to the same.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.components.binding import find_config_problems
from app.components.declaration import Component
from app.components.examples import Example
from app.components.fields import ConfigField
from app.components.ports import PortType
from app.components.soundness import find_faults
from app.sdk import testing

CANARY: Final = "CANARY-"
_WRONG: Final[Mapping[str, tuple[Any, ...]]] = {
    "text": (["CANARY-x"], 7),
    "multiline": (["CANARY-x"],),
    "number": ("CANARY-x", [1], float("nan")),
    "boolean": ("CANARY-x",),
    "select": ("CANARY-x", 7),
    "key_value": ("CANARY-x", ["CANARY-x"]),
    "secret_name": (["CANARY-x"],),
    "secret_version": ("CANARY-x",),
}


def check(component: Component) -> None:
    """Hold a component to everything that can be checked without its surroundings.

    :raises AssertionError: with one sentence for each thing that is missing or wrong.
    """
    found = [*declaration_faults(component), *config_faults(component)]
    if not found:
        for example in component.examples:
            found += example_faults(component, example)
    if found:
        raise AssertionError("\n".join(f"{component.name} {fault}" for fault in found))


def declaration_faults(component: Component) -> list[str]:
    """Return what the declaration lacks: parts of sentences that follow on its name."""
    faults = find_faults(type(component))
    if faults:
        return faults
    if not component.help.endswith("."):
        faults.append("needs a help of whole sentences")
    if not component.examples:
        faults.append("needs an Example in examples: a node as people would set it up")
    for one in component.fields().values():
        if one.shown["kind"] == "select" and one.shown["choices"] and not one.required:
            values = [choice["value"] for choice in one.shown["choices"]]
            if one.default not in values:
                faults.append(f"has a default of {one.name} that isn't one of its choices")
    for example in component.examples:
        shape = component.shape(example.config)
        wired = {*example.wires, *example.secrets}
        faults += [
            f"has an example “{example.title}” with a wire into {port}, which isn't there"
            for port in sorted(wired - shape.into.keys())
        ]
        faults += [
            f"has an example “{example.title}” that isn't valid: {problem.message}"
            for problem in find_config_problems(component, example.config, wired)
        ]
        faults += [
            f"has an example “{example.title}” without its required input {port.name}"
            for port in shape.inputs
            if port.required and port.name not in wired
        ]
    return faults


def wrong_settings(component: Component) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield settings that are wrong in one field each, with the field's name.

    What is wrong holds a canary: a message that quotes it is found out.
    """
    sound = _sound_config(component)
    for name, one in component.fields().items():
        for value in _WRONG.get(one.shown["kind"], ()):
            if _is_wrong(one, value):
                yield name, {**sound, name: value}


def config_faults(component: Component) -> list[str]:
    """Return which wrong settings aren't named by their field, or are quoted."""
    faults = []
    for name, config in wrong_settings(component):
        problems = find_config_problems(component, config)
        if not any(problem.field == name for problem in problems):
            faults.append(f"doesn't name its field {name} where that is wrong")
        if any(CANARY in json.dumps(problem.to_json()) for problem in problems):
            faults.append(f"quotes what was typed into {name}")
    unknown = find_config_problems(component, {**_sound_config(component), "CANARY_y": 1})
    if not any(problem.field == "CANARY_y" for problem in unknown):
        faults.append("takes a setting that it doesn't have")
    return faults


def example_faults(
    component: Component, example: Example, **surroundings: Any
) -> list[str]:
    """Run an example with canaries for secrets; return what went wrong.

    :param surroundings: passed on to :func:`app.sdk.testing.run`.
    """
    values = {port: canary() for port in example.secrets}
    result = testing.run(
        component, example.config, wires=example.wires, secrets=values, **surroundings
    )
    where = f"example “{example.title}”"
    faults = leak_faults(component, result, where)
    faults += [f"{what} in its {where}: it may use its context only" for what in result.past]
    if result.error is not None:
        faults.append(f"{where} fails: {result.error.message} [{result.error.code}]")
    return faults


def leak_faults(component: Component, result: testing.Result, where: str) -> list[str]:
    """Return which places of a result hold a secret that mustn't."""
    return [
        f"{where} lets a secret out into its {leak}"
        for leak in result.leaks
        # What such a component puts out is scrubbed by the worker.
        if not (component.opens_secrets and leak.startswith("output "))
    ]


def canary() -> str:
    """Return a value that is found wherever it stands."""
    return f"{CANARY}{secrets.token_hex(12)}"


def _sound_config(component: Component) -> dict[str, Any]:
    for example in component.examples:
        return dict(example.config)
    return {}


def _is_wrong(one: ConfigField, value: Any) -> bool:
    """A field may take more than its kind says: a body of text takes any JSON."""
    takes = one.port.type if one.port is not None else None
    return takes not in (PortType.JSON, PortType.ANY) or one.shown["kind"] == "key_value"

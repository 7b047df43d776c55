"""What a run of a flow is started with: declared by its Manual Triggers, checked by the server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from app.components.builtins.trigger_manual import ManualTrigger, ManualTriggerConfig, RunInput
from app.components.ports import USE_SECRET_FETCH
from app.components.problems import Problem, and_more
from app.errors import Invalid
from app.flows.graph import Graph, Node

MAX_BYTES: Final = 256 * 1024

_WANTED: Final[Mapping[str, str]] = {
    "text": "has to be text of at most 65,536 characters",
    "number": "has to be a number",
    "boolean": "has to be true or false",
    "choice": "has to be one of its choices",
}
_SECRETIVE = re.compile(
    r"(?i)(?:^|_)(?:password|passwd|passphrase|secret|token|api_?key|private_?key|credentials?)"
    r"(?:$|_)"
)


def declared_inputs(graph: Graph) -> list[RunInput]:
    """Return what the enabled Manual Triggers ask for, each name once, in document order."""
    found: dict[str, RunInput] = {}
    for node in graph.nodes:
        if node.component == ManualTrigger.name and not node.disabled:
            for one in _read(node):
                found.setdefault(one.name, one)
    return list(found.values())


def check_inputs(graph: Graph, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the run is started with: the given inputs, defaults filled in.

    A flow that declares no inputs takes any.

    :raises Invalid: ``inputs_invalid`` with one problem for each input, its name in ``field``;
        ``inputs_too_large``. Quotes no value.
    """
    refuse_large(given, "run")
    declared = declared_inputs(graph)
    if not declared:
        return dict(given)
    problems = list(_find_problems(declared, given))
    if problems:
        raise Invalid(
            "inputs_invalid", f"The run can't start. {problems[0].message}{and_more(problems)}",
            field="inputs", problems=[problem.to_json() for problem in problems],
        )
    values = {one.name: one.default for one in declared if one.default is not None}
    return values | {name: value for name, value in given.items() if value is not None}


def refuse_large(given: Mapping[str, Any], whose: str) -> None:
    """Refuse inputs that are no JSON, or too much of it.

    :param whose: ``run`` or ``node``, for the words.
    :raises Invalid: ``inputs_invalid``, ``inputs_too_large``.
    """
    try:
        size = len(json.dumps(given, allow_nan=False).encode())
    except (ValueError, RecursionError):
        raise Invalid(
            "inputs_invalid", f"The {whose}'s inputs aren't JSON.", field="inputs"
        ) from None
    if size > MAX_BYTES:
        raise Invalid(
            "inputs_too_large", f"The {whose}'s inputs are over 256 KiB.", field="inputs"
        )


def find_secretive_inputs(node: Node, label: str) -> Iterator[Problem]:
    """Yield a warning for each declared input whose name says that it is a secret."""
    for one in _read(node):
        if _SECRETIVE.search(one.name):
            yield Problem(
                "input_looks_secret", "warning",
                f"Input {one.name} of {label} is named like a secret. Inputs are stored with the "
                "run and shown on its page: store it as a secret and use Secret Fetch.",
                node=node.id, field="inputs", remedy=USE_SECRET_FETCH,
            )


def _read(node: Node) -> list[RunInput]:
    try:
        return ManualTriggerConfig.model_validate(dict(node.config)).inputs
    except ValidationError:
        # A draft may be unfinished; that is found by the check of the node's settings.
        return []


def _find_problems(declared: list[RunInput], given: Mapping[str, Any]) -> Iterator[Problem]:
    known = {one.name for one in declared}
    for name in given:
        if name not in known:
            shown = name if len(name) <= 64 and name.isprintable() else name[:64] + "…"
            yield _problem("input_unknown", shown, "The flow has no input of this name", shown)
    for one in declared:
        value, label = given.get(one.name), one.label or one.name
        # An empty text is no answer to a question that needs one.
        if value is None or (value == "" and one.required):
            if one.required and one.default is None:
                yield _problem("input_missing", one.name, f"{label} is needed", label)
        elif not one.takes(value):
            yield _problem("input_invalid", one.name, f"{label} {_WANTED[one.type]}", label)


def _problem(code: str, name: str, message: str, label: str) -> Problem:
    text = f"{message}: “{label}”." if code == "input_unknown" else f"{message}."
    return Problem(code, "error", text, field=f"inputs.{name}")

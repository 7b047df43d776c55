"""What is unfinished in a flow: found, listed, saved all the same.

Pure: shared by the server and the worker. What is *impossible* never gets here, see
:func:`app.flows.graph.parse_graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from app.components.binding import find_config_problems
from app.components.declaration import Component
from app.components.ports import PortType
from app.components.problems import Problem, Remedy
from app.components.registry import Registry
from app.flows.graph import Graph, Node
from app.flows.inputs import find_secretive_inputs
from app.flows.outdated import version_problem
from app.flows.wires import label_of

SecretStatus = Literal[
    "found", "missing", "denied", "disabled", "pin_missing", "verify_only"
]
#: Says what has become of a secret's name and pinned version (None: the active one) here.
SecretLookup = Callable[[str, int | None], SecretStatus]
#: Returns the existing name that is closest to a missing one, if any may be shown.
ClosestName = Callable[[str], str | None]

SECRET_FETCH: Final = "secret.fetch"  # noqa: S105 - a component's name
MANUAL_TRIGGER: Final = "trigger.manual"
WEBHOOK_TRIGGER: Final = "trigger.webhook"
SECRET_FIELD: Final = "secret.field"  # noqa: S105


@dataclass(frozen=True, slots=True)
class SecretReference:
    """A stored secret that a node names.

    :param version: the pinned version, or None for the active one.
    :param output_format: ``raw`` or ``json``.
    :param purpose: ``fetch`` for a node of a run; ``verify`` for a webhook, whose signatures are
        checked inside the vault.
    """

    node: str
    name: str
    version: int | None
    output_format: str
    purpose: Literal["fetch", "verify"] = "fetch"


@dataclass(frozen=True, slots=True)
class ExternalReference:
    """A secret of an external manager that a node names.

    :param provider: the manager, ``aws.secrets_manager`` say.
    :param reference: its name there; ``version`` as the settings ask for it, empty for the newest.
    """

    node: str
    provider: str
    reference: str
    version: str


def external_references(graph: Graph, registry: Registry) -> list[ExternalReference]:
    """Return what the flow's enabled nodes fetch from external managers, in document order."""
    found = []
    for node in graph.nodes:
        component = None if node.disabled else registry.find(node.component, node.version)
        named = component.external_secret(node.config) if component is not None else None
        if component is not None and component.provider and named is not None:
            found.append(ExternalReference(node.id, component.provider, *named))
    return found


def external_denied(reference: ExternalReference) -> Problem:
    """Return the finding that who runs the flow may not use secrets, in Secret Fetch's words."""
    return Problem(
        "secret_denied",
        "error",
        f"Secret {reference.reference} may not be used by this flow or by you. Ask for the right "
        "to use secrets here.",
        node=reference.node,
    )


def secret_references(graph: Graph) -> list[SecretReference]:
    """Return what the flow's enabled nodes name, in document order. Unset names are left out."""
    return [found for node in graph.nodes if (found := _reference(node)) and not node.disabled]


def fetched_references(graph: Graph) -> list[SecretReference]:
    """Return what a run of the flow is granted: all but the secrets that webhooks check with."""
    return [found for found in secret_references(graph) if found.purpose == "fetch"]


def _reference(node: Node) -> SecretReference | None:
    if node.component not in (SECRET_FETCH, WEBHOOK_TRIGGER):
        return None
    name, version = node.config.get("secretName"), node.config.get("version")
    if not isinstance(name, str) or not name:
        return None
    # Beyond what a database counts, no version exists either.
    pinned = max(0, min(version, 2**31 - 1)) if type(version) is int else None
    if node.component == WEBHOOK_TRIGGER:
        return SecretReference(node.id, name, pinned, "raw", "verify")
    return SecretReference(node.id, name, pinned, str(node.config.get("outputFormat", "raw")))


def find_problems(
    graph: Graph,
    registry: Registry,
    secrets: SecretLookup | None = None,
    closest: ClosestName | None = None,
) -> list[Problem]:
    """Return everything that is unfinished, node by node in document order.

    :param secrets: how names are looked up; None leaves them unchecked.
    :param closest: suggests a name for a missing one.
    """
    problems: list[Problem] = []
    stopped = _stopped_by(graph)
    signing = {one.name for one in secret_references(graph) if one.purpose == "verify"}
    for node in graph.nodes:
        if node.disabled:
            continue
        component = registry.find(node.component, node.version)
        dated = version_problem(node, registry)
        if dated is not None:
            problems.append(dated)
        if component is None:
            if dated is None:
                problems.append(_unknown(node))
            continue
        problems += _unfinished(node, component, graph, label_of(node, registry))
        problems += _structured_into_text(node, component, graph, registry)
        if node.component == MANUAL_TRIGGER:
            problems += find_secretive_inputs(node, label_of(node, registry))
        reference = _reference(node)
        if secrets is not None and reference is not None:
            status = status_of(reference, secrets(reference.name, reference.version), signing)
            found = secret_problem(status, reference, closest)
            if found is not None:
                problems.append(found)
        if node.id in stopped:
            problems.append(_never_starts(node, graph.by_id[stopped[node.id]], registry))
    return problems


def _unknown(node: Node) -> Problem:
    return Problem(
        "unknown_component",
        "error",
        f"Component {node.component} isn't installed here. The node is kept as it is: install "
        "the component, or replace the node.",
        node=node.id,
        remedy=Remedy("replace_node", "Replace the node", {"component": node.component}),
    )


def _unfinished(node: Node, component: Component, graph: Graph, label: str) -> Iterator[Problem]:
    """Yield what is missing or doesn't fit in the node's settings and inputs."""
    wired = {edge.target.port for edge in graph.into[node.id]}
    for problem in find_config_problems(component, node.config, wired, label):
        yield problem.at(node.id)
    for port in component.shape(node.config).inputs:
        if port.required and port.name not in wired:
            what = "a secret" if port.type is PortType.SECRET else "a wire"
            yield Problem(
                "required_input_missing",
                "error",
                f"{label} needs {what} on {port.label or port.name}.",
                node=node.id,
                port=port.name,
            )


def _structured_into_text(
    node: Node, component: Component, graph: Graph, registry: Registry
) -> Iterator[Problem]:
    """Yield a problem where a whole JSON secret goes to an input that takes one text."""
    for edge in graph.into[node.id]:
        source = graph.by_id[edge.source.node]
        # Whatever hands a secret over whole calls that setting so.
        if source.config.get("outputFormat") != "json":
            continue
        port = component.shape(node.config).into.get(edge.target.port)
        if port is None or port.type is not PortType.SECRET or port.structured:
            continue
        how = "Set its output format to raw."
        remedy = Remedy(
            "set_field",
            "Set it to raw",
            {"target": source.id, "field": "outputFormat", "value": "raw"},
        )
        if SECRET_FIELD in registry:
            how = "Take one field out of it with Secret Field."
            remedy = Remedy("add_node", "Use Secret Field", {"component": SECRET_FIELD})
        yield Problem(
            "secret_not_text",
            "error",
            f"{label_of(source, registry)} hands over a whole JSON secret, and "
            f"{label_of(node, registry)}.{port.name} takes one text. {how}",
            node=node.id,
            port=port.name,
            edge=edge.id,
            remedy=remedy,
        )


def _stopped_by(graph: Graph) -> dict[str, str]:
    """Return, for each node downstream of a disabled one, which disabled node it waits for."""
    stopped = {node.id: node.id for node in graph.nodes if node.disabled}
    pending = list(stopped)
    while pending:
        node = pending.pop()
        for edge in graph.out_of[node]:
            if edge.target.node not in stopped:
                stopped[edge.target.node] = stopped[node]
                pending.append(edge.target.node)
    return stopped


def _never_starts(node: Node, cause: Node, registry: Registry) -> Problem:
    return Problem(
        "never_starts",
        "warning",
        f"{label_of(node, registry)} can never start: it waits for "
        f"{label_of(cause, registry)}, which is disabled.",
        node=node.id,
        remedy=Remedy("enable_node", "Enable the node", {"target": cause.id}),
    )


def status_of(
    reference: SecretReference, status: SecretStatus, signing: Collection[str] = ()
) -> SecretStatus:
    """Return what a secret's status means to who names it: only webhooks may name some of them.

    :param signing: names of secrets that webhooks of the same flow check with.
    """
    if reference.purpose == "verify":
        return "found" if status == "verify_only" else status
    return "verify_only" if status == "found" and reference.name in signing else status


def secret_problem(
    status: SecretStatus, reference: SecretReference, closest: ClosestName | None = None
) -> Problem | None:
    """Return the finding about a secret that can't be used, or None where it was found.

    The pre-run check says the same words as the canvas.
    """
    if status == "found":
        return None
    name, data = reference.name, {"secret": reference.name}
    near = closest(name) if closest is not None and status == "missing" else None
    remap = Remedy("remap_secret", "Re-map", {**data, **({"closest": near} if near else {})})
    if status == "missing":
        hint = f"The closest name is {near}. " if near else ""
        message = (
            f"Secret {name} is missing in this environment. {hint}"
            "Choose another one in the node's Secret field to re-map it, or create it."
        )
    elif status == "denied":
        message = (
            f"Secret {name} may not be used by this flow or by you. Ask its owner for the right "
            "to use it, or choose another one in the node's Secret field."
        )
    elif status == "verify_only":
        message = (
            f"Secret {name} checks the signatures of a webhook, so its value never leaves the "
            "vault and no node can fetch it. Choose another one in the node's Secret field."
        )
    elif status == "disabled":
        message = (
            f"Secret {name} is disabled. Enable it on its page, or choose another one in the "
            "node's Secret field."
        )
    else:
        message = (
            f"Version {reference.version} of secret {name} doesn't exist or can't be used. Choose "
            "another version in the node, or the active one."
        )
        remap = Remedy("choose_version", "Choose a version", data)
    return Problem(
        f"secret_{status}" if status != "pin_missing" else "pin_missing",
        "error",
        message,
        node=reference.node,
        field="version" if status == "pin_missing" else "secretName",
        remedy=remap,
    )

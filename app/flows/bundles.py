"""Bundles: flows as a file that goes from one installation to another, or into git.

Pure: no database, no vault. A bundle holds names, never a value, an id, a person, a date or the
environment it came from; two exports of one version are equal byte by byte. Its manifest and its
digest follow from its flows, so both are worked out again when one is read, never believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.components.registry import Registry
from app.flows.graph import Graph, Node, canonical
from app.flows.settings import FlowSettings
from app.flows.validation import (
    SECRET_FETCH,
    WEBHOOK_TRIGGER,
    SecretReference,
    secret_references,
)

FORMAT: Final = "tacit.bundle"
VERSION: Final = 1
MAX_BYTES: Final = 8 * 1024 * 1024
MAX_FLOWS: Final = 100
#: Over all flows of a bundle: what is read in well under two seconds.
MAX_NODES: Final = 10_000
MAX_EDGES: Final = 40_000


@dataclass(frozen=True, slots=True)
class BundledFlow:
    """A flow as it stands in a bundle.

    :param settings: without what belongs to the place, see :meth:`FlowSettings.portable`.
    """

    name: str
    description: str
    graph: Graph
    settings: FlowSettings


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was read and holds together.

    :param digest: ``sha256:`` and the hex digest of everything else, as canonical JSON.
    """

    flows: tuple[BundledFlow, ...]
    digest: str


def write_bundle(flows: Sequence[BundledFlow], components: Registry) -> dict[str, Any]:
    """Return the document of a bundle; flows stand in the order of their names."""
    ordered = sorted(flows, key=lambda flow: flow.name)
    document = {
        "format": FORMAT,
        "version": VERSION,
        "flows": [
            {
                "name": flow.name,
                "description": flow.description,
                "graph": flow.graph.to_document(),
                "settings": flow.settings.portable().to_json(),
            }
            for flow in ordered
        ],
        "manifest": manifest_of(ordered, versions_of(ordered).get, components),
    }
    return {**document, "digest": digest_of(document)}


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the digest of a bundle's document; what stands there as its digest is left out.

    :raises ValueError: the document holds what JSON can't.
    """
    rest = {key: value for key, value in document.items() if key != "digest"}
    return "sha256:" + hashlib.sha256(canonical(rest).encode()).hexdigest()


def manifest_of(
    flows: Iterable[BundledFlow],
    version_of: Callable[[str], int | None],
    components: Registry,
) -> dict[str, Any]:
    """Return what a bundle's flows need where they go: secrets by name, components, providers.

    Disabled nodes count too: they may be enabled again.

    :param version_of: a component's version, None where it isn't known; what a bundle says
        itself when it is read, :func:`versions_of` when it is written.
    """
    flows = list(flows)
    types = sorted({node.component for flow in flows for node in flow.graph.nodes})
    uses: dict[str, list[dict[str, Any]]] = {}
    for flow in flows:
        for reference in references_of(flow.graph):
            uses.setdefault(reference.name, []).append(use_of(flow.name, reference))
    return {
        "secrets": [{"name": name, "uses": uses[name]} for name in sorted(uses)],
        "components": [{"type": name, "version": version_of(name)} for name in types],
        "providers": sorted({found for name in types if (found := _provider(name, components))}),
    }


def versions_of(flows: Iterable[BundledFlow]) -> dict[str, int]:
    """Return the newest version of each component that a node of the flows was made with.

    What happens to be installed where a bundle is written doesn't count: two exports of one version
    would differ, and a flow couldn't go where the components that it runs with are.
    """
    versions: dict[str, int] = {}
    for flow in flows:
        for node in flow.graph.nodes:
            versions[node.component] = max(node.version, versions.get(node.component, 1))
    return versions


def use_of(flow: str, reference: SecretReference) -> dict[str, Any]:
    """Return a use as the manifest and the report of an import write it."""
    return {
        "flow": flow,
        "node": reference.node,
        "pinned_version": reference.version,
        # A setting that is unfinished says something else; its words are not the manifest's.
        "format": "json" if reference.output_format == "json" else "raw",
    }


def references_of(graph: Graph) -> list[SecretReference]:
    """Return the stored secrets that a graph names, in its disabled nodes too."""
    enabled = tuple(replace(node, disabled=False) for node in graph.nodes)
    return secret_references(replace(graph, nodes=enabled))


def map_secrets(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Return the graph with other names of secrets; each is looked up once, never twice."""
    return replace(graph, nodes=tuple(_mapped(node, names) for node in graph.nodes))


def _mapped(node: Node, names: Mapping[str, str]) -> Node:
    name = node.config.get("secretName")
    if node.component not in (SECRET_FETCH, WEBHOOK_TRIGGER):
        return node
    if not isinstance(name, str) or name not in names:
        return node
    return replace(node, config={**node.config, "secretName": names[name]})


def _provider(name: str, components: Registry) -> str | None:
    """Return the external secret manager that a component speaks to; the vault is none."""
    found = components.find(name)
    if found is None or found.category != "secret" or name.startswith("secret."):
        return None
    return name.rpartition(".")[0] or None

"""The structure of a graph document: fields, kinds, limits. Knows no component."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from app.components.problems import Problem
from app.flows.graph import (
    MAX_BYTES,
    MAX_EDGES,
    MAX_NODES,
    SCHEMA,
    Edge,
    End,
    Graph,
    Node,
    canonical,
)
from app.flows.marks import KEYS as MARKS
from app.flows.marks import read_marks
from app.flows.policies import KEYS as POLICIES
from app.flows.policies import read_policies

MAX_LABEL: Final = 200
MAX_DEPTH: Final = 32
MAX_VERSION: Final = 1_000_000
MAX_POSITION: Final = 10_000_000

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,99}")
_COMPONENT = re.compile(r"(?=.{1,100}\Z)[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_PORT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_TOP: Final = frozenset({"schema", "nodes", "edges"}) | MARKS
_NODE: Final = POLICIES | {
    "id", "component", "component_version", "label", "position", "config", "disabled"
}
_EDGE: Final = frozenset({"id", "source", "target"})
_END: Final = frozenset({"node", "port"})


@lru_cache(4096)
def _is_component(name: str) -> bool:
    """Whether a text is a component's name; a large drawing repeats a few."""
    return _COMPONENT.fullmatch(name) is not None


@lru_cache(4096)
def _is_port(name: str) -> bool:
    return _PORT.fullmatch(name) is not None


class _Reader:
    """Collects findings, so that all of them are reported at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.zeros = False

    def add(
        self,
        code: str,
        message: str,
        *,
        node: str | None = None,
        field: str | None = None,
        edge: str | None = None,
    ) -> None:
        self.problems.append(Problem(code, "error", message, node=node, field=field, edge=edge))

    def unknown(
        self, found: dict[str, Any], known: frozenset[str], what: str, **where: str
    ) -> None:
        if not found.keys() <= known:
            names = ", ".join(sorted(_shown(name) for name in found.keys() - known)[:5])
            self.add("unknown_field", f"{what} has fields that aren't known: {names}.", **where)


def read_document(document: object) -> tuple[Graph | None, list[Problem]]:
    """Read the structure.

    :returns: the graph, None where even its frame can't be read, and the findings. Broken
        nodes and wires are left out of the graph, so that the rest can be checked too.
    """
    reader = _Reader()
    if not isinstance(document, dict):
        reader.add("graph_malformed", "The graph has to be a JSON object with schema and nodes.")
        return None, reader.problems
    if not _check_frame(reader, document):
        return None, reader.problems
    nodes = _read_nodes(reader, document["nodes"])
    # Wires to a node that was found broken aren't reported as wires to a missing node.
    named = {
        raw.get("id")
        for raw in document["nodes"]
        if isinstance(raw, dict) and isinstance(raw.get("id"), str)
    }
    edges = _read_edges(reader, document.get("edges", []), named)
    known = {node.id for node in nodes}
    kept = [edge for edge in edges if edge.source.node in known and edge.target.node in known]
    marks = read_marks(
        document, named, lambda code, message, field: reader.add(code, message, field=field)
    )
    return Graph(tuple(nodes), tuple(kept), marks), reader.problems


def _check_frame(reader: _Reader, document: dict[str, Any]) -> bool:
    schema = document.get("schema")
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        reader.add("schema_unknown", f"The graph needs schema: {SCHEMA}.", field="schema")
        return False
    if schema > SCHEMA:
        reader.add(
            "schema_newer",
            f"The graph has schema {min(schema, 1_000_000)}, and this Tacit reads up to {SCHEMA}. "
            "Open it with the newer version that wrote it.",
            field="schema",
        )
        return False
    reader.unknown(document, _TOP, "The graph")
    for name in ("nodes", "edges"):
        if not isinstance(document.get(name, [] if name == "edges" else None), list):
            reader.add("graph_malformed", f"The graph's {name} have to be a list.", field=name)
            return False
    if len(document["nodes"]) > MAX_NODES:
        reader.add(
            "too_many_nodes",
            f"The flow has {len(document['nodes']):,} nodes; the limit is {MAX_NODES:,}. "
            "Split it into several flows.",
            field="nodes",
        )
        return False
    if len(document.get("edges", [])) > MAX_EDGES:
        reader.add(
            "too_many_edges",
            f"The flow has {len(document['edges']):,} wires; the limit is {MAX_EDGES:,}. "
            "Split it into several flows.",
            field="edges",
        )
        return False
    return _check_text(reader, document)


def _check_text(reader: _Reader, document: dict[str, Any]) -> bool:
    """Refuse what can't be stored as canonical JSON of a sane size."""
    try:
        text = canonical(document)
        size = len(text.encode())
    except UnicodeEncodeError:
        reader.add("text_not_unicode", "A text of the graph has half a character (a surrogate).")
        return False
    except ValueError:
        reader.add(
            "graph_malformed",
            "The graph has a value that JSON can't hold, or is nested without end.",
        )
        return False
    if size > MAX_BYTES:
        reader.add(
            "graph_too_large",
            f"The graph is {size / 1024 / 1024:.1f} MiB; the limit is 2 MiB. Split the flow, or "
            "take long texts out of it.",
        )
        return False
    # A first sieve: a text that spells these six characters passes it too.
    reader.zeros = "\\u0000" in text
    return True


def _read_nodes(reader: _Reader, found: list[Any]) -> list[Node]:
    nodes: list[Node] = []
    seen: set[str] = set()
    for number, raw in enumerate(found, start=1):
        node = _read_node(reader, raw, number)
        if node is None:
            continue
        if node.id in seen:
            reader.add("duplicate_id", f"Two nodes have the id {node.id}.", node=node.id)
            continue
        seen.add(node.id)
        nodes.append(node)
    return nodes


def _read_node(reader: _Reader, raw: Any, number: int) -> Node | None:
    if not isinstance(raw, dict):
        reader.add("graph_malformed", f"Node {number} has to be a JSON object.")
        return None
    key = raw.get("id")
    if not isinstance(key, str) or not _ID.fullmatch(key):
        reader.add(
            "id_not_valid",
            f"Node {number} needs an id: 1 to 100 letters, digits, '_', '-', '.' or ':'.",
            field="id",
        )
        return None
    before = len(reader.problems)
    if not raw.keys() <= _NODE:
        reader.unknown(raw, _NODE, f"Node {key}", node=key)
    component = raw.get("component")
    if not isinstance(component, str) or not _is_component(component):
        reader.add(
            "graph_malformed",
            f"Node {key} needs the dotted name of a component.",
            node=key,
            field="component",
        )
    version = raw.get("component_version", 1)
    if type(version) is not int or not 1 <= version <= MAX_VERSION:
        reader.add(
            "graph_malformed",
            f"component_version of node {key} has to be a whole number from 1 on.",
            node=key,
            field="component_version",
        )
    label = raw.get("label", "")
    if not isinstance(label, str) or len(label) > MAX_LABEL or _CONTROL.search(label):
        reader.add(
            "label_not_valid",
            f"The label of node {key} has to be one line of at most {MAX_LABEL} characters.",
            node=key,
            field="label",
        )
    position = raw.get("position", (0, 0))
    if not _is_position(position):
        reader.add(
            "graph_malformed",
            f"The position of node {key} has to be two numbers, [x, y].",
            node=key,
            field="position",
        )
    disabled = raw.get("disabled", False)
    if not isinstance(disabled, bool):
        reader.add(
            "graph_malformed",
            f"disabled of node {key} has to be true or false.",
            node=key,
            field="disabled",
        )
    policies = read_policies(
        raw, key, lambda code, message, field: reader.add(code, message, node=key, field=field)
    )
    config = raw.get("config", {})
    if not isinstance(config, dict):
        reader.add(
            "graph_malformed",
            f"The config of node {key} has to be a JSON object.",
            node=key,
            field="config",
        )
    else:
        for code, message in _config_problems(config, zeros=reader.zeros):
            reader.add(code, f"The config of node {key} {message}", node=key, field="config")
    if len(reader.problems) > before or not isinstance(component, str):
        return None
    return Node(
        key, component, label, (position[0], position[1]), config, disabled, policies,
        version,
    )


def _is_position(value: Any) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and _is_coordinate(value[0])
        and _is_coordinate(value[1])
    )


def _is_coordinate(value: Any) -> bool:
    return type(value) in (int, float) and -MAX_POSITION <= value <= MAX_POSITION


def _config_problems(config: dict[str, Any], *, zeros: bool) -> Iterator[tuple[str, str]]:
    """Yield what keeps settings from being stored.

    :param zeros: look at every text too; most documents are known to have no zero character.
    """
    pending: list[tuple[Any, int]] = [(config, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, str):
            if "\0" in value:
                yield "text_not_storable", "holds a zero character, which can't be stored."
                return
            continue
        if depth > MAX_DEPTH:
            yield "too_deep", f"is nested deeper than {MAX_DEPTH} levels."
            return
        inside = value.values() if isinstance(value, dict) else value
        if zeros and isinstance(value, dict):
            pending.extend((key, depth) for key in value)
        kinds = (dict, list, str) if zeros else (dict, list)
        pending.extend((one, depth + 1) for one in inside if isinstance(one, kinds))


def _read_edges(reader: _Reader, found: list[Any], nodes: set[Any]) -> list[Edge]:
    edges: list[Edge] = []
    seen: set[str] = set()
    for number, raw in enumerate(found, start=1):
        edge = _read_edge(reader, raw, number, nodes)
        if edge is None:
            continue
        if edge.id in seen:
            reader.add("duplicate_id", f"Two wires have the id {edge.id}.", edge=edge.id)
            continue
        seen.add(edge.id)
        for end in (edge.source, edge.target):
            if end.node not in nodes:
                reader.add(
                    "node_missing",
                    f"Wire {edge.id} goes to node {end.node}, which isn't in the flow.",
                    edge=edge.id,
                )
        edges.append(edge)
    return edges


def _read_edge(reader: _Reader, raw: Any, number: int, nodes: set[Any]) -> Edge | None:
    if not isinstance(raw, dict):
        reader.add("graph_malformed", f"Wire {number} has to be a JSON object.")
        return None
    key = raw.get("id")
    if not isinstance(key, str) or not _ID.fullmatch(key):
        reader.add(
            "id_not_valid",
            f"Wire {number} needs an id: 1 to 100 letters, digits, '_', '-', '.' or ':'.",
            field="id",
        )
        return None
    before = len(reader.problems)
    if not raw.keys() <= _EDGE:
        reader.unknown(raw, _EDGE, f"Wire {key}", edge=key)
    source = _read_end(reader, raw.get("source"), key, "source", nodes)
    target = _read_end(reader, raw.get("target"), key, "target", nodes)
    if len(reader.problems) > before or source is None or target is None:
        return None
    return Edge(key, source, target)


def _read_end(
    reader: _Reader, raw: Any, edge: str, name: str, nodes: set[Any]
) -> End | None:
    if not isinstance(raw, dict) or not raw.keys() <= _END:
        reader.add(
            "graph_malformed",
            f'The {name} of wire {edge} has to be {{"node", "port"}}.',
            edge=edge,
            field=name,
        )
        return None
    node, port = raw.get("node"), raw.get("port")
    if not isinstance(node, str) or (node not in nodes and not _ID.fullmatch(node)):
        reader.add(
            "graph_malformed",
            f"The {name} of wire {edge} needs the id of a node.",
            edge=edge,
            field=name,
        )
        return None
    if not isinstance(port, str) or not _is_port(port):
        reader.add(
            "graph_malformed",
            f"The {name} of wire {edge} needs the name of a port.",
            edge=edge,
            field=name,
        )
        return None
    return End(node, port)


def _shown(name: Any) -> str:
    text = _CONTROL.sub("", str(name))
    return text if len(text) <= 40 else text[:39] + "…"

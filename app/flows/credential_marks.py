"""Hardcoded credentials of a flow: the findings that count, marks of false ones, the remedy.

A mark holds for one field with one text: it keeps an HMAC of the text under the row key, so that
whoever reads the database can't try out values against it, and another text is found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.environments import policies_of
from app.accounts.scopes import Scope
from app.audit import Action
from app.components.problems import Problem
from app.components.registry import registry
from app.db import Database
from app.errors import Conflict, Invalid, NotFound
from app.flows.credentials import Found, credential_problem, find_credentials, secret_ports
from app.flows.graph import Graph, parse_graph
from app.flows.models import Flow
from app.flows.rows import check_revision, get_row
from app.keys.seals import Seals
from app.vault import Vault
from app.vault.service import NewSecret, create_secret

_KIND = "credential_mark"
_MOST = 200


@dataclass(frozen=True, slots=True)
class ToStore:
    """A hardcoded credential on its way into the store.

    :ivar field: the place as the problem names it.
    :ivar name: of the new secret.
    :ivar port: the input that takes the wire; None where there is only one.
    """

    node: str
    field: str
    name: str
    port: str | None = None


def unmarked_credentials(session: Session, graph: Graph, flow: Flow | None) -> list[Found]:
    """Return the hardcoded credentials that nobody has marked as none."""
    found = find_credentials(graph)
    marks = flow.credential_marks if flow is not None else []
    if not marks or not found:
        return found
    seals: Seals = session.info["seals"]
    by_place = {(mark["node"], mark["field"]): mark for mark in marks}
    return [
        one for one in found
        if flow is None or (mark := by_place.get((one.node, one.field))) is None
        or not _holds(seals, flow, one, mark)
    ]


def credential_problems(
    session: Session, actor: Actor, graph: Graph, flow: Flow | None
) -> list[Problem]:
    """Return the hardcoded credentials as problems: errors where the environment refuses them."""
    found = unmarked_credentials(session, graph, flow)
    if not found:
        return []
    refuse = policies_of(session, actor.environment_id).hardcoded_credentials == "refuse"
    return [credential_problem(one, graph, registry(), refuse=refuse) for one in found]


def mark_no_credential(
    session: Session, actor: Actor, flow_id: str, *, node: str, field: str
) -> None:
    """Say of a field of the draft that what stands there now is no credential.

    :param node: empty for a note of the canvas, whose ``field`` is ``notes.`` and its id.
    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: there is no such flow, or nothing was found in that field.
    """
    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    found = _get_found(parse_graph(flow.graph), node, field)
    seals: Seals = session.info["seals"]
    key, mac = seals.mac_row(_KIND, _fields(flow.id, found))
    kept = [one for one in flow.credential_marks if (one["node"], one["field"]) != (node, field)]
    mark = {"node": node, "field": field, "key": key, "mac": mac.hex()}
    flow.credential_marks = [*kept[-_MOST:], mark]
    audit.record(
        session, actor=actor.who(), action=Action.FLOW_MARK, flow_id=flow.id, target=flow.name,
        data={"node": node, "field": field, "kind": found.kind},
    )


def reseal_marks(db: Database, seals: Seals) -> int:
    """Seal the marks of older keys with the present one; returns how many.

    A mark whose text isn't there any more goes: it would be for nothing.
    """
    count = 0
    with db.read() as session:
        ids = list(session.scalars(select(Flow.id)))
    for flow_id in ids:
        with db.begin() as session:
            flow = session.scalar(select(Flow).where(Flow.id == flow_id).with_for_update())
            old = [
                mark for mark in (flow.credential_marks if flow is not None else ())
                if mark["key"] != seals.row_key_id
            ]
            if flow is None or not old:
                continue
            all_found = find_credentials(parse_graph(flow.graph))
            found = {(one.node, one.field): one for one in all_found}
            kept = [mark for mark in flow.credential_marks if mark not in old]
            for mark in old:
                one = found.get((mark["node"], mark["field"]))
                if one is not None and _holds(seals, flow, one, mark):
                    key, mac = seals.mac_row(_KIND, _fields(flow.id, one))
                    kept.append({**mark, "key": key, "mac": mac.hex()})
                    count += 1
            flow.credential_marks = kept
    return count


def _holds(seals: Seals, flow: Flow, found: Found, mark: Mapping[str, str]) -> bool:
    return seals.row_is_sealed(
        _KIND, _fields(flow.id, found), mark["key"], bytes.fromhex(mark["mac"])
    )


def store_credential(
    session: Session, actor: Actor, vault: Vault, flow_id: str, wanted: ToStore, *,
    if_match: int | None = None,
) -> None:
    """Store a hardcoded credential as a secret, fetch it, wire it, and empty the field.

    All of it or nothing. Drafts and versions that were kept before still hold the text: change
    the credential where it came from.

    :raises Denied: the actor lacks ``flows:manage`` or ``secrets:manage``.
    :raises NotFound: there is no such flow, or nothing was found in that field.
    :raises Invalid: no input of the node takes a secret, or several do and none is named; or it
        stands in a note.
    :raises Conflict: the name is taken, or the input has a wire already.
    """
    # The service imports this module for its findings.
    from app.flows import service

    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    actor.require(Scope.SECRETS_MANAGE)
    check_revision(flow, if_match)
    graph = parse_graph(flow.graph)
    if not wanted.node:
        raise Invalid(
            "note_not_wirable", "Nothing can be wired from a note. Make a secret of it by hand, "
            "and take it out of the note.", field="node",
        )
    found = _get_found(graph, wanted.node, wanted.field)
    port = _port(graph, wanted)
    create_secret(
        session, actor, vault,
        NewSecret(name=wanted.name, value=_bare(found), description=f"From {flow.name}"),
    )
    service.save_flow(session, actor, flow_id, graph=_rewired(graph, found, wanted.name, port))


def _get_found(graph: Graph, node: str, field: str) -> Found:
    for one in find_credentials(graph):
        if (one.node, one.field) == (node, field):
            return one
    raise NotFound(
        "credential_not_found", "There is nothing in that field of the draft that looks like a "
        "credential. Save the flow first, then look again.",
    )


def _port(graph: Graph, wanted: ToStore) -> str:
    ports = secret_ports(graph.by_id[wanted.node], registry())
    if not ports:
        raise Invalid(
            "no_secret_input", "This node has no input that takes a secret. Use a component that "
            "has one, such as HTTP Request.", field="node",
        )
    port = wanted.port or (ports[0] if len(ports) == 1 else None)
    if port not in ports:
        raise Invalid(
            "port_needed", f"Say which input takes the secret: {', '.join(ports)}.", field="port",
        )
    if any(edge.target.port == port for edge in graph.into[wanted.node]):
        raise Conflict("input_taken", f"The input {port} has a wire already.", field="port")
    return port


def _bare(found: Found) -> str:
    """Return the credential without the scheme of an Authorization header."""
    scheme, _, rest = found.text.strip().partition(" ")
    return rest.strip() if scheme.lower() in ("bearer", "token") and rest.strip() else found.text


def _rewired(graph: Graph, found: Found, name: str, port: str) -> dict[str, Any]:
    document = graph.to_document()
    ids = {one["id"] for one in (*document["nodes"], *document["edges"])}
    node = next(one for one in document["nodes"] if one["id"] == found.node)
    node["config"] = _emptied(node["config"], found.path)
    fetch = _free("fetch_secret", ids)
    x, y = node["position"]
    document["nodes"].append({
        "id": fetch, "component": "secret.fetch", "label": name[:200],
        "position": [x - 280, y + 120], "config": {"secretName": name},
    })
    document["edges"].append({
        "id": _free(f"{fetch}_wire", ids), "source": {"node": fetch, "port": "value"},
        "target": {"node": found.node, "port": port},
    })
    return document


def _emptied(value: Any, path: tuple[str, ...]) -> Any:
    head, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        if not rest:
            return {key: inner for key, inner in value.items() if str(key)[:64] != head}
        return {
            key: _emptied(inner, rest) if str(key)[:64] == head else inner
            for key, inner in value.items()
        }
    items = list(value)
    items[int(head)] = _emptied(items[int(head)], rest) if rest else ""
    return items


def _free(wanted: str, ids: set[str]) -> str:
    number, name = 1, wanted
    while name in ids:
        number += 1
        name = f"{wanted}_{number}"
    ids.add(name)
    return name


def _fields(flow_id: str, found: Found) -> dict[str, Any]:
    return {"flow": flow_id, "node": found.node, "field": found.field, "text": found.text}

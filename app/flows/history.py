"""A flow's versions over time: looking at one, comparing two, bringing one back as the draft."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import NotFound
from app.flows import service
from app.flows.diff import Difference, diff_graphs
from app.flows.graph import parse_graph
from app.flows.models import Flow, FlowVersion
from app.flows.rows import check_revision, get_row
from app.flows.settings import read_settings
from app.ids import is_id, utcnow


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a flow was, or (``name`` ``draft``) is.

    :ivar name: ``draft``, a version's number as text, or the id of a kept draft.
    """

    name: str
    graph: dict[str, Any]
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class KeptDraft:
    """A draft that was kept when an import or a restore replaced it."""

    id: str
    note: str
    created_at: datetime
    created_by: str


def get_snapshot(session: Session, actor: Actor, flow_id: str, name: str) -> Snapshot:
    """Show a version, a kept draft or the draft.

    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: there is no such flow or version here.
    """
    actor.require(Scope.FLOWS_READ)
    return _snapshot(session, get_row(session, actor, flow_id), name)


def compare(
    session: Session, actor: Actor, flow_id: str, before: str, after: str
) -> tuple[Snapshot, Snapshot, Difference]:
    """Say what differs between two versions, or a version and the draft.

    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: there is no such flow or version here.
    """
    actor.require(Scope.FLOWS_READ)
    flow = get_row(session, actor, flow_id)
    old, new = _snapshot(session, flow, before), _snapshot(session, flow, after)
    difference = diff_graphs(
        parse_graph(old.graph), parse_graph(new.graph), (old.settings, new.settings)
    )
    return old, new, difference


def list_kept_drafts(session: Session, actor: Actor, flow_id: str) -> list[KeptDraft]:
    """List the drafts that were kept, newest first.

    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: there is no such flow here.
    """
    actor.require(Scope.FLOWS_READ)
    flow = get_row(session, actor, flow_id)
    query = select(FlowVersion).where(
        FlowVersion.flow_id == flow.id, FlowVersion.number.is_(None), FlowVersion.note != ""
    )
    rows = session.scalars(query.order_by(FlowVersion.id.desc()).limit(50))
    return [KeptDraft(row.id, row.note, row.created_at, row.created_by) for row in rows]


def restore(
    session: Session, actor: Actor, flow_id: str, name: str, *, if_match: int | None = None
) -> int:
    """Make a version the draft again; the draft of now is kept. Returns the draft's revision.

    What is active stays: activate the draft to run it.

    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: there is no such flow or version here.
    :raises Stale: the draft changed since ``if_match``.
    """
    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    check_revision(flow, if_match)
    found = _snapshot(session, flow, name)
    if flow.graph != found.graph or flow.settings != found.settings:
        keep_draft(session, actor, flow, "a version was restored over it")
        service.save_flow(
            session, actor, flow_id, graph=found.graph, settings=read_settings(found.settings)
        )
        audit.record(
            session, actor=actor.who(), action=Action.FLOW_RESTORE, flow_id=flow.id,
            target=flow.name, data={"version": name, "revision": flow.revision},
        )
    return flow.revision


def keep_draft(session: Session, actor: Actor, flow: Flow, why: str) -> None:
    """Keep the draft that is about to be replaced, so that it can be brought back."""
    kept = service.freeze_draft(session, actor, flow)
    if not kept.note:
        kept.note = f"The draft at revision {flow.revision}, before {why}"
        kept.created_at = utcnow()  # it may have been run before; it is kept from now on


def _snapshot(session: Session, flow: Flow, name: str) -> Snapshot:
    if name == "draft":
        return Snapshot(name, flow.graph, flow.settings)
    query = select(FlowVersion).where(FlowVersion.flow_id == flow.id)
    row = None
    if name.isascii() and name.isdecimal() and len(name) < 10:
        row = session.scalar(query.where(FlowVersion.number == int(name)))
    elif is_id(name):
        row = session.scalar(query.where(FlowVersion.id == name, FlowVersion.note != ""))
    if row is None:
        raise NotFound("flow_version_not_found", f"Flow {flow.name} has no such version.")
    return Snapshot(name, row.graph, row.settings)

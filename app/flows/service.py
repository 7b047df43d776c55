"""Flows as people and programs work with them: authorise, act, audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.components.problems import Problem
from app.components.registry import registry
from app.errors import Invalid, NotFound
from app.flows.credential_marks import credential_problems
from app.flows.diff import diff_documents, in_words
from app.flows.external_uses import forget_external_uses, note_external_uses
from app.flows.graph import Graph, parse_graph
from app.flows.models import Flow, FlowVersion
from app.flows.rows import check_revision, content_hash, get_row
from app.flows.settings import FlowSettings, read_settings
from app.flows.triggers import unbind_triggers
from app.flows.validation import find_problems, secret_references
from app.ids import utcnow
from app.paging import Page, check_limit, decode_cursor, encode_cursor, like_pattern
from app.vault.lookup import closest_name, resolve
from app.vault.uses import Reference, drop_uses, set_uses

MAX_NAME = 200
MAX_DESCRIPTION = 2000
MAX_SECRET_NAME = 128
EMPTY_GRAPH: Mapping[str, Any] = {"schema": 1, "nodes": [], "edges": []}


@dataclass(frozen=True, slots=True)
class FlowView:
    """A flow with its draft and what is unfinished in it."""

    id: str
    name: str
    description: str
    state: str
    revision: int
    active_version: int | None
    graph: dict[str, Any]
    problems: list[Problem]
    created_at: datetime
    updated_at: datetime
    updated_by: str
    settings: FlowSettings


def create_flow(
    session: Session,
    actor: Actor,
    *,
    name: str,
    description: str = "",
    graph: object | None = None,
    settings: FlowSettings | None = None,
) -> FlowView:
    """Create a flow as a draft; without a graph it starts empty.

    :raises Denied: the actor lacks ``flows:manage``.
    :raises Invalid: the name or the graph can't be taken.
    """
    actor.require(Scope.FLOWS_MANAGE)
    document = parse_graph(EMPTY_GRAPH if graph is None else graph).to_document()
    flow = Flow(
        environment_id=actor.environment_id, name=_check_name(name),
        description=_check_description(description), graph=document, active_version=None,
        settings=(settings or FlowSettings()).to_json(),
        created_by=actor.name, updated_by=actor.name, deleted_at=None,
    )
    session.add(flow)
    session.flush()
    _note_uses(session, flow)
    audit.record(
        session, actor=actor.who(), action=Action.FLOW_CREATE, flow_id=flow.id, target=flow.name
    )
    return _view(session, actor, flow)


def list_flows(
    session: Session,
    actor: Actor,
    *,
    q: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[FlowView]:
    """List the environment's flows by name.

    :raises Denied: the actor lacks ``flows:read``.
    :raises Invalid: the cursor or limit can't be taken.
    """
    actor.require(Scope.FLOWS_READ)
    check_limit(limit)
    query = select(Flow).where(
        Flow.environment_id == actor.environment_id, Flow.deleted_at.is_(None)
    )
    if q:
        pattern = like_pattern(q)
        query = query.where(
            or_(
                Flow.name.ilike(pattern, escape="\\"),
                Flow.description.ilike(pattern, escape="\\"),
            )
        )
    if cursor:
        name, last = decode_cursor(cursor, 2)
        query = query.where(or_(Flow.name > name, (Flow.name == name) & (Flow.id > last)))
    rows = list(session.scalars(query.order_by(Flow.name, Flow.id).limit(limit + 1)))
    items = [_view(session, actor, row) for row in rows[:limit]]
    following = encode_cursor(items[-1].name, items[-1].id) if len(rows) > limit else None
    return Page(items, following)


def get_flow(session: Session, actor: Actor, flow_id: str) -> FlowView:
    """Show a flow.

    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: there is none in this environment.
    """
    actor.require(Scope.FLOWS_READ)
    return _view(session, actor, get_row(session, actor, flow_id))


def save_flow(
    session: Session,
    actor: Actor,
    flow_id: str,
    *,
    graph: object,
    name: str | None = None,
    description: str | None = None,
    settings: FlowSettings | None = None,
    if_match: int | None = None,
) -> FlowView:
    """Save a new draft. Identical content makes no new revision.

    :param settings: take the place of the draft's settings; None leaves them.
    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: there is no such flow here.
    :raises Stale: it changed since ``if_match``.
    :raises Invalid: the graph is impossible; nothing is saved.
    """
    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    check_revision(flow, if_match)
    document = parse_graph(graph).to_document()
    changed = {
        "graph": document,
        "name": flow.name if name is None else _check_name(name),
        "description": flow.description if description is None else _check_description(description),
        "settings": flow.settings if settings is None else settings.to_json(),
    }
    if any(getattr(flow, key) != value for key, value in changed.items()):
        flow.last_change = _change_in_words(flow, changed)
        for key, value in changed.items():
            setattr(flow, key, value)
        flow.revision += 1
        flow.updated_at = utcnow()
        flow.updated_by = actor.name
        _note_uses(session, flow)
        audit.record(
            session, actor=actor.who(), action=Action.FLOW_SAVE, flow_id=flow.id,
            target=flow.name, data={"revision": flow.revision},
        )
        session.flush()
    return _view(session, actor, flow)


def delete_flow(
    session: Session, actor: Actor, flow_id: str, *, if_match: int | None = None
) -> None:
    """Delete a flow; its runs stay.

    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: there is no such flow here.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    check_revision(flow, if_match)
    flow.deleted_at = utcnow()
    drop_uses(session, flow.id)
    unbind_triggers(session, flow)
    forget_external_uses(session, flow.id)
    audit.record(
        session, actor=actor.who(), action=Action.FLOW_DELETE, flow_id=flow.id, target=flow.name
    )


def validate_graph_for(
    session: Session, actor: Actor, graph: object, *, flow_id: str | None = None
) -> list[Problem]:
    """Return what is unfinished in a graph; nothing is saved.

    :raises Denied: the actor lacks ``flows:read``.
    :raises Invalid: the graph is impossible.
    """
    actor.require(Scope.FLOWS_READ)
    return problems_of(session, actor, parse_graph(graph), flow_id)


def problems_of(
    session: Session, actor: Actor, graph: Graph, flow_id: str | None
) -> list[Problem]:
    """Return what is unfinished in a graph, its secrets' names looked up in the environment.

    Other names are suggested only to who may list them.
    """
    place = actor.environment_id
    wanted = [(reference.name, reference.version) for reference in secret_references(graph)]
    found = resolve(session, place, wanted, flow_id=flow_id) if wanted else {}
    problems = find_problems(
        graph,
        registry(),
        lambda name, version: found[name, version].status,
        closest_name(session, place) if actor.may(Scope.SECRETS_READ) else None,
    )
    flow = session.get(Flow, flow_id) if flow_id is not None else None
    return problems + credential_problems(session, actor, graph, flow)


def freeze_draft(session: Session, actor: Actor, flow: Flow) -> FlowVersion:
    """Return an immutable snapshot of the draft; equal content has one snapshot."""
    digest = content_hash(parse_graph(flow.graph), read_settings(flow.settings))
    version = session.scalar(
        select(FlowVersion).where(
            FlowVersion.flow_id == flow.id, FlowVersion.content_hash == digest,
            FlowVersion.number.is_(None),
        ).limit(1)
    )
    if version is None:
        version = FlowVersion(
            flow_id=flow.id, number=None, graph=flow.graph, settings=flow.settings,
            content_hash=digest, created_by=actor.name,
        )
        session.add(version)
        session.flush()
    return version


def version_to_run(
    session: Session, actor: Actor, flow_id: str, version: int | str | None
) -> tuple[Flow, FlowVersion]:
    """Return the flow and the snapshot that a run of it executes.

    :param version: ``draft``, ``active``, a number, or None: the active one, else the draft.
    :raises NotFound: there is no such flow or version here.
    """
    flow = get_row(session, actor, flow_id)
    if _means_draft(flow, version):
        return flow, freeze_draft(session, actor, flow)
    return flow, _get_version(session, flow, version)


def version_to_check(
    session: Session, actor: Actor, flow_id: str, version: int | str | None
) -> tuple[Flow, dict[str, Any], Mapping[str, str] | None]:
    """Return the flow, and the graph and bindings that a run of it would have; writes nothing.

    :param version: as for :func:`version_to_run`.
    :raises NotFound: there is no such flow or version here.
    """
    flow = get_row(session, actor, flow_id)
    if _means_draft(flow, version):
        return flow, flow.graph, None
    found = _get_version(session, flow, version)
    return flow, found.graph, found.bindings


def _means_draft(flow: Flow, version: int | str | None) -> bool:
    return version == "draft" or (version is None and flow.active_version is None)


def _get_version(session: Session, flow: Flow, version: int | str | None) -> FlowVersion:
    number = flow.active_version if version in (None, "active") else version
    found = session.scalar(
        select(FlowVersion).where(FlowVersion.flow_id == flow.id, FlowVersion.number == number)
    ) if number is not None else None
    if found is None:
        raise NotFound(
            "flow_version_not_found",
            f"Flow {flow.name} has no {'active version' if number is None else f'version {number}'}"
            ". Run its draft, or activate it first.",
        )
    return found


def _note_uses(session: Session, flow: Flow) -> None:
    note_external_uses(session, flow, parse_graph(flow.graph), "draft")
    set_uses(
        session,
        environment_id=flow.environment_id,
        flow_id=flow.id,
        flow_name=flow.name,
        scope="draft",
        references=[
            Reference(
                reference.node, reference.name, reference.version, purpose=reference.purpose
            )
            for reference in secret_references(parse_graph(flow.graph))
            # A longer name can't be a secret's; the draft says so in its problems.
            if len(reference.name) <= MAX_SECRET_NAME
        ],
    )


def _view(session: Session, actor: Actor, flow: Flow) -> FlowView:
    problems = problems_of(session, actor, parse_graph(flow.graph), flow.id)
    return FlowView(
        id=flow.id,
        name=flow.name,
        description=flow.description,
        state="draft" if flow.active_version is None else "active",
        revision=flow.revision,
        active_version=flow.active_version,
        graph=flow.graph,
        problems=problems,
        created_at=flow.created_at,
        updated_at=flow.updated_at,
        updated_by=flow.updated_by,
        settings=read_settings(flow.settings),
    )


def _change_in_words(flow: Flow, changed: Mapping[str, Any]) -> str:
    renamed = "it was renamed" if flow.name != changed["name"] else ""
    told = "its description was changed" if flow.description != changed["description"] else ""
    drawn = in_words(diff_documents(
        flow.graph, changed["graph"], (flow.settings, changed["settings"])
    ))
    return ", ".join(filter(None, (renamed, told, drawn)))


def _check_name(name: str) -> str:
    text = name.strip()
    if not text or len(text) > MAX_NAME or not text.isprintable():
        raise Invalid(
            "flow_name_invalid",
            f"A flow's name has 1 to {MAX_NAME} printable characters.",
            field="name",
        )
    return text


def _check_description(description: str) -> str:
    if len(description) > MAX_DESCRIPTION or "\0" in description:
        raise Invalid(
            "description_too_long",
            f"The description has {MAX_DESCRIPTION} characters at most.",
            field="description",
        )
    return description

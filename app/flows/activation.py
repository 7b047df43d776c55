"""Activation: an immutable version of a flow, its secrets bound by id (SECURITY.md, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.environments import policies_of
from app.accounts.scopes import Scope
from app.audit import Action
from app.components.problems import Problem, Remedy, and_more
from app.components.registry import registry
from app.errors import Invalid
from app.flows.external_uses import forget_external_uses, note_external_uses
from app.flows.graph import parse_graph
from app.flows.models import FlowVersion
from app.flows.rows import check_revision, content_hash, get_row
from app.flows.service import problems_of
from app.flows.settings import FlowSettings, read_settings
from app.flows.triggers import bind_triggers, signing_problems, unbind_triggers
from app.flows.validation import (
    SecretReference,
    external_denied,
    external_references,
    secret_problem,
    secret_references,
)
from app.vault.lookup import resolve
from app.vault.uses import Reference, drop_uses, set_uses

MAX_NOTE = 1000


@dataclass(frozen=True, slots=True)
class FlowVersionView:
    """An active or former version of a flow."""

    number: int
    active: bool
    content_hash: str
    note: str
    created_at: datetime
    created_by: str
    settings: FlowSettings


def activate_flow(
    session: Session, actor: Actor, flow_id: str, *, note: str = "", if_match: int | None = None
) -> FlowVersionView:
    """Make the draft the active version, or refuse with everything that keeps it from it.

    An active version takes the secrets that its names stand for now, by id: a secret that is
    deleted and made anew under the same name is not taken.

    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: there is no such flow here.
    :raises Stale: it changed since ``if_match``.
    :raises Invalid: ``flow_has_problems``, with all of them.
    """
    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    check_revision(flow, if_match)
    if len(note) > MAX_NOTE or "\0" in note:
        raise Invalid("note_too_long", f"A note has {MAX_NOTE} characters at most.", field="note")
    graph = parse_graph(flow.graph)
    references = secret_references(graph)
    problems = problems_of(session, actor, graph, flow.id)
    problems += find_unbounded(session, actor, flow.id, references)
    if not (actor.may(Scope.SECRETS_USE) or actor.may(Scope.SECRETS_MANAGE)):
        denied = (secret_problem("denied", reference) for reference in references)
        problems += [problem for problem in denied if problem is not None]
        problems += [external_denied(found) for found in external_references(graph, registry())]
    problems += signing_problems(session, actor, flow, graph)
    blocking = [problem for problem in problems if problem.severity == "error"]
    if blocking or not graph.nodes:
        first = blocking[0].message if blocking else "It has no nodes yet."
        raise Invalid(
            "flow_has_problems",
            f"Flow {flow.name} can't be activated yet: {first}{and_more(blocking)}",
            problems=[
                {**problem.to_json(), "link": _link(problem, flow.id)} for problem in blocking
            ],
        )
    found = resolve(
        session, actor.environment_id, [(ref.name, ref.version) for ref in references],
        flow_id=flow.id, lock=True,
    )
    bindings = {
        ref.node: secret.id
        for ref in references
        if (secret := found[ref.name, ref.version].secret) is not None
    }
    newest = session.scalar(
        select(func.max(FlowVersion.number)).where(FlowVersion.flow_id == flow.id)
    )
    version = FlowVersion(
        flow_id=flow.id, number=(newest or 0) + 1, graph=flow.graph,
        settings=flow.settings, content_hash=content_hash(graph, read_settings(flow.settings)),
        bindings=bindings, note=note, created_by=actor.name,
    )
    session.add(version)
    flow.active_version = version.number
    set_uses(
        session, environment_id=flow.environment_id, flow_id=flow.id, flow_name=flow.name,
        scope="active",
        references=[
            Reference(ref.node, ref.name, ref.version, bindings[ref.node], ref.purpose)
            for ref in references
        ],
    )
    note_external_uses(session, flow, graph, "active")
    session.flush()
    bind_triggers(session, actor, flow, version, graph)
    audit.record(
        session, actor=actor.who(), action=Action.FLOW_ACTIVATE, flow_id=flow.id,
        target=flow.name, data={"version": version.number, "hash": version.content_hash},
    )
    return _view(version, flow.active_version)


def deactivate_flow(
    session: Session, actor: Actor, flow_id: str, *, if_match: int | None = None
) -> bool:
    """Take a flow's active version out of use; say whether there was one.

    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: there is no such flow here.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.FLOWS_MANAGE)
    flow = get_row(session, actor, flow_id, for_update=True)
    check_revision(flow, if_match)
    if flow.active_version is None:
        return False
    audit.record(
        session, actor=actor.who(), action=Action.FLOW_DEACTIVATE, flow_id=flow.id,
        target=flow.name, data={"version": flow.active_version},
    )
    flow.active_version = None
    drop_uses(session, flow.id, "active")
    unbind_triggers(session, flow)
    forget_external_uses(session, flow.id, "active")
    return True


def list_flow_versions(session: Session, actor: Actor, flow_id: str) -> list[FlowVersionView]:
    """List a flow's versions, newest first.

    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: there is no such flow here.
    """
    actor.require(Scope.FLOWS_READ)
    flow = get_row(session, actor, flow_id)
    rows = session.scalars(
        select(FlowVersion)
        .where(FlowVersion.flow_id == flow.id, FlowVersion.number.is_not(None))
        .order_by(FlowVersion.number.desc())
    )
    return [_view(row, flow.active_version) for row in rows]


def _link(problem: Problem, flow_id: str) -> str:
    """Return the page where a problem is mended."""
    data = problem.remedy.data if problem.remedy else {}
    name = data.get("secret")
    if problem.code == "secret_missing" and name:
        return f"/secrets/new?{urlencode({'name': name})}"
    if problem.code in ("secret_disabled", "secret_denied", "allowed_hosts_required") and name:
        return f"/secrets?{urlencode({'q': name})}"
    return f"/flows/{flow_id}" + (f"#{quote(problem.node)}" if problem.node else "")


def find_unbounded(
    session: Session, actor: Actor, flow_id: str | None, references: Sequence[SecretReference]
) -> list[Problem]:
    """Return a problem for each secret that doesn't say where it may be sent, where it has to.

    :param flow_id: None for a flow that doesn't exist yet.
    """
    if not references or not policies_of(session, actor.environment_id).require_allowed_hosts:
        return []
    found = resolve(
        session, actor.environment_id, [(one.name, one.version) for one in references],
        flow_id=flow_id,
    )
    return [
        Problem(
            "allowed_hosts_required", "error",
            f"Secret {one.name} doesn't say where it may be sent, and this environment asks for "
            "that. Name its hosts on its page.", node=one.node, field="secretName",
            remedy=Remedy("open_secret", "Open the secret", {"secret": one.name}),
        )
        for one in references
        if (secret := found[one.name, one.version].secret) is not None
        and secret.allowed_hosts is None and one.purpose == "fetch"
    ]


def _view(version: FlowVersion, active: int | None) -> FlowVersionView:
    return FlowVersionView(
        version.number or 0, version.number == active, version.content_hash, version.note,
        version.created_at, version.created_by, read_settings(version.settings),
    )

"""``/api/v1/freeze``, ``/api/v1/audit`` and ``/api/v1/keys``."""

from __future__ import annotations

from flask import Response
from sqlalchemy.orm import Session

from app import audit
from app.accounts import freeze as freezing
from app.accounts.actor import Actor
from app.accounts.administrators import require_everywhere
from app.accounts.freeze import EVERYWHERE, Freeze
from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes_access import (
    AuditEventOut,
    AuditList,
    AuditQuery,
    FreezeOut,
    FreezeQuery,
    FreezeStart,
    KeyList,
    KeyOut,
)
from app.audit import Action, reading
from app.audit.reading import AuditFilter
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.vault.rotation import list_keks


@api.get("/freeze")
@operation(scope=None, answer=FreezeOut)
def get_freeze() -> Response:
    """Say whether this environment is frozen, by whom and why."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        row = freezing.find_freeze(session, actor.environment_id)
    return _freeze(row)


@api.post("/freeze")
@operation(scope=Scope.ENVIRONMENTS_MANAGE, body=FreezeStart, answer=FreezeOut)
def start_freeze(json_data: FreezeStart) -> Response:
    """Stop grants, runs and triggers at once, here or everywhere."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        row = freezing.freeze(
            session, actor, everywhere=json_data.everywhere, reason=json_data.reason
        )
    return _freeze(row)


@api.delete("/freeze")
@operation(scope=Scope.ENVIRONMENTS_MANAGE, query=FreezeQuery, answer=None, status=204)
def end_freeze(query_data: FreezeQuery) -> Response:
    """Lift a freeze; lifting none is fine."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        freezing.unfreeze(session, actor, everywhere=query_data.everywhere)
    return Response(status=204)


@api.get("/audit")
@operation(scope=Scope.AUDIT_READ, query=AuditQuery, answer=AuditList)
def list_audit_events(query_data: AuditQuery) -> Response:
    """List what was done and tried in this environment, newest first."""
    actor = current_actor()
    wanted = AuditFilter(
        action=query_data.action, outcome=query_data.outcome, actor=query_data.actor,
        secret_id=query_data.secret_id, flow_id=query_data.flow_id, run_id=query_data.run_id,
        since=query_data.since, until=query_data.until,
    )
    with unit_of_work(services().db, actor) as session:
        if query_data.installation:
            require_everywhere(session, actor, Scope.AUDIT_READ)
        page = reading.list_events(
            session, actor.who(), wanted, installation=query_data.installation,
            cursor=query_data.cursor, limit=query_data.limit,
        )
        items = [AuditEventOut.model_validate(event) for event in page.items]
        _record_reading(session, actor, len(items), query_data.installation)
    return reply(AuditList(items=items, next_cursor=page.next_cursor))


@api.get("/keys")
@operation(scope=Scope.KEYS_MANAGE, answer=KeyList)
def list_keys() -> Response:
    """List the installation's master keys, and how many values each wraps."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = list_keks(session, actor)
    items = [
        KeyOut(
            id=kek.id, provider=kek.provider, state=kek.state, values=kek.blobs,
            created_at=kek.created_at,
        )
        for kek in found
    ]
    active = next((kek.id for kek in found if kek.state == "active"), None)
    return reply(KeyList(items=items, active=active))


def _freeze(row: Freeze | None) -> Response:
    if row is None:
        return reply(FreezeOut(frozen=False))
    return reply(
        FreezeOut(
            frozen=True, everywhere=row.place == EVERYWHERE, reason=row.reason, by=row.by,
            at=row.at,
        )
    )


def _record_reading(session: Session, actor: Actor, count: int, installation: bool) -> None:
    audit.record(
        session, actor=actor.who(), action=Action.AUDIT_READ,
        data={"items": count, "installation": installation},
    )

"""Writing the audit: events wait in the session and are chained last, before its commit.

The chain's head is locked only then, so that writers of one environment wait for each other as
briefly as can be, and there is never an event without its link.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from sqlalchemy import Table, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.audit.actions import Action
from app.audit.models import AuditChain, AuditEvent
from app.ids import iso, new_id, utcnow
from app.keys.seals import Seals
from app.prepared import Prepared

INSTALLATION = "installation"
"""The chain of what belongs to no environment."""

Outcome = Literal["ok", "denied", "failed"]
_CHAINS = cast(Table, AuditChain.__table__)
_HEAD = Prepared(
    select(_CHAINS.c.seq, _CHAINS.c.mac)
    .where(_CHAINS.c.name == bindparam("of"))
    .with_for_update()
)
_WRITE = Prepared(insert(cast(Table, AuditEvent.__table__)))
_MOVE = Prepared(
    update(_CHAINS)
    .where(_CHAINS.c.name == bindparam("of"))
    .values(seq=bindparam("seq"), mac=bindparam("mac"), key_id=bindparam("key_id"))
)
_PENDING = "audit_pending"
FIRST_LINK = b"\0" * 32
"""What the first event of a chain is linked to."""


@dataclass(frozen=True, slots=True)
class Who:
    """The actor as the audit keeps it.

    :param environment_id: None for what concerns the installation.
    """

    kind: str
    id: str | None
    name: str
    environment_id: str | None
    request_id: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class AuditNote:
    """What a refusal wants written about itself, in a transaction of its own."""

    action: Action
    outcome: Outcome = "denied"
    secret_id: str | None = None
    flow_id: str | None = None
    run_id: str | None = None
    node: str | None = None
    target: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


def record(
    session: Session,
    *,
    actor: Who,
    action: Action,
    outcome: Outcome = "ok",
    secret_id: str | None = None,
    flow_id: str | None = None,
    run_id: str | None = None,
    node: str | None = None,
    target: str | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Record an event in the transaction of the deed; it commits or rolls back with it.

    :param data: what else a reader needs to know. Never a value.
    """
    at_commit: list[Any] | None = session.info.get("at_commit")
    if at_commit is None:
        raise RuntimeError("the audit needs a writing transaction of app.db.Database")
    pending: list[dict[str, Any]] = session.info.setdefault(_PENDING, [])
    if _seal_pending not in at_commit:
        at_commit.append(_seal_pending)
    pending.append(
        {
            "id": new_id(),
            "chain": actor.environment_id or INSTALLATION,
            "at": utcnow(),
            "environment_id": actor.environment_id,
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_name": actor.name,
            "action": action.value,
            "outcome": outcome,
            "secret_id": secret_id,
            "flow_id": flow_id,
            "run_id": run_id,
            "node": node,
            "target": target,
            "request_id": actor.request_id,
            "address": actor.address,
            "data": dict(data or {}),
        }
    )


def record_note(session: Session, *, actor: Who, note: AuditNote, code: str) -> None:
    """Record what a refusal left behind.

    :param code: the refusal's code.
    """
    record(
        session,
        actor=actor,
        action=note.action,
        outcome=note.outcome,
        secret_id=note.secret_id,
        flow_id=note.flow_id,
        run_id=note.run_id,
        node=note.node,
        target=note.target,
        data={**note.data, "code": code},
    )


def chained_fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an event's link covers: everything but the link, with times as text."""
    return {
        key: iso(value) if key == "at" else value for key, value in event.items() if key != "mac"
    }


def _seal_pending(session: Session) -> None:
    pending: list[dict[str, Any]] = session.info.pop(_PENDING, [])
    seals: Seals = session.info["seals"]
    session.flush()
    # In one order everywhere, so that two transactions never wait for each other in a circle.
    for name in sorted({event["chain"] for event in pending}):
        seq, mac = _lock_head(session, name, seals)
        key_id = seals.audit_key_id
        rows = [event for event in pending if event["chain"] == name]
        for event in rows:
            seq += 1
            event["seq"], event["key_id"] = seq, key_id
            mac = event["mac"] = seals.mac_audit(mac, chained_fields(event))
        _WRITE.write(session, *rows)
        _MOVE.write(session, {"of": name, "seq": seq, "mac": mac, "key_id": key_id})


def _lock_head(session: Session, name: str, seals: Seals) -> tuple[int, bytes]:
    head = _HEAD.row(session, {"of": name})
    if head is None:
        connection = session.connection()
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        values = {"name": name, "seq": 0, "mac": FIRST_LINK, "key_id": seals.audit_key_id}
        connection.execute(dialect.insert(_CHAINS).values(**values).on_conflict_do_nothing())
        head = _HEAD.row(session, {"of": name})
    assert head is not None  # noqa: S101 - it was there, or it is now
    return int(head[0]), bytes(head[1])

"""Reading secrets: metadata, lists, versions. Never a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.models import Environment
from app.accounts.scopes import Scope
from app.audit import Action
from app.audit.reading import page_accesses
from app.errors import Invalid
from app.ids import utcnow
from app.paging import Page, check_limit, decode_cursor, encode_cursor
from app.vault.models import Secret, SecretTag, SecretVersion
from app.vault.rows import get_row, get_version_row
from app.vault.search import find_hits, holds
from app.vault.views import SecretView, VersionView, view_secret, view_secrets, view_version

SORTS = {
    "name": (Secret.name, False),
    "-name": (Secret.name, True),
    "created": (Secret.id, False),
    "-created": (Secret.id, True),
}
"""How a list may be sorted: the column, and whether it goes down."""

DUE_SOON = timedelta(days=7)
"""A secret is due when its rotation is this near."""

Due = Literal["due", "overdue"]
"""``due`` within the next days, ``overdue`` past its time."""


@dataclass(frozen=True, slots=True)
class DueCounts:
    """How many secrets should be rotated soon, and how many should have been."""

    due: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Access:
    """A value that was granted, used or read, or refused, as the audit has it."""

    at: datetime
    action: str
    outcome: str
    actor_kind: str
    actor_name: str
    run_id: str | None
    flow_id: str | None
    node: str | None
    version: int | None
    request_id: str | None


def list_secrets(
    session: Session,
    actor: Actor,
    *,
    q: str | None = None,
    tag: str | None = None,
    sort: str = "name",
    cursor: str | None = None,
    limit: int = 50,
    deleted: bool = False,
    due: Due | None = None,
) -> Page[SecretView]:
    """List secrets of the environment.

    :param q: part of a name or description.
    :param deleted: list the deleted ones that can still be restored, instead of the others.
    :param due: only those whose rotation is due or overdue.
    :param sort: ``name`` or ``created``, with ``-`` in front for the other direction.
    :raises Denied: the actor lacks ``secrets:read``.
    :raises Invalid: the cursor, sort or limit can't be taken.
    """
    actor.require(Scope.SECRETS_READ)
    check_limit(limit)
    if sort not in SORTS:
        raise Invalid(
            "sort_invalid", f"The list sorts by {', '.join(SORTS)}.", field="sort"
        )
    column, descending = SORTS[sort]
    # Where something narrower leads, the environment is only checked, not looked up: without
    # statistics SQLite takes its index for the narrower one.
    hits = find_hits(session, q) if q else None
    narrow = bool(tag) or hits is not None
    environment = Secret.environment_id.concat("") if narrow else Secret.environment_id
    query = select(Secret).where(
        environment == actor.environment_id,
        Secret.state == "deleted" if deleted else Secret.state != "deleted",
    )
    if q:
        query = query.where(holds(q) if hits is None else Secret.search_id.in_(hits))
    if tag:
        query = query.join(SecretTag, SecretTag.secret_id == Secret.id).where(
            SecretTag.environment_id == actor.environment_id, SecretTag.tag == tag
        )
        if column is Secret.name:
            # The same text, in the order of the tag's own index.
            column = SecretTag.name
    if due:
        now = utcnow()
        query = query.where(
            Secret.due_at < now
            if due == "overdue"
            else Secret.due_at.between(now, now + DUE_SOON)
        )
    if cursor:
        (last,) = decode_cursor(cursor, 1)
        query = query.where(column < last if descending else column > last)
    ordered = query.order_by(column.desc() if descending else column)
    rows = list(session.scalars(ordered.limit(limit + 1)))
    items = view_secrets(session, rows[:limit])
    following = None
    if len(rows) > limit:
        following = encode_cursor(getattr(rows[limit - 1], column.key))
    if session.info.get("at_commit") is not None:
        audit.record(
            session, actor=actor.who(), action=Action.SECRET_LIST, data={"items": len(items)}
        )
    return Page(items, following)


def due_counts(session: Session, environment_id: str) -> DueCounts:
    """Count the secrets of an environment whose rotation is due or overdue, by their index."""
    now = utcnow()
    overdue, due = session.execute(
        select(
            func.count().filter(Secret.due_at < now), func.count().filter(Secret.due_at >= now)
        ).where(
            Secret.environment_id == environment_id, Secret.due_at <= now + DUE_SOON,
            Secret.state != "deleted",
        )
    ).one()
    return DueCounts(due=due, overdue=overdue)


def due_counts_by_environment(session: Session) -> dict[str, DueCounts]:
    """Count the secrets whose rotation is due or overdue by environment's name, zeros too."""
    now = utcnow()
    # The outer join makes the environments lead, each with a short range of the index.
    rows = session.execute(
        select(
            Environment.name,
            func.count().filter(Secret.due_at >= now),
            func.count().filter(Secret.due_at < now),
        )
        .outerjoin(
            Secret,
            and_(
                Secret.environment_id == Environment.id, Secret.due_at <= now + DUE_SOON,
                Secret.state != "deleted",
            ),
        )
        .group_by(Environment.id, Environment.name)
        .order_by(Environment.name)
    )
    return {name: DueCounts(due=due, overdue=overdue) for name, due, overdue in rows}


def get_secret(
    session: Session, actor: Actor, secret_id: str, *, deleted: bool = False
) -> SecretView:
    """Show a secret's metadata.

    :param deleted: show one that was deleted and can still be restored, too.
    :raises Denied: the actor lacks ``secrets:read``.
    :raises NotFound: there is none in this environment.
    """
    actor.require(Scope.SECRETS_READ)
    secret = get_row(session, actor, secret_id, deleted=deleted)
    if session.info.get("at_commit") is not None:
        audit.record(session, actor=actor.who(), action=Action.SECRET_READ, secret_id=secret.id)
    return view_secret(session, secret)


def find_by_name(session: Session, actor: Actor, name: str) -> SecretView | None:
    """Find a secret by its exact name.

    :raises Denied: the actor lacks ``secrets:read``.
    """
    actor.require(Scope.SECRETS_READ)
    secret = session.scalar(
        select(Secret).where(
            Secret.environment_id == actor.environment_id, Secret.name == name,
            Secret.state != "deleted",
        )
    )
    return None if secret is None else view_secret(session, secret)


def list_versions(
    session: Session, actor: Actor, secret_id: str, *, deleted: bool = False
) -> list[VersionView]:
    """List a secret's versions, newest first.

    :param deleted: those of one that was deleted and can still be restored, too.
    :raises Denied: the actor lacks ``secrets:read``.
    :raises NotFound: there is no such secret here.
    """
    actor.require(Scope.SECRETS_READ)
    secret = get_row(session, actor, secret_id, deleted=deleted)
    rows = session.scalars(
        select(SecretVersion)
        .where(SecretVersion.secret_id == secret.id)
        .order_by(SecretVersion.number.desc())
    )
    return [view_version(row, secret) for row in rows]


def get_version(
    session: Session, actor: Actor, secret_id: str, number: int, *, deleted: bool = False
) -> VersionView:
    """Show one version of a secret.

    :raises Denied: the actor lacks ``secrets:read``.
    :raises NotFound: there is no such secret or version here.
    """
    actor.require(Scope.SECRETS_READ)
    secret = get_row(session, actor, secret_id, deleted=deleted)
    return view_version(get_version_row(session, secret, number), secret)


def list_accesses(
    session: Session,
    actor: Actor,
    secret_id: str,
    *,
    deleted: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Access]:
    """List who was given a secret's value, or refused, newest first, with run and node.

    :raises Denied: the actor has neither ``audit:read`` nor ``secrets:manage``.
    :raises NotFound: there is no such secret here.
    :raises Invalid: the cursor or limit can't be taken.
    """
    if not actor.may(Scope.SECRETS_MANAGE):
        actor.require(Scope.AUDIT_READ)
    secret = get_row(session, actor, secret_id, deleted=deleted)
    page = page_accesses(session, secret.id, cursor=cursor, limit=limit)
    items = [
        Access(
            row.at, row.action, row.outcome, row.actor_kind, row.actor_name, row.run_id,
            row.flow_id, row.node, _version_of(row.data), row.request_id,
        )
        for row in page.items
    ]
    return Page(items, page.next_cursor)


def _version_of(data: Mapping[str, Any]) -> int | None:
    number = data.get("version")
    return number if isinstance(number, int) else None

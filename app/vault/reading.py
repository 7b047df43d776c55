"""Reading secrets: metadata, lists, versions. Never a value."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import Invalid
from app.paging import Page, check_limit, decode_cursor, encode_cursor, like_pattern
from app.vault.models import Secret, SecretTag, SecretVersion
from app.vault.rows import get_row
from app.vault.views import SecretView, VersionView, view_secret, view_version

SORTS = {
    "name": (Secret.name, False),
    "-name": (Secret.name, True),
    "created": (Secret.id, False),
    "-created": (Secret.id, True),
}
"""How a list may be sorted: the column, and whether it goes down."""


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
) -> Page[SecretView]:
    """List secrets of the environment.

    :param q: part of a name or description.
    :param deleted: list the deleted ones that can still be restored, instead of the others.
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
    query = select(Secret).where(
        Secret.environment_id == actor.environment_id,
        Secret.state == "deleted" if deleted else Secret.state != "deleted",
    )
    if q:
        pattern = like_pattern(q)
        query = query.where(
            or_(
                Secret.name.ilike(pattern, escape="\\"),
                Secret.description.ilike(pattern, escape="\\"),
            )
        )
    if tag:
        query = query.join(SecretTag, SecretTag.secret_id == Secret.id).where(SecretTag.tag == tag)
    if cursor:
        (last,) = decode_cursor(cursor, 1)
        query = query.where(column < last if descending else column > last)
    ordered = query.order_by(column.desc() if descending else column)
    rows = list(session.scalars(ordered.limit(limit + 1)))
    items = [view_secret(row) for row in rows[:limit]]
    following = None
    if len(rows) > limit:
        following = encode_cursor(getattr(rows[limit - 1], column.key))
    if session.info.get("at_commit") is not None:
        audit.record(
            session, actor=actor.who(), action=Action.SECRET_LIST, data={"items": len(items)}
        )
    return Page(items, following)


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
    return view_secret(secret)


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
    return None if secret is None else view_secret(secret)


def list_versions(session: Session, actor: Actor, secret_id: str) -> list[VersionView]:
    """List a secret's versions, newest first.

    :raises Denied: the actor lacks ``secrets:read``.
    :raises NotFound: there is no such secret here.
    """
    actor.require(Scope.SECRETS_READ)
    secret = get_row(session, actor, secret_id)
    rows = session.scalars(
        select(SecretVersion)
        .where(SecretVersion.secret_id == secret.id)
        .order_by(SecretVersion.number.desc())
    )
    return [view_version(row, secret) for row in rows]

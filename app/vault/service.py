"""Secrets as people and programs work with them: authorise, act, audit. Never a value out."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action, AuditNote
from app.errors import Conflict, Invalid, NotFound, Stale
from app.ids import is_id, new_id, utcnow
from app.paging import Page, check_limit, decode_cursor, encode_cursor, like_pattern
from app.vault import policy
from app.vault.models import Secret, SecretTag, SecretVersion
from app.vault.policy import NewSecret
from app.vault.vault import Vault
from app.vault.views import SecretView, VersionView, view_secret

__all__ = [
    "NewSecret", "SecretView", "VersionView", "create_secret", "delete_secret", "find_by_name",
    "get_secret", "list_secrets", "list_versions", "rotate_secret",
]

RECOVERY = timedelta(days=30)
_SORTS = {
    "name": (Secret.name, False),
    "-name": (Secret.name, True),
    "created": (Secret.id, False),
    "-created": (Secret.id, True),
}


def create_secret(session: Session, actor: Actor, vault: Vault, new: NewSecret) -> SecretView:
    """Store a new secret with its first version.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises Invalid: the name, value or another field can't be taken; names the field.
    :raises Conflict: ``secret_name_taken`` or ``secret_name_reserved``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    name = policy.check_name(new.name)
    weak = policy.check_value(new.value, allow_weak=new.allow_weak)
    owner = new.owner if new.owner is not None else actor.name
    policy.check_texts(new.description, owner, new.rotation_period_days)
    tags = policy.check_tags(new.tags)
    hosts = policy.check_hosts(new.allowed_hosts)
    flows = _check_flows(new.allowed_flows)
    _refuse_taken(session, actor, name)
    now = utcnow()
    secret = Secret(
        id=new_id(), environment_id=actor.environment_id, name=name,
        description=new.description, tags=tags, owner=owner, active_version=1, latest_version=1,
        allowed_hosts=hosts, allowed_flows=flows,
        rotation_period_days=new.rotation_period_days, created_at=now, created_by=actor.name,
        updated_at=now, updated_by=actor.name, rotated_at=now, last_accessed_at=None,
        deleted_at=None, purge_at=None,
    )
    session.add(secret)
    try:
        session.flush()
    except IntegrityError:
        # Two creates met; the index has decided.
        raise _taken(name) from None
    session.add_all(
        SecretTag(secret_id=secret.id, tag=tag, environment_id=actor.environment_id)
        for tag in tags
    )
    _add_version(session, actor, vault, secret, 1, new.value, weak)
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_CREATE, secret_id=secret.id,
        target=name, data={"version": 1, "weak": weak},
    )
    return view_secret(secret)


def list_secrets(
    session: Session,
    actor: Actor,
    *,
    q: str | None = None,
    tag: str | None = None,
    sort: str = "name",
    cursor: str | None = None,
    limit: int = 50,
) -> Page[SecretView]:
    """List secrets of the environment, deleted ones left out.

    :param q: part of a name or description.
    :param sort: ``name`` or ``created``, with ``-`` in front for the other direction.
    :raises Denied: the actor lacks ``secrets:read``.
    :raises Invalid: the cursor, sort or limit can't be taken.
    """
    actor.require(Scope.SECRETS_READ)
    check_limit(limit)
    if sort not in _SORTS:
        raise Invalid(
            "sort_invalid", f"The list sorts by {', '.join(_SORTS)}.", field="sort"
        )
    column, descending = _SORTS[sort]
    query = select(Secret).where(
        Secret.environment_id == actor.environment_id, Secret.state != "deleted"
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


def get_secret(session: Session, actor: Actor, secret_id: str) -> SecretView:
    """Show a secret's metadata.

    :raises Denied: the actor lacks ``secrets:read``.
    :raises NotFound: there is none in this environment.
    """
    actor.require(Scope.SECRETS_READ)
    secret = _get(session, actor, secret_id)
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
    secret = _get(session, actor, secret_id)
    rows = session.scalars(
        select(SecretVersion)
        .where(SecretVersion.secret_id == secret.id)
        .order_by(SecretVersion.number.desc())
    )
    return [
        VersionView(
            number=row.number, state=row.state, active=row.number == secret.active_version,
            created_at=row.created_at, created_by=row.created_by,
            last_accessed_at=row.last_accessed_at,
        )
        for row in rows
    ]


def rotate_secret(
    session: Session,
    actor: Actor,
    vault: Vault,
    secret_id: str,
    *,
    value: str,
    allow_weak: bool = False,
    if_match: int | None = None,
) -> SecretView:
    """Give a secret a new value: a new version, active at once.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises Invalid: the value can't be taken.
    :raises NotFound: there is no such secret here.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    secret = _get(session, actor, secret_id, for_update=True)
    _check_revision(secret, if_match)
    weak = policy.check_value(value, allow_weak=allow_weak)
    number = secret.latest_version + 1
    _add_version(session, actor, vault, secret, number, value, weak)
    secret.latest_version = secret.active_version = number
    secret.rotated_at = utcnow()
    _touch(secret, actor)
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_ROTATE, secret_id=secret.id,
        target=secret.name, data={"version": number, "weak": weak},
    )
    session.flush()
    return view_secret(secret)


def delete_secret(
    session: Session, actor: Actor, secret_id: str, *, if_match: int | None = None
) -> None:
    """Delete a secret: its values are denied from now on, its name stays reserved until purge.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises NotFound: there is no such secret here.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    secret = _get(session, actor, secret_id, for_update=True)
    _check_revision(secret, if_match)
    secret.state = "deleted"
    secret.deleted_at = utcnow()
    secret.purge_at = secret.deleted_at + RECOVERY
    _touch(secret, actor)
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_DELETE, secret_id=secret.id,
        target=secret.name,
    )


def _get(session: Session, actor: Actor, secret_id: str, *, for_update: bool = False) -> Secret:
    query = select(Secret).where(
        Secret.id == secret_id, Secret.environment_id == actor.environment_id,
        Secret.state != "deleted",
    )
    if for_update:
        query = query.with_for_update()
    secret = session.scalar(query) if is_id(secret_id) else None
    if secret is None:
        raise NotFound(
            "secret_not_found",
            "There is no such secret in this environment.",
            audit=AuditNote(action=Action.SECRET_READ, target=secret_id[:64]),
        )
    return secret


def _check_revision(secret: Secret, if_match: int | None) -> None:
    if if_match is not None and if_match != secret.revision:
        raise Stale(
            "secret_changed",
            f"Secret {secret.name} was changed by {secret.updated_by} since you read it: it is at "
            f"revision {secret.revision}, you had {if_match}. Read it again, then decide.",
        )


def _touch(secret: Secret, actor: Actor) -> None:
    secret.revision += 1
    secret.updated_at = utcnow()
    secret.updated_by = actor.name


def _add_version(
    session: Session, actor: Actor, vault: Vault, secret: Secret, number: int, value: str,
    weak: bool,
) -> None:
    blob = vault.seal(secret.environment_id, secret.id, number, value)
    session.add(blob)
    session.add(
        SecretVersion(
            secret_id=secret.id, number=number, blob_id=blob.id, weak=weak,
            created_by=actor.name, last_accessed_at=None,
        )
    )
    session.flush()


def _refuse_taken(session: Session, actor: Actor, name: str) -> None:
    held = session.scalar(
        select(Secret).where(Secret.environment_id == actor.environment_id, Secret.name == name)
    )
    if held is None:
        return
    if held.state == "deleted":
        raise Conflict(
            "secret_name_reserved",
            f"A deleted secret named {name} is kept until {held.purge_at:%d %B %Y}, and its name "
            "stays reserved till then. Choose another name.",
            field="name",
        )
    raise _taken(name)


def _taken(name: str) -> Conflict:
    return Conflict(
        "secret_name_taken",
        f"There is a secret named {name} in this environment already. Choose another name, or "
        "rotate that one.",
        field="name",
    )


def _check_flows(flows: object) -> list[str] | None:
    if flows is None:
        return None
    found = list(dict.fromkeys(flows))  # type: ignore[call-overload]
    if len(found) > policy.MAX_RULES or any(not is_id(flow) for flow in found):
        raise Invalid(
            "allowed_flow_invalid",
            f"Allowed flows are up to {policy.MAX_RULES} ids of flows.",
            field="allowed_flows",
        )
    return found

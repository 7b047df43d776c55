"""Changing secrets: create, describe, rotate, delete, restore. Never a value out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import Conflict, Invalid
from app.ids import is_id, new_id, utcnow
from app.vault import policy
from app.vault.formats import recognise
from app.vault.models import Secret, SecretTag, SecretVersion
from app.vault.policy import NewSecret
from app.vault.rows import check_revision, get_row, name_taken, refuse_taken, touch
from app.vault.search import index_secret
from app.vault.uses import list_uses
from app.vault.vault import Vault
from app.vault.views import SecretView, view_secret

DEFAULT_RECOVERY_DAYS = 30
RECOVERY_DAYS = range(7, 31)
"""How long a deleted secret can be restored, in days."""


class Unset:
    """The type of :data:`UNSET`: a field that a change leaves as it is."""


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True)
class SecretChange:
    """What a change of a secret's description says; fields that are ``UNSET`` stay."""

    name: str | Unset = UNSET
    description: str | Unset = UNSET
    tags: Sequence[str] | Unset = UNSET
    owner: str | Unset = UNSET
    rotation_period_days: int | Unset | None = UNSET
    allowed_hosts: Sequence[str] | Unset | None = UNSET
    allowed_flows: Sequence[str] | Unset | None = UNSET


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
    refuse_taken(session, actor, name)
    now = utcnow()
    secret = Secret(
        id=new_id(), environment_id=actor.environment_id, name=name,
        description=new.description, tags=tags, owner=owner, active_version=1, latest_version=1,
        allowed_hosts=hosts, allowed_flows=flows,
        rotation_period_days=new.rotation_period_days, created_at=now, created_by=actor.name,
        updated_at=now, updated_by=actor.name, rotated_at=now, last_accessed_at=None,
        due_at=_due(now, new.rotation_period_days), deleted_at=None, purge_at=None,
    )
    session.add(secret)
    try:
        session.flush()
    except IntegrityError:
        # Two creates met; the index has decided.
        raise name_taken(name) from None
    _set_tags(session, secret, tags)
    index_secret(session, secret, known=False)
    _add_version(session, actor, vault, secret, 1, new.value, weak)
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_CREATE, secret_id=secret.id,
        target=name, data={"version": 1, "weak": weak, "revision": 1},
    )
    return view_secret(session, secret)


def describe_secret(
    session: Session,
    actor: Actor,
    secret_id: str,
    change: SecretChange,
    *,
    if_match: int | None = None,
) -> SecretView:
    """Change what is said of a secret and who may use it where; its values stay.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises Invalid: a field can't be taken; names it.
    :raises NotFound: there is no such secret here.
    :raises Conflict: the name is taken, or flows use the present one and are named.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    secret = get_row(session, actor, secret_id, for_update=True)
    check_revision(secret, if_match)
    wanted = _wanted(secret, change)
    changed = [name for name, value in wanted.items() if getattr(secret, name) != value]
    if not changed:
        return view_secret(session, secret)
    if "name" in changed:
        _refuse_renaming_used(session, secret, wanted["name"])
        refuse_taken(session, actor, wanted["name"])
    for name in changed:
        setattr(secret, name, wanted[name])
    if {"tags", "name"} & set(changed):
        _set_tags(session, secret, wanted["tags"])
    secret.due_at = _due(secret.rotated_at, secret.rotation_period_days)
    touch(secret, actor, f"{', '.join(sorted(changed))} changed")
    try:
        session.flush()
    except IntegrityError:
        raise name_taken(wanted["name"]) from None
    if {"name", "description"} & set(changed):
        index_secret(session, secret, known=True)
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_UPDATE, secret_id=secret.id,
        target=secret.name, data={"changed": sorted(changed), "revision": secret.revision},
    )
    return view_secret(session, secret)


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
    secret = get_row(session, actor, secret_id, for_update=True)
    check_revision(secret, if_match)
    weak = policy.check_value(value, allow_weak=allow_weak)
    number = secret.latest_version + 1
    _add_version(session, actor, vault, secret, number, value, weak)
    secret.latest_version = secret.active_version = number
    secret.rotated_at = utcnow()
    secret.due_at = _due(secret.rotated_at, secret.rotation_period_days)
    touch(secret, actor, f"it was rotated to version {number}")
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_ROTATE, secret_id=secret.id,
        target=secret.name, data={"version": number, "weak": weak, "revision": secret.revision},
    )
    session.flush()
    return view_secret(session, secret)


def delete_secret(
    session: Session,
    actor: Actor,
    secret_id: str,
    *,
    if_match: int | None = None,
    recovery_days: int = DEFAULT_RECOVERY_DAYS,
) -> None:
    """Delete a secret: its values are denied from now on; it can be restored for some days, and
    its name stays reserved till then. Being used never blocks this.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises Invalid: ``recovery_days_invalid``.
    :raises NotFound: there is no such secret here.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    secret = get_row(session, actor, secret_id, for_update=True)
    check_revision(secret, if_match)
    if recovery_days not in RECOVERY_DAYS:
        raise Invalid(
            "recovery_days_invalid",
            f"A deleted secret can be restored for {RECOVERY_DAYS[0]} to {RECOVERY_DAYS[-1]} days.",
            field="recovery_days",
        )
    secret.state = "deleted"
    secret.deleted_at = utcnow()
    secret.purge_at = secret.deleted_at + timedelta(days=recovery_days)
    touch(secret, actor, "it was deleted")
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_DELETE, secret_id=secret.id,
        target=secret.name, data={"recovery_days": recovery_days, "revision": secret.revision},
    )


def restore_secret(
    session: Session, actor: Actor, secret_id: str, *, if_match: int | None = None
) -> SecretView:
    """Bring a deleted secret back whole; restoring one that isn't deleted changes nothing.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises NotFound: there is none here, or it was purged.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    secret = get_row(session, actor, secret_id, for_update=True, deleted=True)
    check_revision(secret, if_match)
    if secret.state == "deleted":
        secret.state = "enabled"
        secret.deleted_at = secret.purge_at = None
        touch(secret, actor, "it was restored")
        session.flush()
        audit.record(
            session, actor=actor.who(), action=Action.SECRET_RESTORE, secret_id=secret.id,
            target=secret.name, data={"revision": secret.revision},
        )
    return view_secret(session, secret)


def _wanted(secret: Secret, change: SecretChange) -> dict[str, Any]:
    """Return every field as the change wants it, checked."""
    wanted: dict[str, Any] = {
        name: getattr(secret, name) if isinstance(value, Unset) else value
        for name in SecretChange.__slots__
        for value in (getattr(change, name),)
    }
    policy.check_name(wanted["name"])
    policy.check_texts(wanted["description"], wanted["owner"], wanted["rotation_period_days"])
    wanted["tags"] = policy.check_tags(wanted["tags"])
    wanted["allowed_hosts"] = policy.check_hosts(wanted["allowed_hosts"])
    wanted["allowed_flows"] = _check_flows(wanted["allowed_flows"])
    return wanted


def _refuse_renaming_used(session: Session, secret: Secret, name: str) -> None:
    flows = sorted({use.flow_name for use in list_uses(session, secret)})
    if flows:
        shown = ", ".join(flows[:5]) + (f" and {len(flows) - 5} more" if len(flows) > 5 else "")
        raise Conflict(
            "secret_in_use",
            f"Flows name {secret.name}, so it can't be renamed to {name}: {shown}. Create a new "
            "secret, re-map them, then delete this one.",
            field="name",
        )


def _set_tags(session: Session, secret: Secret, tags: Sequence[str]) -> None:
    session.execute(delete(SecretTag).where(SecretTag.secret_id == secret.id))
    session.add_all(
        SecretTag(
            secret_id=secret.id, tag=tag, environment_id=secret.environment_id, name=secret.name
        )
        for tag in tags
    )


def _due(rotated_at: datetime, period: int | None) -> datetime | None:
    return None if period is None else rotated_at + timedelta(days=period)


def _add_version(
    session: Session, actor: Actor, vault: Vault, secret: Secret, number: int, value: str,
    weak: bool,
) -> None:
    blob = vault.seal(session, secret.environment_id, secret.id, number, value)
    session.add(blob)
    looks = recognise(value)
    session.add(
        SecretVersion(
            secret_id=secret.id, number=number, blob_id=blob.id, weak=weak,
            format=looks.name, expires_at=looks.expires_at, created_by=actor.name,
            last_accessed_at=None,
        )
    )
    session.flush()


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

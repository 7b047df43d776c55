"""Purging deleted secrets whose recovery window is over; for the scheduler, without any key."""

from __future__ import annotations

import logging

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action, Who
from app.errors import Conflict, Locked
from app.ids import utcnow
from app.vault.models import Grant, Secret, SecretBlob, SecretTag, SecretVersion
from app.vault.rows import check_revision, get_row
from app.vault.search import forget_secret
from app.vault.uses import list_uses

_log = logging.getLogger("tacit.vault")
BATCH = 50


def purge_secret(
    session: Session, actor: Actor, secret_id: str, *, if_match: int | None = None
) -> None:
    """Purge a deleted secret before its window is over: nothing of its values is left.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises NotFound: there is no such secret here.
    :raises Conflict: ``secret_not_deleted``.
    :raises Locked: ``secret_in_use``: active flow versions use it.
    :raises Stale: it changed since ``if_match``.
    """
    actor.require(Scope.SECRETS_MANAGE)
    secret = get_row(session, actor, secret_id, for_update=True, deleted=True)
    check_revision(secret, if_match)
    if secret.state != "deleted":
        raise Conflict(
            "secret_not_deleted", f"Secret {secret.name} is not deleted. Delete it, then purge it."
        )
    flows = sorted({use.flow_name for use in list_uses(session, secret, "active")})
    if flows:
        raise Locked(
            "secret_in_use",
            f"Active flows use {secret.name}: {', '.join(flows[:5])}. Deactivate them or activate "
            "versions without it, then purge it.",
        )
    _purge(session, secret, actor.who())


def purge_due(session: Session) -> int:
    """Purge up to 50 secrets whose window is over; those that active flows use wait.

    :returns: how many were purged.
    """
    due = session.scalars(
        select(Secret)
        .where(Secret.state == "deleted", Secret.purge_at < utcnow())
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    count = 0
    for secret in due:
        if list_uses(session, secret, "active"):
            _log.warning("purge_waits", extra={"secret": secret.id})
            continue
        _purge(session, secret, Who("system", None, "scheduler", secret.environment_id))
        count += 1
    return count


def _purge(session: Session, secret: Secret, who: Who) -> None:
    for table in (SecretBlob, SecretVersion, SecretTag, Grant):
        session.execute(delete(table).where(table.secret_id == secret.id))
    forget_secret(session, secret)
    session.delete(secret)
    audit.record(
        session, actor=who, action=Action.SECRET_PURGE, secret_id=secret.id, target=secret.name
    )

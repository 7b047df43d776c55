"""The one door to a value. Imported by the runtime's value route and the API's secrets route
alone; an import contract holds that.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action, AuditNote
from app.errors import Denied, NotFound, Unavailable
from app.ids import is_id, utcnow
from app.vault.models import Secret, SecretBlob, SecretVersion
from app.vault.vault import Vault


def open_version(
    session: Session, vault: Vault, secret: Secret, version: SecretVersion
) -> str:
    """Decrypt a version, and note the access.

    The caller has authorised it, and commits the audit event before the value leaves.

    :raises Unavailable: ``value_unreadable``.
    """
    blob = session.get(SecretBlob, version.blob_id)
    if blob is None:
        raise Unavailable(
            "value_unreadable",
            "The stored value can't be opened. An operator finds out why with “tacit doctor”.",
        )
    now = utcnow()
    # Times of access are outside the seal, so that reading a value doesn't make a revision.
    session.execute(
        update(Secret).where(Secret.id == secret.id).values(last_accessed_at=now),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(SecretVersion)
        .where(SecretVersion.secret_id == secret.id, SecretVersion.number == version.number)
        .values(last_accessed_at=now),
        execution_options={"synchronize_session": False},
    )
    return vault.unseal(secret.environment_id, secret.id, version.number, blob)


def reveal_for_token(
    session: Session, actor: Actor, vault: Vault, secret_id: str, version: int | None = None
) -> str:
    """Return a value to a bearer token with ``secrets:read:value``; no session ever gets one.

    :param version: None for the active one.
    :raises Denied: the actor isn't a token, or lacks the scope.
    :raises NotFound: there is no such secret or version here, or it can't be used.
    """
    note = AuditNote(action=Action.SECRET_REVEAL, secret_id=secret_id if is_id(secret_id) else None)
    actor.require(Scope.SECRETS_READ_VALUE)
    if actor.kind != "token":
        raise Denied(
            "value_needs_token", "A browser never gets a value. Use an API token.", audit=note
        )
    secret = session.scalar(
        select(Secret)
        .where(
            Secret.id == secret_id, Secret.environment_id == actor.environment_id,
            Secret.state == "enabled",
        )
        .with_for_update(read=True)
    )
    if secret is None:
        raise NotFound("secret_not_found", "There is no such secret in this environment.")
    number = version if version is not None else secret.active_version
    row = session.get(SecretVersion, (secret.id, number))
    if row is None or row.state != "enabled":
        raise NotFound(
            "secret_version_not_found",
            f"Secret {secret.name} has no usable version {number}.",
            audit=note,
        )
    value = open_version(session, vault, secret, row)
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_REVEAL, secret_id=secret.id,
        data={"version": number},
    )
    return value

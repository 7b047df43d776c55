"""The one door to a value. Imported by the runtime's value route and the API's secrets route
alone; an import contract holds that.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.environments import policies_of
from app.accounts.freeze import refuse_frozen
from app.accounts.scopes import Scope
from app.audit import Action, AuditNote
from app.errors import Denied, Locked, NotFound, Unavailable
from app.ids import is_id, utcnow
from app.prepared import Prepared
from app.vault.models import Secret, SecretBlob, SecretVersion
from app.vault.vault import Vault

# Through the tables: what doesn't change an object needs none of the ORM's bookkeeping.
_SECRETS = cast(Table, Secret.__table__)
_VERSIONS = cast(Table, SecretVersion.__table__)
_SECRET_READ = Prepared(
    update(_SECRETS)
    .where(_SECRETS.c.id == bindparam("of"))
    .values(last_accessed_at=bindparam("now"))
)
_VERSION_READ = Prepared(
    update(_VERSIONS)
    .where(_VERSIONS.c.secret_id == bindparam("of"), _VERSIONS.c.number == bindparam("n"))
    .values(last_accessed_at=bindparam("now"))
)


def open_version(
    session: Session, vault: Vault, secret: Secret, version: SecretVersion
) -> str:
    """Decrypt a version, and note the access.

    The caller has authorised it, and commits the audit event before the value leaves.

    :raises Unavailable: ``value_unreadable``.
    """
    return open_blob(
        session, vault, secret, version.number, session.get(SecretBlob, version.blob_id)
    )


def open_blob(
    session: Session, vault: Vault, secret: Secret, number: int, blob: SecretBlob | None
) -> str:
    """Decrypt a version whose blob was read with it, and note the access.

    The caller has authorised it, and commits the audit event before the value leaves.

    :raises Unavailable: ``value_unreadable``.
    """
    if blob is None:
        raise Unavailable(
            "value_unreadable",
            "The stored value can't be opened. An operator finds out why with “tacit doctor”.",
        )
    _note_access(session, secret.id, number)
    return vault.unseal(secret.environment_id, secret.id, number, blob)


def _note_access(session: Session, secret_id: str, number: int) -> None:
    """Note when a value was last handed out; written last, once for all of a commit's values.

    These times are outside the seals, so that reading a value doesn't make a revision.
    """
    accessed: list[tuple[str, int]] = session.info.setdefault("vault_accessed", [])
    accessed.append((secret_id, number))
    last: list[Any] = session.info["at_commit"]
    if _write_accesses not in last:
        last.insert(0, _write_accesses)


def _write_accesses(session: Session) -> None:
    now = utcnow()
    accessed = sorted(set(session.info.pop("vault_accessed", [])))
    if not accessed:
        return
    _SECRET_READ.write(
        session,
        *({"of": secret, "now": now} for secret in sorted({secret for secret, _ in accessed})),
    )
    _VERSION_READ.write(
        session, *({"of": secret, "n": number, "now": now} for secret, number in accessed)
    )


def reveal_for_token(
    session: Session, actor: Actor, vault: Vault, secret_id: str, version: int | None = None
) -> str:
    """Return a value to a bearer token with ``secrets:read:value``; no session ever gets one.

    :param version: None for the active one.
    :raises Denied: the actor isn't a token, or lacks the scope.
    :raises Locked: ``frozen``, or ``value_reading_off``: this environment's policy.
    :raises NotFound: there is no such secret or version here, or it can't be used.
    """
    note = AuditNote(action=Action.SECRET_REVEAL, secret_id=secret_id if is_id(secret_id) else None)
    actor.require(Scope.SECRETS_READ_VALUE)
    if actor.kind != "token":
        raise Denied(
            "value_needs_token", "A browser never gets a value. Use an API token.", audit=note
        )
    if not policies_of(session, actor.environment_id).value_reading:
        raise Locked(
            "value_reading_off",
            "Reading values is switched off in this environment. Its administrators can switch "
            "it on; flows use secrets all the same.", audit=note,
        )
    try:
        refuse_frozen(session, actor.environment_id)
    except Locked as error:
        error.audit = note
        raise
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

"""Grants: the right of one claim of a run to read one version for one node, once per use."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Table, and_, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Conflict, Denied
from app.ids import new_id, utcnow
from app.keys.records import Reading, Writing
from app.keys.tokens import LEEWAY
from app.prepared import Prepared
from app.vault.models import Grant, Secret, SecretBlob, SecretVersion, SpentToken, ValueUse

_GRANTS = Writing(Grant)
_SPENT = Prepared(insert(cast(Table, SpentToken.__table__)))
_USED = Prepared(insert(cast(Table, ValueUse.__table__)))

_GRANT, _SECRET, _VERSION = Reading(Grant), Reading(Secret), Reading(SecretVersion)
_BLOB = Reading(
    SecretBlob, "id", "secret_id", "version", "format", "algorithm", "nonce", "ciphertext",
    "kek_id", "wrapped_dek",
)
_SECRET_AT = len(_GRANT)
_VERSION_AT = _SECRET_AT + len(_SECRET)
_BLOB_AT = _VERSION_AT + len(_VERSION)

# Both rows under lock: of one that waited for a lock PostgreSQL reads the newest state, of the
# others what the statement's snapshot saw.
# Not shared: at the end the time of access is written into both, and two that share a lock and
# both want to write are a deadlock.
_GRANTED = Prepared(
    select(*_GRANT.columns, *_SECRET.columns, *_VERSION.columns, *_BLOB.columns)
    .join_from(Grant, Secret, Secret.id == Grant.secret_id)
    .join(
        SecretVersion,
        and_(
            SecretVersion.secret_id == Grant.secret_id, SecretVersion.number == Grant.version
        ),
    )
    .outerjoin(SecretBlob, SecretBlob.id == SecretVersion.blob_id)
    .where(
        Grant.run_id == bindparam("run_id"), Grant.claim == bindparam("claim"),
        Grant.node == bindparam("node"), Grant.secret_id == bindparam("secret_id"),
        Grant.version == bindparam("version"),
    )
    .with_for_update(key_share=True, of=[Secret, SecretVersion])
)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a grant, as a verified value token claims it."""

    run_id: str
    claim: int
    node: str
    attempt: int
    item: str
    purpose: str
    secret_id: str
    version: int
    jti: str
    expires: float


def add_grant(
    session: Session, *, run_id: str, claim: int, node: str, secret: Secret, version: int
) -> None:
    """Grant a node of a claim one version of a secret."""
    _GRANTS.write(
        session, run_id=run_id, claim=claim, node=node, secret_id=secret.id, version=version,
        environment_id=secret.environment_id, created_at=utcnow(),
    )


def spend(
    session: Session, use: Use, *, flow_id: str
) -> tuple[Secret, SecretVersion, SecretBlob | None]:
    """Spend a value token against its grant; returns the secret, version and blob that it opens.

    They have their sealed columns only (:mod:`app.keys.records`), the blob all of its own.

    The secret and its version are read under lock in this transaction, which the caller commits
    with the audit event before the value leaves.

    :raises Denied: ``grant_missing``, ``secret_deleted``, ``flow_not_allowed`` or
        ``version_unusable``.
    :raises Conflict: ``token_spent``: the token, or this use of the grant, had its value.
    """
    row = _GRANTED.row(
        session,
        {"run_id": use.run_id, "claim": use.claim, "node": use.node,
         "secret_id": use.secret_id, "version": use.version},
    )
    if row is None:
        raise _no_grant()
    grant = _GRANT.get(session, row)
    secret = _SECRET.get(session, row, _SECRET_AT)
    if grant.environment_id != secret.environment_id:
        raise _no_grant()
    version = _VERSION.get(session, row, _VERSION_AT)
    blob = _BLOB.read(session, row, _BLOB_AT)
    if secret.state != "enabled":
        raise Denied(
            "secret_missing",
            f"Secret {secret.name} was deleted after this run was checked. Choose another one in "
            "the node's Secret field to re-map it, or create it.",
        )
    if secret.verify_only:
        raise Denied(
            "secret_verify_only",
            f"Secret {secret.name} checks the signatures of a webhook since this run was checked; "
            "no node can fetch it any more.",
        )
    if secret.allowed_flows is not None and flow_id not in secret.allowed_flows:
        raise Denied("secret_denied", f"Secret {secret.name} may no longer be used by this flow.")
    if version.state != "enabled":
        raise Denied(
            "secret_disabled",
            f"Version {grant.version} of secret {secret.name} can't be used any more: it was "
            "disabled or destroyed after this run was checked.",
        )
    _mark_spent(session, use)
    return secret, version, blob


def _no_grant() -> Denied:
    return Denied(
        "grant_missing", "This node of this run has no grant for that secret and version."
    )


def _mark_spent(session: Session, use: Use) -> None:
    expires = datetime.fromtimestamp(use.expires, UTC) + timedelta(seconds=LEEWAY)
    try:
        _SPENT.write(session, {"jti": use.jti, "expires_at": expires})
        _USED.write(
            session,
            {
                "id": new_id(), "run_id": use.run_id, "claim": use.claim, "node": use.node,
                "attempt": use.attempt, "item": use.item, "purpose": use.purpose,
                "secret_id": use.secret_id, "at": utcnow(),
            },
        )
    except IntegrityError:
        raise Conflict(
            "token_spent",
            "This token, or this use of the grant, already had its value. A worker makes a new "
            "token for each attempt of a node.",
        ) from None


def forget_grants(session: Session, run_ids: Collection[str]) -> None:
    """Forget what runs that are over were granted and had; the audit keeps what was done."""
    session.execute(delete(Grant).where(Grant.run_id.in_(run_ids)))
    session.execute(delete(ValueUse).where(ValueUse.run_id.in_(run_ids)))


def purge_spent_tokens(session: Session) -> int:
    """Forget tokens that are past their end and leeway, which are refused by their times."""
    found = session.execute(delete(SpentToken).where(SpentToken.expires_at < utcnow()))
    return int(found.rowcount)  # type: ignore[attr-defined]

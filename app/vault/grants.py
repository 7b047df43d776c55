"""Grants: the right of one claim of a run to read one version for one node, once per use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Conflict, Denied
from app.ids import new_id, utcnow
from app.keys.tokens import LEEWAY
from app.vault.models import Grant, Secret, SecretVersion, SpentToken, ValueUse


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
    session.add(
        Grant(
            run_id=run_id, claim=claim, node=node, secret_id=secret.id, version=version,
            environment_id=secret.environment_id,
        )
    )


def spend(session: Session, use: Use, *, flow_id: str) -> tuple[Secret, SecretVersion]:
    """Spend a value token against its grant; returns the secret and version that it opens.

    The secret and its version are read under lock in this transaction, which the caller commits
    with the audit event before the value leaves.

    :raises Denied: ``grant_missing``, ``secret_deleted``, ``flow_not_allowed`` or
        ``version_unusable``.
    :raises Conflict: ``token_spent``: the token, or this use of the grant, had its value.
    """
    grant = session.get(Grant, (use.run_id, use.claim, use.node))
    if grant is None or (grant.secret_id, grant.version) != (use.secret_id, use.version):
        raise Denied(
            "grant_missing",
            "This node of this run has no grant for that secret and version.",
        )
    secret = session.scalar(
        select(Secret).where(Secret.id == grant.secret_id).with_for_update(read=True)
    )
    if secret is None or secret.environment_id != grant.environment_id:
        raise Denied("grant_missing", "The granted secret is gone.")
    if secret.state != "enabled":
        raise Denied(
            "secret_missing",
            f"Secret {secret.name} was deleted after this run was checked. Choose another one in "
            "the node's Secret field to re-map it, or create it.",
        )
    if secret.allowed_flows is not None and flow_id not in secret.allowed_flows:
        raise Denied("secret_denied", f"Secret {secret.name} may no longer be used by this flow.")
    version = session.scalar(
        select(SecretVersion)
        .where(SecretVersion.secret_id == secret.id, SecretVersion.number == grant.version)
        .with_for_update(read=True)
    )
    if version is None or version.state != "enabled":
        raise Denied(
            "secret_disabled",
            f"Version {grant.version} of secret {secret.name} can't be used any more: it was "
            "disabled or destroyed after this run was checked.",
        )
    _mark_spent(session, use)
    return secret, version


def _mark_spent(session: Session, use: Use) -> None:
    expires = datetime.fromtimestamp(use.expires, UTC) + timedelta(seconds=LEEWAY)
    try:
        session.execute(insert(SpentToken), {"jti": use.jti, "expires_at": expires})
        session.execute(
            insert(ValueUse),
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


def purge_spent_tokens(session: Session) -> int:
    """Forget tokens that are past their end and leeway, which are refused by their times."""
    found = session.execute(delete(SpentToken).where(SpentToken.expires_at < utcnow()))
    return int(found.rowcount)  # type: ignore[attr-defined]

"""Grants: the right of one claim of a run to read one version for one node, once per use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Table, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.errors import Conflict, Denied
from app.ids import new_id, utcnow
from app.keys.tokens import LEEWAY
from app.vault.models import Grant, Secret, SecretVersion, SpentToken, ValueUse

_SPENT = cast(Table, SpentToken.__table__)
_USES = cast(Table, ValueUse.__table__)


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
    # Every change of a version locks its secret's row first, so that one lock holds for both.
    found = session.execute(
        select(Grant, Secret, SecretVersion)
        .join(Secret, Secret.id == Grant.secret_id)
        .outerjoin(
            SecretVersion,
            and_(
                SecretVersion.secret_id == Grant.secret_id,
                SecretVersion.number == Grant.version,
            ),
        )
        .where(
            Grant.run_id == use.run_id, Grant.claim == use.claim, Grant.node == use.node,
            Grant.secret_id == use.secret_id, Grant.version == use.version,
        )
        .with_for_update(read=True, of=Secret)
    ).one_or_none()
    if found is None or found[1].environment_id != found[0].environment_id:
        raise Denied(
            "grant_missing",
            "This node of this run has no grant for that secret and version.",
        )
    grant, secret, version = found
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
        session.execute(insert(_SPENT), {"jti": use.jti, "expires_at": expires})
        session.execute(
            insert(_USES),
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

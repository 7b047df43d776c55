"""Secrets that check signatures: a webhook's. The value stays here; no node can fetch it."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.audit import Action, Who
from app.errors import NotFound, Unavailable
from app.vault.lookup import resolve
from app.vault.models import Secret, SecretBlob, SecretUse
from app.vault.vault import Vault


def fetching_flows(session: Session, secret_id: str, *, but: str) -> list[str]:
    """Return the names of the flows whose active versions fetch a secret, but for one flow."""
    names = session.scalars(
        select(SecretUse.flow_name).where(
            SecretUse.secret_id == secret_id, SecretUse.scope == "active",
            SecretUse.purpose == "fetch", SecretUse.flow_id != but,
        )
    )
    return sorted(set(names))


def set_verify_only(session: Session, secret_ids: Collection[str], held: Collection[str]) -> None:
    """Let secrets check signatures only, or let them go again.

    :param secret_ids: the secrets to look at.
    :param held: those of them that a webhook of an active flow checks with, now.
    """
    rows = session.scalars(
        select(Secret).where(Secret.id.in_(set(secret_ids))).order_by(Secret.id).with_for_update()
    )
    for secret in rows:
        wanted = True if secret.id in held else None
        if secret.verify_only != wanted:
            secret.verify_only = wanted


def verify_signature(
    session: Session, vault: Vault, who: Who, secret_id: str, pin: int | None,
    message: bytes, tag: bytes, *, flow_id: str,
) -> bool:
    """Say whether a tag is the HMAC-SHA256 of a message under a secret; audited either way.

    :param pin: the pinned version; None for the active one.
    :raises NotFound: ``secret_unusable``: it was deleted, disabled, or isn't for this flow.
    :raises Unavailable: the value can't be opened.
    """
    secret = session.get(Secret, secret_id)
    found = None
    if secret is not None:
        key = (secret.name, pin)
        found = resolve(session, secret.environment_id, [key], flow_id=flow_id, lock=True)[key]
    if found is None or found.secret is None or found.secret.id != secret_id or (
        found.version is None
    ):
        raise NotFound("secret_unusable", "The webhook's secret can't be used.")
    blob = session.get(SecretBlob, found.version.blob_id)
    if blob is None:
        raise Unavailable(
            "value_unreadable",
            "The stored value can't be opened. An operator finds out why with “tacit doctor”.",
        )
    good = vault.verify_hmac(
        found.secret.environment_id, secret_id, found.version.number, blob, message, tag
    )
    audit.record(
        session, actor=who, action=Action.SECRET_VERIFY, outcome="ok" if good else "denied",
        secret_id=secret_id, flow_id=flow_id, data={"version": found.version.number},
    )
    return good

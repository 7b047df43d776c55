"""Old rows put back whole: their seals hold, so they are found by comparing with the audit."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit import Action
from app.audit.models import AuditEvent
from app.audit.revocations import Deed, list_deeds
from app.audit.verify import Finding
from app.vault.models import Secret, SecretVersion

_CHANGES = (
    Action.SECRET_CREATE, Action.SECRET_ROTATE, Action.SECRET_UPDATE, Action.SECRET_DELETE,
    Action.SECRET_RESTORE, Action.SECRET_VERSION,
)

_STATES = frozenset({"enabled", "disabled", "destroyed"})


def find_replayed_secrets(session: Session) -> Iterator[Finding]:
    """Yield a finding for each secret whose revision is not the one that the audit saw last."""
    newest = (
        select(AuditEvent.secret_id, func.max(AuditEvent.seq).label("seq"), AuditEvent.chain)
        .where(AuditEvent.action.in_(_CHANGES), AuditEvent.outcome == "ok")
        .group_by(AuditEvent.secret_id, AuditEvent.chain)
        .subquery()
    )
    rows = session.execute(
        select(Secret.id, Secret.name, Secret.revision, AuditEvent.data, AuditEvent.seq,
               AuditEvent.chain)
        .join(newest, newest.c.secret_id == Secret.id)
        .join(
            AuditEvent,
            (AuditEvent.chain == newest.c.chain) & (AuditEvent.seq == newest.c.seq),
        )
    )
    for secret_id, name, revision, data, seq, chain in rows:
        seen = data.get("revision")
        if seen != revision:
            yield Finding(
                chain, seq, "replayed",
                f"Secret {name} ({secret_id}) is at revision {revision}, and the audit saw {seen} "
                "last: an old row was put back.",
            )


def find_replayed_versions(session: Session) -> Iterator[Finding]:
    """Yield a finding for each version in another state than the audit saw last, and for each
    secret that was purged.
    """
    last: dict[tuple[str | None, int], Deed] = {}
    for deed in list_deeds(session, [Action.SECRET_VERSION]):
        if deed.data.get("deed") in _STATES:
            last[deed.secret_id, deed.data.get("version", 0)] = deed
    rows = session.execute(
        select(SecretVersion.secret_id, SecretVersion.number, SecretVersion.state)
    )
    for secret_id, number, state in rows:
        seen = last.get((secret_id, number))
        if seen is not None and seen.data["deed"] != state:
            yield seen.finding(
                f"Version {number} of secret {secret_id} is {state}, and the audit saw it "
                f"{seen.data['deed']} last."
            )
    purged = {deed.secret_id: deed for deed in list_deeds(session, [Action.SECRET_PURGE])}
    for secret_id, name in session.execute(select(Secret.id, Secret.name)):
        if secret_id in purged:
            yield purged[secret_id].finding(f"Secret {name} ({secret_id}) was purged.")

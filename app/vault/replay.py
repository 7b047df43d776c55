"""Old rows put back whole: their seals hold, so they are found by comparing with the audit."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.audit import Action
from app.audit.models import AuditEvent
from app.audit.verify import Finding
from app.vault.models import Secret

_CHANGES = (
    Action.SECRET_CREATE, Action.SECRET_ROTATE, Action.SECRET_UPDATE, Action.SECRET_DELETE,
    Action.SECRET_RESTORE, Action.SECRET_VERSION,
)


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

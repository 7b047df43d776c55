"""What a restore does to the access that a backup remembers: all of it ends, everything freezes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import system_actor
from app.accounts.environments import get_default_environment
from app.accounts.freeze import freeze
from app.accounts.models import ApiToken, Environment, LoginSession, SetupLink
from app.audit import Action, Who
from app.ids import iso, new_id, utcnow


def end_access(session: Session) -> dict[str, int]:
    """Revoke every login session and API token, and end set-up links; returns the counts.

    What was revoked since the backup would otherwise hold again.
    """
    now = utcnow()
    logins = session.scalars(select(LoginSession).where(LoginSession.revoked_at.is_(None))).all()
    tokens = session.scalars(select(ApiToken).where(ApiToken.revoked_at.is_(None))).all()
    for login in logins:
        login.revoked_at = now
    for token in tokens:
        token.revoked_at = now
    for link in session.scalars(select(SetupLink).where(SetupLink.used_at.is_(None))):
        link.used_at = now
    return {"sessions": len(logins), "tokens": len(tokens)}


def begin_epoch(session: Session, made_at: datetime, checksum: str) -> None:
    """Freeze everything and mark in every chain of the audit that a backup was put in place.

    :param made_at: when the backup was made.
    :param checksum: the SHA-256 of its database, in hex.
    """
    where = get_default_environment(session)
    freeze(
        session, system_actor(where.id, "restore"), everywhere=True,
        reason=f"Restored from the backup of {made_at:%Y-%m-%d %H:%M} UTC.",
    )
    epoch = new_id()
    environments = session.scalars(select(Environment.id)).all()
    for environment_id in (None, *environments):
        audit.record(
            session, actor=Who("system", None, "restore", environment_id), action=Action.RESTORE,
            data={"epoch": epoch, "made_at": iso(made_at), "sha256": checksum},
        )

"""Server-side login sessions: the cookie holds a random token, the database its hash."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.models import LoginSession, User
from app.accounts.tokens import digest, new_random
from app.audit import Action
from app.errors import NotFound
from app.ids import is_id, utcnow

IDLE_LIMIT = timedelta(hours=12)
"""A session that nobody used for so long is over."""

ABSOLUTE_LIMIT = timedelta(days=7)
"""A session is over this long after the login, used or not."""

FRESH = timedelta(minutes=10)
"""How long a typed password counts as a fresh re-authentication."""

TOUCH_EVERY = timedelta(minutes=1)
"""Times of last use are written no more often than this."""


def open_session(
    session: Session,
    user: User,
    *,
    address: str | None = None,
    user_agent: str = "",
    replacing: str | None = None,
) -> tuple[LoginSession, str]:
    """Start a login session; returns its row and the cookie's token, which is not kept.

    :param replacing: the token of the session that the browser had, which ends here.
    """
    if replacing:
        close_session(session, replacing)
    token = new_random()
    row = LoginSession(
        user_id=user.id,
        token_hash=digest(token),
        csrf_secret=new_random(),
        address=address,
        user_agent=user_agent[:200],
    )
    session.add(row)
    session.flush()
    return row, token


def find_session(
    session: Session, token: str, *, now: datetime | None = None
) -> tuple[LoginSession, User] | None:
    """Return the live session of a cookie's token and its person.

    None for an unknown, revoked or expired session and for a disabled person.
    """
    now = now or utcnow()
    found = session.execute(
        select(LoginSession, User)
        .join(User, User.id == LoginSession.user_id)
        .where(LoginSession.token_hash == digest(token))
    ).one_or_none()
    if found is None:
        return None
    row, user = found
    alive = (
        row.revoked_at is None
        and user.disabled_at is None
        and now - row.last_seen_at < IDLE_LIMIT
        and now - row.created_at < ABSOLUTE_LIMIT
    )
    return (row, user) if alive else None


def touch_session(session: Session, session_id: str, now: datetime) -> None:
    """Note that a session was used; not part of its seal, so a plain UPDATE."""
    session.execute(
        update(LoginSession).where(LoginSession.id == session_id).values(last_seen_at=now)
    )


def rotate_session(session: Session, session_id: str) -> str:
    """Give a session a new token and CSRF secret after a re-authentication.

    Returns the new token for the cookie; the old one stops working.

    :raises NotFound: ``session_not_found``.
    """
    row = session.get(LoginSession, session_id)
    if row is None or row.revoked_at is not None:
        raise NotFound("session_not_found", "This session has ended. Sign in again.")
    token = new_random()
    row.token_hash = digest(token)
    row.csrf_secret = new_random()
    row.authenticated_at = utcnow()
    return token


def close_session(session: Session, token: str) -> None:
    """End the session of a cookie's token; an unknown token is fine."""
    row = session.scalar(select(LoginSession).where(LoginSession.token_hash == digest(token)))
    if row is not None and row.revoked_at is None:
        row.revoked_at = utcnow()


def list_sessions(session: Session, actor: Actor) -> list[LoginSession]:
    """List the caller's own live sessions, the one used last first."""
    now = utcnow()
    return list(
        session.scalars(
            select(LoginSession)
            .where(
                LoginSession.user_id == actor.user_id,
                LoginSession.revoked_at.is_(None),
                LoginSession.last_seen_at > now - IDLE_LIMIT,
                LoginSession.created_at > now - ABSOLUTE_LIMIT,
            )
            .order_by(LoginSession.last_seen_at.desc(), LoginSession.id)
        )
    )


def revoke_session(session: Session, actor: Actor, session_id: str) -> None:
    """End one of the caller's own sessions.

    :raises NotFound: ``session_not_found``, for other people's sessions too.
    """
    row = session.get(LoginSession, session_id) if is_id(session_id) else None
    if row is None or row.user_id != actor.user_id:
        raise NotFound("session_not_found", "There is no such session.")
    if row.revoked_at is None:
        row.revoked_at = utcnow()
        audit.record(session, actor=actor.who(), action=Action.SESSION_REVOKE, target=row.id)


def revoke_sessions_of(session: Session, user_id: str) -> None:
    """End every session of a person."""
    rows = session.scalars(
        select(LoginSession).where(
            LoginSession.user_id == user_id, LoginSession.revoked_at.is_(None)
        )
    )
    for row in rows:
        row.revoked_at = utcnow()

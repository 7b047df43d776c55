"""Signing in: limits per account and per address, counted in the database.

The caller owns the transactions, since a password check takes long and must not hold the lock of
a writer: :func:`open_attempt` in one, :func:`app.accounts.passwords.verify_password` in none,
:func:`close_attempt` in another. A try is counted before it is checked, so tries made at the
same time can't outrun the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.errors import LoginPaused
from app.accounts.models import LoginAttempt, LoginSession, User
from app.accounts.people import find_user_by_email, normalise_email
from app.accounts.sessions import open_session
from app.accounts.tokens import digest
from app.audit import Action, Who
from app.errors import Invalid, Unauthenticated
from app.ids import new_id, utcnow

PAUSE = timedelta(minutes=15)
"""How long a failed try counts, so how long the pause is at most."""

TRIES_PER_ACCOUNT = 5
TRIES_PER_ADDRESS = 20

_LOCK = 0x7461636974  # “tacit”: any number that nobody else locks


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted try to sign in.

    :param password_hash: what to check the password against; None for an unknown account.
    :param tries_left: how many more tries there are if this one fails.
    """

    id: str
    account: str
    address: str
    user_id: str | None
    email: str | None
    password_hash: str | None
    tries_left: int


def open_attempt(session: Session, email: str, address: str) -> Attempt:
    """Count a try and say what to check it against.

    :raises LoginPaused: too many tries failed within the last 15 minutes.
    """
    now = utcnow()
    _count_one_at_a_time(session)
    session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - PAUSE))
    try:
        account = digest("account:" + normalise_email(email))
    except Invalid:
        # People type passwords into this field; only a digest of it is ever kept.
        account = digest("account:" + email[:1024].strip().lower())
    used = _count(session, LoginAttempt.account == account)
    from_here = _count(session, LoginAttempt.address == address)
    if used >= TRIES_PER_ACCOUNT:
        raise LoginPaused(_wait(session, LoginAttempt.account == account, now))
    if from_here >= TRIES_PER_ADDRESS:
        raise LoginPaused(_wait(session, LoginAttempt.address == address, now))
    user = find_user_by_email(session, email)
    if user is not None and user.disabled_at is not None:
        user = None
    row = LoginAttempt(id=new_id(), account=account, address=address, at=now)
    session.add(row)
    return Attempt(
        id=row.id,
        account=account,
        address=address,
        user_id=user.id if user else None,
        email=user.email if user else None,
        password_hash=user.password_hash if user else None,
        tries_left=min(TRIES_PER_ACCOUNT - used, TRIES_PER_ADDRESS - from_here) - 1,
    )


def close_attempt(
    session: Session,
    attempt: Attempt,
    *,
    matched: bool,
    request_id: str | None = None,
    user_agent: str = "",
    replacing: str | None = None,
) -> tuple[LoginSession, str] | None:
    """Write down how a try ended; a session and its cookie's token if it matched, else None.

    :param replacing: the token of the session that the browser had until now.
    """
    user = session.get(User, attempt.user_id) if attempt.user_id else None
    good = (
        matched
        and user is not None
        and user.disabled_at is None
        # Changed while it was checked: the old password no longer opens.
        and user.password_hash == attempt.password_hash
    )
    _record(session, user, address=attempt.address, request_id=request_id,
            outcome="ok" if good else "denied")
    if not good or user is None:
        return None
    forget_attempts(session, attempt)
    return open_session(
        session, user, address=attempt.address, user_agent=user_agent, replacing=replacing
    )


def record_pause(
    session: Session, email: str, *, address: str, request_id: str | None = None
) -> None:
    """Write down a try that the pause refused."""
    _record(session, find_user_by_email(session, email), address=address,
            request_id=request_id, outcome="denied", code="login_paused")


def forget_attempts(session: Session, attempt: Attempt) -> None:
    """Forget the failed tries of an account after one that matched."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.account == attempt.account))


def login_failed(
    attempt: Attempt, words: str = "That email and password don't match."
) -> Unauthenticated:
    """Make the refusal of a try that didn't match; the same for known and unknown accounts."""
    if attempt.tries_left <= 0:
        left = "No tries are left: wait 15 minutes."
    else:
        tries = "try" if attempt.tries_left == 1 else "tries"
        left = f"{attempt.tries_left} {tries} left before a 15 minute pause."
    return Unauthenticated("login_failed", f"{words} {left}")


def _record(
    session: Session,
    user: User | None,
    *,
    address: str,
    request_id: str | None,
    outcome: Literal["ok", "denied"],
    code: str | None = None,
) -> None:
    who = Who(
        kind="session",
        id=user.id if user else None,
        # Never what was typed: people type passwords there.
        name=user.email if user else "unknown account",
        environment_id=None,
        request_id=request_id,
        address=address,
    )
    audit.record(
        session, actor=who, action=Action.LOGIN, outcome=outcome,
        target=user.id if user else None, data={"code": code} if code else None,
    )


def _count_one_at_a_time(session: Session) -> None:
    """Let no two tries count at once, or both could be the last one.

    SQLite has one writer anyway; PostgreSQL needs a lock until the transaction's end.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK)))


def _count(session: Session, condition: object) -> int:
    statement = select(func.count()).select_from(LoginAttempt).where(condition)  # type: ignore[arg-type]
    return session.scalar(statement) or 0


def _wait(session: Session, condition: object, now: datetime) -> int:
    """Return the seconds until the oldest counted try no longer counts."""
    oldest = session.scalar(select(func.min(LoginAttempt.at)).where(condition))  # type: ignore[arg-type]
    return max(1, int((oldest + PAUSE - now).total_seconds())) if oldest else 1

"""Who a browser's cookie stands for: the same answer on the web and on the live listener."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.environments import find_environment, get_default_environment
from app.accounts.people import scopes_of
from app.accounts.sessions import TOUCH_EVERY, find_session
from app.errors import NotFound
from app.ids import utcnow


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person with a live login session, acting in an environment.

    :param stale: whether the session's time of last use should be written.
    """

    actor: Actor
    csrf_secret: str
    stale: bool


def find_signed_in(
    session: Session,
    token: str,
    *,
    environment: str | None = None,
    request_id: str | None = None,
    address: str | None = None,
) -> SignedIn | None:
    """Return who the cookie's token stands for; None without a live session.

    :param environment: the name of the environment to act in; None for the default one.
    :raises NotFound: ``environment_not_found``: no such environment, or no role in it.
    """
    now = utcnow()
    found = find_session(session, token, now=now)
    if found is None:
        return None
    row, user = found
    where = (
        get_default_environment(session)
        if environment is None
        else find_environment(session, environment)
    )
    scopes = scopes_of(session, user.id, where.id) if where else frozenset()
    if where is None or (environment is not None and not scopes):
        raise NotFound(
            "environment_not_found",
            "There is no environment of that name. X-Tacit-Environment takes its name, such as "
            "“default”.",
        )
    actor = Actor(
        kind="session",
        name=user.email,
        environment_id=where.id,
        scopes=scopes,
        user_id=user.id,
        request_id=request_id,
        address=address,
        session_id=row.id,
        authenticated_at=row.authenticated_at,
    )
    return SignedIn(actor, row.csrf_secret, now - row.last_seen_at >= TOUCH_EVERY)

"""Who a browser's cookie stands for: the same answer on the web and on the live listener."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.environments import (
    find_environment,
    get_default_environment,
    list_environments_of,
)
from app.accounts.models import Environment
from app.accounts.people import scopes_of
from app.accounts.scopes import Scope
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
    preferred: str | None = None,
) -> SignedIn | None:
    """Return who the cookie's token stands for; None without a live session.

    :param environment: the name of the environment to act in; None for the default one.
    :param preferred: the one to act in where ``environment`` is None, if the person may; without
        a role there or in the default one, the first in which they have any.
    :raises NotFound: ``environment_not_found``: no such environment, or no role in it.
    """
    now = utcnow()
    found = find_session(session, token, now=now)
    if found is None:
        return None
    row, user = found
    where: Environment | None
    if environment is None:
        where, scopes = _usual(session, user.id, preferred)
    else:
        where = find_environment(session, environment)
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


def _usual(
    session: Session, user_id: str, preferred: str | None
) -> tuple[Environment, frozenset[Scope]]:
    default = get_default_environment(session)
    wanted = find_environment(session, preferred) if preferred else None
    for one in (wanted, default):
        scopes = scopes_of(session, user_id, one.id) if one else frozenset()
        if one is not None and scopes:
            return one, scopes
    for one in list_environments_of(session, user_id):
        return one, scopes_of(session, user_id, one.id)
    return default, frozenset()

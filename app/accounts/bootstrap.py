"""The first start: the default environment, and the first administrator."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import system_actor
from app.accounts.environments import DEFAULT, add_environment, find_environment
from app.accounts.models import Environment, SetupLink, User
from app.accounts.people import create_user, has_users
from app.accounts.scopes import Role
from app.accounts.tokens import digest, new_random
from app.audit import Action
from app.errors import Conflict, NotFound
from app.ids import utcnow

LINK_LIFETIME = timedelta(hours=1)
"""A set-up link can be used once, within this time."""


def ensure_default_environment(session: Session) -> Environment:
    """Return the default environment, made if the installation has none yet."""
    environment = find_environment(session, DEFAULT)
    if environment is None:
        environment = add_environment(session, DEFAULT, "Default")
    return environment


def ensure_first_admin(session: Session, email: str, password: str) -> User | None:
    """Create the first administrator; None where somebody has an account already.

    :raises Invalid: the address or the password can't be taken.
    """
    if has_users(session):
        return None
    environment = ensure_default_environment(session)
    actor = system_actor(environment.id)
    return create_user(
        session, actor, email=email, password=password, role=Role.ADMIN, environment_id=None
    )


def make_setup_link(session: Session) -> str:
    """Make a one-time token for ``/setup/<token>``, good for one hour; older ones end.

    :raises Conflict: ``already_set_up``: there is an account, so nobody needs a link.
    """
    if has_users(session):
        raise Conflict(
            "already_set_up",
            "This installation has an administrator already. Sign in, or use "
            "“tacit user create” and “tacit user password”.",
        )
    environment = ensure_default_environment(session)
    now = utcnow()
    for link in session.scalars(select(SetupLink).where(SetupLink.used_at.is_(None))):
        link.used_at = now
    token = new_random()
    link = SetupLink(token_hash=digest(token), expires_at=now + LINK_LIFETIME)
    session.add(link)
    session.flush()
    audit.record(
        session, actor=system_actor(environment.id).who(), action=Action.SETUP_LINK_CREATE,
        target=link.id,
    )
    return token


def check_setup_link(session: Session, token: str) -> None:
    """Refuse a link that can't be used, before its form is shown.

    :raises NotFound: ``setup_link_invalid``.
    """
    _get_link(session, token, hold=False)


def redeem_setup_link(session: Session, token: str, email: str, password: str) -> User:
    """Use a set-up link: create the first administrator.

    :raises NotFound: ``setup_link_invalid``: used, expired, unknown, or no longer needed.
    :raises Invalid: the address or the password can't be taken; the link stays good.
    """
    link = _get_link(session, token, hold=True)
    user = ensure_first_admin(session, email, password)
    if user is None:
        raise _refusal()
    link.used_at = utcnow()
    environment = ensure_default_environment(session)
    audit.record(
        session, actor=system_actor(environment.id).who(), action=Action.SETUP_LINK_USE,
        target=link.id, data={"user": user.id},
    )
    return user


def _get_link(session: Session, token: str, *, hold: bool) -> SetupLink:
    query = select(SetupLink).where(SetupLink.token_hash == digest(token))
    link = session.scalar(query.with_for_update() if hold else query)
    if link is None or link.used_at is not None or link.expires_at <= utcnow():
        raise _refusal()
    return link


def _refusal() -> NotFound:
    return NotFound(
        "setup_link_invalid",
        "This set-up link was used, has expired or is not from this installation. As long as "
        "there is no administrator, starting Tacit again prints a new one.",
    )

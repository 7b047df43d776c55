"""The people whom an actor can see: those of the environment, or everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.administrators import scopes_everywhere
from app.accounts.models import Environment, RoleGrant, User
from app.accounts.scopes import Scope
from app.errors import NotFound
from app.paging import Page, check_limit, decode_cursor, encode_cursor


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role that a person has; ``environment`` is its name, None for the installation."""

    id: str
    role: str
    environment: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person with the roles that the reader can see."""

    id: str
    email: str
    name: str
    disabled: bool
    created_at: datetime
    roles: list[RoleView]


def list_people(
    session: Session, actor: Actor, *, cursor: str | None = None, limit: int = 50
) -> Page[PersonView]:
    """List the people that the actor can see, by address.

    :raises Denied: the actor lacks ``users:manage``.
    :raises Invalid: the cursor or limit can't be taken.
    """
    actor.require(Scope.USERS_MANAGE)
    check_limit(limit)
    query = select(User).where(_visible(session, actor))
    if cursor:
        query = query.where(User.email > decode_cursor(cursor, 1)[0])
    rows = list(session.scalars(query.order_by(User.email).limit(limit + 1)))
    following = encode_cursor(rows[limit - 1].email) if len(rows) > limit else None
    return Page(_views(session, actor, rows[:limit]), following)


def get_person(session: Session, actor: Actor, user_id: str) -> PersonView:
    """Show a person.

    :raises Denied: the actor lacks ``users:manage``.
    :raises NotFound: ``user_not_found``.
    """
    actor.require(Scope.USERS_MANAGE)
    return _views(session, actor, [get_visible(session, actor, user_id)])[0]


def get_visible(session: Session, actor: Actor, user_id: str) -> User:
    """Return a person's row.

    :raises NotFound: ``user_not_found``: there is none, or they belong to other environments only.
    """
    user = session.scalar(select(User).where(User.id == user_id, _visible(session, actor)))
    if user is None:
        raise NotFound("user_not_found", "There is no such account.")
    return user


def _visible(session: Session, actor: Actor) -> ColumnElement[bool]:
    """People with a role that reaches the actor's environment, or with none at all yet; all of
    them for who manages the installation's people.
    """
    if _sees_all(session, actor):
        return true()
    grants = select(RoleGrant.id).where(RoleGrant.user_id == User.id)
    return or_(grants.where(_reaches(actor)).exists(), ~grants.exists())


def _views(session: Session, actor: Actor, users: Iterable[User]) -> list[PersonView]:
    found = {user.id: user for user in users}
    query = (
        select(RoleGrant, Environment.name)
        .outerjoin(Environment, Environment.id == RoleGrant.environment_id)
        .where(RoleGrant.user_id.in_(found))
        .order_by(RoleGrant.created_at, RoleGrant.id)
    )
    if not _sees_all(session, actor):
        query = query.where(_reaches(actor))
    roles: dict[str, list[RoleView]] = {user_id: [] for user_id in found}
    for grant, environment in session.execute(query):
        roles[grant.user_id].append(
            RoleView(grant.id, grant.role, environment, grant.created_at)
        )
    return [
        PersonView(
            user.id, user.email, user.name, user.disabled_at is not None, user.created_at,
            roles[user.id],
        )
        for user in found.values()
    ]


def _sees_all(session: Session, actor: Actor) -> bool:
    return Scope.USERS_MANAGE in scopes_everywhere(session, actor)


def _reaches(actor: Actor) -> ColumnElement[bool]:
    return or_(
        RoleGrant.environment_id == actor.environment_id, RoleGrant.environment_id.is_(None)
    )

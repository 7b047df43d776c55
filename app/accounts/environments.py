"""Environments: the units of isolation."""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.accounts.models import Environment, RoleGrant
from app.errors import NotFound, Unavailable

DEFAULT = "default"
"""Name of the environment that a fresh installation has."""


def find_environment(session: Session, name: str) -> Environment | None:
    """Look an environment up by its exact name."""
    return session.scalar(select(Environment).where(Environment.name == name))


def get_environment(session: Session, environment_id: str) -> Environment:
    """Return an environment by id.

    :raises NotFound: ``environment_not_found``.
    """
    environment = session.get(Environment, environment_id)
    if environment is None:
        raise NotFound("environment_not_found", "There is no such environment.")
    return environment


def get_default_environment(session: Session) -> Environment:
    """Return the environment of a fresh installation.

    :raises Unavailable: ``not_set_up``: the installation has never been started.
    """
    environment = find_environment(session, DEFAULT)
    if environment is None:
        raise Unavailable(
            "not_set_up",
            "This installation has no environment yet. Start it once with “tacit up”.",
        )
    return environment


def list_environments_of(session: Session, user_id: str) -> list[Environment]:
    """List the environments in which a person has any role, by name."""
    grants = select(RoleGrant).where(RoleGrant.user_id == user_id).subquery()
    statement = (
        select(Environment)
        .where(
            select(grants.c.id)
            .where(
                or_(
                    grants.c.environment_id.is_(None),
                    grants.c.environment_id == Environment.id,
                )
            )
            .exists()
        )
        .order_by(Environment.name)
    )
    return list(session.scalars(statement))

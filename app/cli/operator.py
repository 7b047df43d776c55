"""On whose behalf commands act: whoever has a shell here and can read the installation's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.actor import Actor, system_actor
from app.accounts.environments import DEFAULT
from app.errors import NotFound

if TYPE_CHECKING:
    from app.accounts.models import Environment


def environment_named(session: Session, name: str) -> Environment:
    """Return an environment by its name.

    :raises NotFound: ``environment_not_found``.
    """
    found = accounts.find_environment(session, name)
    if found is None:
        raise NotFound("environment_not_found", f"There is no environment “{name}”.")
    return found


def operator(session: Session, environment: Environment | None = None) -> Actor:
    """Return the command line's actor: where nothing else is said, in the default environment.

    :raises Unavailable: ``not_set_up``: the installation has none yet.
    """
    where = environment or accounts.get_default_environment(session)
    return system_actor(where.id, "command line")


def operator_in(session: Session, environment: str = DEFAULT) -> Actor:
    """Return the command line's actor in an environment, by its name.

    :raises NotFound: ``environment_not_found``.
    """
    return operator(session, environment_named(session, environment))

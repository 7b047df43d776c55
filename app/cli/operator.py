"""On whose behalf commands act: whoever has a shell here and can read the installation's keys."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.actor import Actor, system_actor
from app.accounts.environments import DEFAULT
from app.errors import NotFound


def operator_in(session: Session, environment: str = DEFAULT) -> Actor:
    """Return the command line's actor in an environment, by its name.

    :raises NotFound: ``environment_not_found``.
    """
    found = accounts.find_environment(session, environment)
    if found is None:
        raise NotFound("environment_not_found", f"There is no environment “{environment}”.")
    return system_actor(found.id, "command line")

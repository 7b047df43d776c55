"""Environments: the units of isolation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.administrators import require_everywhere, scopes_everywhere
from app.accounts.models import Environment, EnvironmentReach, RoleGrant
from app.accounts.policies import Policies, read_policies
from app.accounts.rules import STRICTEST, Rules, hash_rules, read_rules, rules_to_change, seal_rules
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import Conflict, Invalid, NotFound, Unavailable

DEFAULT = "default"
"""Name of the environment that a fresh installation has."""

MAX_TITLE = 200
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)


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


def list_environments(session: Session) -> list[Environment]:
    """List every environment, by name: for who looks after the installation."""
    return list(session.scalars(select(Environment).order_by(Environment.name)))


def rules_of(session: Session, environment_id: str) -> Rules:
    """Return the rules of an environment.

    :raises NotFound: ``environment_not_found``.
    :raises Tampered: ``row_tampered``: they were changed outside Tacit.
    """
    return read_rules(session, get_environment(session, environment_id))


def policies_of(session: Session, environment_id: str) -> Policies:
    """Return what an environment demands; raises as :func:`rules_of`."""
    return rules_of(session, environment_id).policies


def create_environment(
    session: Session, actor: Actor, *, name: str, title: str = "", protected: bool = False,
    policies: Mapping[str, Any] | None = None,
) -> Environment:
    """Make an environment: empty, and reachable by nobody but who has a role everywhere.

    :raises Denied: the actor lacks ``environments:manage`` in the whole installation.
    :raises Invalid: ``environment_name_invalid``, ``environment_title_invalid`` or
        ``policies_invalid``.
    :raises Conflict: ``environment_name_taken``.
    """
    require_everywhere(session, actor, Scope.ENVIRONMENTS_MANAGE)
    if not _NAME.fullmatch(name):
        raise Invalid(
            "environment_name_invalid",
            "An environment's name has 1 to 64 small letters, digits and “-”, and neither begins "
            "nor ends with “-”.", field="name",
        )
    if find_environment(session, name) is not None:
        raise Conflict("environment_name_taken", f"There is an environment {name} already.",
                       field="name")
    made = add_environment(
        session, name, _check_title(title or name), protected=protected,
        policies=read_policies(policies).to_json(),
    )
    audit.record(
        session, actor=actor.who(), action=Action.ENVIRONMENT_CREATE, target=name,
        data={"environment": made.id, "protected": protected},
    )
    return made


def add_environment(session: Session, name: str, title: str, **more: Any) -> Environment:
    """Add the rows of an environment; everything was checked."""
    made = Environment(name=name, title=title, **more)
    session.add(made)
    session.flush()
    session.add(EnvironmentReach(
        environment_id=made.id, rules_hash=hash_rules(made.protected, made.policies)
    ))
    session.flush()
    return made


def acting_in(session: Session, actor: Actor, environment_id: str) -> Actor:
    """Return the actor as somebody who looks after an environment, this one or another.

    :raises Denied: the actor lacks ``environments:manage``.
    :raises NotFound: ``environment_not_found``: it isn't there, or not theirs to look after.
    """
    actor.require(Scope.ENVIRONMENTS_MANAGE)
    if environment_id == actor.environment_id:
        return actor
    scopes = scopes_everywhere(session, actor)
    if Scope.ENVIRONMENTS_MANAGE not in scopes:
        raise NotFound("environment_not_found", "There is no such environment.")
    get_environment(session, environment_id)
    return replace(actor, environment_id=environment_id, scopes=frozenset(scopes))


def change_environment(
    session: Session, actor: Actor, environment_id: str, *, title: str | None = None,
    protected: bool | None = None, policies: Mapping[str, Any] | None = None,
) -> Environment:
    """Change how an environment is called on pages, whether it is protected, and its policies.

    Where its rules were changed in SQL, what isn't given becomes the strictest.

    :param policies: those to change; the others stay.
    :raises Denied: the actor lacks ``environments:manage`` there.
    :raises NotFound: ``environment_not_found``.
    :raises Invalid: ``environment_title_invalid`` or ``policies_invalid``.
    """
    acting_in(session, actor, environment_id)
    row = get_environment(session, environment_id)
    wanted: dict[str, Any] = {}
    foreign = False
    if title is not None:
        wanted["title"] = _check_title(title)
    if protected is not None or policies is not None:
        own = rules_to_change(session, row)
        rules = own or STRICTEST
        wanted["protected"] = rules.protected if protected is None else protected
        merged = {**rules.policies.to_json(), **(policies or {})}
        wanted["policies"] = read_policies(merged).to_json()
        foreign = own is None
    changed = {
        key: value for key, value in wanted.items()
        if getattr(row, key) != value or (foreign and key != "title")
    }
    if changed:
        for key, value in changed.items():
            setattr(row, key, value)
        session.flush()
        if changed.keys() != {"title"}:
            seal_rules(session, row)
        audit.record(
            session, actor=actor.who(), action=Action.ENVIRONMENT_CHANGE, target=row.name,
            data={"environment": row.id, **changed},
        )
    return row


def _check_title(title: str) -> str:
    text = title.strip()
    if not text or len(text) > MAX_TITLE or not text.isprintable():
        raise Invalid(
            "environment_title_invalid",
            f"An environment's title has 1 to {MAX_TITLE} printable characters.", field="title",
        )
    return text

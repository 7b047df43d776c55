"""What the runs of an environment may reach: private networks, and secrets of their workers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.models import Environment, EnvironmentReach
from app.accounts.scopes import Scope
from app.audit import Action
from app.audit.verify import Finding
from app.components.folders import is_grant
from app.errors import Invalid
from app.keys.records import Reading
from app.keys.sealed import Tampered
from app.prepared import Prepared
from app.providers.managers.machine import is_pattern

MAX_GRANTS = 100

ROWS_SINCE = "0011_reach_of_all"
"""The migration since which every environment has a row."""

_REACH = Reading(EnvironmentReach)
_OF = Prepared(
    select(*_REACH.columns).where(
        EnvironmentReach.environment_id == bindparam("environment_id")
    )
)

_log = logging.getLogger("tacit.runs")


@dataclass(frozen=True, slots=True)
class Reach:
    """What is allowed.

    :param allow_private: loopback and private ranges; a fresh installation allows them.
    :param worker_secrets: ``env:NAME``, ``file:/path`` or ``role:aws``; a name may end with
        ``*``. And ``folder:/path`` for File Read and File Write. Nothing is granted at first.
    """

    allow_private: bool = True
    worker_secrets: tuple[str, ...] = ()


def reach_of(session: Session, environment_id: str) -> Reach:
    """Return what the environment's runs may reach.

    :raises Tampered: the row was edited or deleted in SQL.
    """
    row = _REACH.find(session, _OF, {"environment_id": environment_id})
    if row is None:
        _log.error("row_missing", extra={"table": "environment_reach", "row": environment_id})
        raise Tampered("environment_reach")
    return Reach(row.allow_private, tuple(row.worker_secrets))


def get_reach(session: Session, actor: Actor) -> Reach:
    """Show what the environment's runs may reach.

    :raises Denied: the actor lacks ``flows:read``.
    """
    actor.require(Scope.FLOWS_READ)
    return reach_of(session, actor.environment_id)


def set_reach(
    session: Session,
    actor: Actor,
    *,
    allow_private: bool | None = None,
    worker_secrets: list[Any] | None = None,
) -> Reach:
    """Change what the environment's runs may reach; None leaves a part as it is.

    Where the row was deleted in SQL, this makes it anew, and what isn't given is nothing.

    :raises Denied: the actor lacks ``environments:manage``.
    :raises Invalid: ``reference_invalid``.
    :raises Tampered: the row was edited in SQL.
    """
    actor.require(Scope.ENVIRONMENTS_MANAGE)
    for text in worker_secrets or ():
        if not isinstance(text, str) or len(text) > 1024 or not (
            is_pattern(text) or is_grant(text)
        ):
            raise Invalid(
                "reference_invalid",
                "A reference is env:NAME, file:/path, role:aws or folder:/path; a name of the "
                "first two may end with *.",
                field="worker_secrets",
            )
    if worker_secrets is not None and len(worker_secrets) > MAX_GRANTS:
        raise Invalid(
            "reference_invalid", f"An environment grants {MAX_GRANTS} references at most.",
            field="worker_secrets",
        )
    row = session.get(EnvironmentReach, actor.environment_id, with_for_update=True)
    if row is None:
        row = EnvironmentReach(
            environment_id=actor.environment_id, allow_private=False, worker_secrets=[]
        )
        session.add(row)
    if allow_private is not None:
        row.allow_private = allow_private
    if worker_secrets is not None:
        row.worker_secrets = sorted(set(worker_secrets))
    session.flush()
    audit.record(
        session, actor=actor.who(), action=Action.ENVIRONMENT_REACH,
        data={"allow_private": row.allow_private, "worker_secrets": list(row.worker_secrets)},
    )
    return Reach(row.allow_private, tuple(row.worker_secrets))


def seal_reach(session: Session) -> None:
    """Give the environments of older releases their row; once, right after the migration."""
    for environment_id in _without_row(session):
        session.add(EnvironmentReach(environment_id=environment_id))


def find_missing_reach(session: Session) -> Iterator[Finding]:
    """Yield a finding for each environment whose row was deleted."""
    for environment_id in _without_row(session):
        yield Finding(
            environment_id, 0, "missing",
            "What the runs of this environment may reach was deleted outside Tacit; none of them "
            "starts. Set it with “tacit reach”.",
        )


def _without_row(session: Session) -> list[str]:
    rows = select(EnvironmentReach.environment_id)
    return list(session.scalars(select(Environment.id).where(Environment.id.not_in(rows))))

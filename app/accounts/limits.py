"""Limits of an environment: how many runs wait and go on at once, and how long they are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.environments import get_environment
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import Invalid

MAX_QUEUED: Final = 1_000_000
MAX_RUNNING: Final = 10_000
MAX_DAYS: Final = 3650


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an environment.

    :ivar queued_runs: most runs that wait; more are refused.
    :ivar running_runs: most runs that go on at once; None for no limit.
    :ivar retention_days: how long runs that are over are kept; 0 for ever.
    """

    queued_runs: int
    running_runs: int | None
    retention_days: int


def get_limits(session: Session, actor: Actor) -> Limits:
    """Return the limits of the actor's environment; anybody there may know them."""
    found = get_environment(session, actor.environment_id)
    return Limits(found.queued_limit, found.running_limit, found.retention_days)


def set_limits(session: Session, actor: Actor, limits: Limits) -> Limits:
    """Set the limits of the actor's environment.

    :raises Denied: the actor lacks ``environments:manage``.
    :raises Invalid: ``limits_invalid``.
    """
    actor.require(Scope.ENVIRONMENTS_MANAGE)
    for name, value, least, most in (
        ("queued_runs", limits.queued_runs, 1, MAX_QUEUED),
        ("running_runs", limits.running_runs, 1, MAX_RUNNING),
        ("retention_days", limits.retention_days, 0, MAX_DAYS),
    ):
        if value is not None and not least <= value <= most:
            raise Invalid(
                "limits_invalid", f"{name} is from {least} to {most:,}.", field=name
            )
    found = get_environment(session, actor.environment_id)
    found.queued_limit = limits.queued_runs
    found.running_limit = limits.running_runs
    found.retention_days = limits.retention_days
    audit.record(
        session, actor=actor.who(), action=Action.ENVIRONMENT_LIMITS, target=found.name,
        data=asdict(limits),
    )
    return limits

"""Schedules that are due: one run for each time, however many schedulers there are.

The trigger's row is locked while its times are worked off, and each time has one key, which only
one run can hold.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit
from app.accounts.environments import get_environment
from app.accounts.freeze import find_freeze, is_frozen
from app.audit import Action
from app.components.builtins.trigger_schedule import ScheduleTriggerConfig
from app.components.cron import latest_times
from app.db import Database
from app.errors import TacitError, Throttled
from app.flows.models import FlowVersion, Trigger
from app.flows.rows import read_version
from app.flows.triggers import next_time, read_schedule
from app.ids import iso, utcnow
from app.keys.sealed import Tampered
from app.runs.models import Run
from app.runs.queue import RunQueue
from app.runs.starting import Scheduled
from app.runs.states import RunState
from app.runs.triggering import actor_of, start_triggered

GRACE = timedelta(seconds=90)
"""A time that is longer ago was missed: the schedule's own rule says what becomes of it."""

CATCH_UP = 24
"""Most missed times that are run after a standstill."""

BATCH = 50
"""Most schedules of one look; the scheduler has other things to do in between."""
_log = logging.getLogger("tacit.scheduler")


def fire_due(db: Database, queue: RunQueue, now: datetime | None = None) -> int:
    """Start a run for each time of each schedule that has come; returns how many runs.

    :param now: the time to go by; the present by default.
    """
    count = taken = 0
    for trigger_id in _waiting(db, now or utcnow()):
        if taken >= BATCH:
            break
        try:
            with db.begin() as session:
                runs = _fire(session, trigger_id, now or utcnow())
        except IntegrityError:
            # Another scheduler, or an older row of this one, had the time; look again.
            continue
        except Tampered:
            # Logged where it was found; the other schedules must not wait for its repair.
            continue
        except Throttled:
            # Tried again with the next look; what grows too old meanwhile was missed.
            continue
        except TacitError as error:
            _note_failure(db, trigger_id, now or utcnow(), error)
            taken += 1
            continue
        taken += 1
        for run_id, environment in runs:
            queue.enqueue(run_id, environment)
        count += len(runs)
    return count


def _waiting(db: Database, now: datetime) -> list[str]:
    """Return the ids of all schedules that are due and not frozen, the oldest times first.

    What stays due (frozen, changed in SQL, more than an environment takes) must not stand in the
    way of the others, so it isn't counted.
    """
    with db.read() as session:
        found = session.execute(
            _due(now).add_columns(Trigger.environment_id).order_by(Trigger.next_at)
        ).all()
        frozen = {place for place in {row[1] for row in found} if is_frozen(session, place)}
        return [row[0] for row in found if row[1] not in frozen]


def _due(now: datetime) -> Select[str]:
    return select(Trigger.id).where(Trigger.next_at <= now, Trigger.kind == "schedule")


def _lock(session: Session, trigger_id: str, now: datetime) -> Trigger | None:
    """Return the trigger, locked, if no other scheduler has worked it off."""
    return session.scalar(
        select(Trigger)
        .where(Trigger.id.in_(_due(now).where(Trigger.id == trigger_id)))
        .with_for_update(skip_locked=True)
    )


def _fire(session: Session, trigger_id: str, now: datetime) -> list[tuple[str, str]]:
    trigger = _lock(session, trigger_id, now)
    if trigger is None or trigger.next_at is None or trigger.flow_version_id is None:
        return []
    if find_freeze(session, trigger.environment_id) is not None:
        # Its times pass; when the freeze is lifted they were missed.
        return []
    schedule = _schedule_of(session, trigger)
    runs = []
    wanted = [
        Scheduled(trigger.id, at, schedule.overlap)
        for at in _times(schedule, trigger.next_at, now)
    ]
    keys = [one.key for one in wanted]
    had = set(session.scalars(select(Run.fired).where(Run.fired.in_(keys))))
    for one in wanted:
        if one.key in had:
            continue
        run = start_triggered(
            session, trigger, {**schedule.inputs, "scheduled_for": iso(one.at)}, schedule=one
        )
        trigger.last_at = one.at
        if run.state == RunState.QUEUED:
            runs.append(run.id)
    trigger.next_at, trigger.problem = next_time(schedule, now), None
    name = get_environment(session, trigger.environment_id).name
    return [(run_id, name) for run_id in runs]


def _times(schedule: ScheduleTriggerConfig, since: datetime, now: datetime) -> list[datetime]:
    """Return the times to run for: those that just came, and of the missed what the rule says."""
    passed = latest_times(schedule.cron, schedule.timezone, since, now, CATCH_UP)
    fresh = [at for at in passed if now - at <= GRACE]
    missed = [at for at in passed if now - at > GRACE]
    if schedule.missed == "run_all":
        return [*missed, *fresh]
    if schedule.missed == "run_once" and not fresh:
        return missed[-1:]
    return fresh


def _schedule_of(session: Session, trigger: Trigger) -> ScheduleTriggerConfig:
    graph, _ = read_version(session.get_one(FlowVersion, trigger.flow_version_id))
    return read_schedule(graph.by_id[trigger.node])


def _note_failure(db: Database, trigger_id: str, now: datetime, error: TacitError) -> None:
    """Say on the flow's page and in the audit why a time had no run, and go on to the next."""
    with db.begin() as session:
        trigger = _lock(session, trigger_id, now)
        if trigger is None or trigger.flow_version_id is None:
            return
        trigger.next_at = next_time(_schedule_of(session, trigger), now)
        trigger.problem = error.detail[:1000]
        audit.record(
            session, actor=actor_of(session, trigger).who(), action=Action.TRIGGER_FAIL,
            outcome="denied", flow_id=trigger.flow_id, node=trigger.node,
            data={"code": error.code},
        )
    _log.warning("schedule_failed", extra={"trigger": trigger_id, "code": error.code})

"""How many runs go on at once: a flow's own rule, and the limits of its environment.

Decided twice: when a run is accepted, so that it is refused or skipped at once, and when it is
claimed, under lock. A run that has to wait is *held*: it has no job in the queue until the
scheduler finds a place for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Integer, bindparam, func, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.models import Environment
from app.audit import Action
from app.errors import Throttled
from app.flows.models import Flow, FlowVersion
from app.flows.settings import FlowSettings, find_settings
from app.ids import utcnow
from app.keys.sealed import Tampered
from app.prepared import Prepared
from app.runs.counts import OPEN
from app.runs.events import append_own
from app.runs.models import Run
from app.runs.states import CLAIMED, RunState

RETRY_AFTER = 30
"""Seconds after which a refused start may be tried again."""

RELEASED = 100
"""Most runs that get a place in one look."""

_LIMITS = Prepared(
    select(Environment.queued_limit, Environment.running_limit).where(
        Environment.id == bindparam("id")
    )
)
_WAITING = Prepared(
    select(func.count()).select_from(
        select(Run.id)
        .where(Run.state == RunState.QUEUED, Run.environment_id == bindparam("place"))
        .limit(bindparam("most", type_=Integer))
        .subquery()
    )
)


class TooManyQueued(Throttled):
    """The environment has as many waiting runs as it takes."""

    title = "Too many runs"
    retry_after = RETRY_AFTER


def refuse_full(session: Session, environment_id: str) -> None:
    """Refuse a run where as many wait as the environment takes.

    :raises TooManyQueued: ``too_many_queued_runs``.
    """
    limit, _ = _limits(session, environment_id)
    if limit is None:
        return
    ((waiting,),) = _WAITING.rows(session, {"place": environment_id, "most": limit + 1})
    if waiting >= limit:
        raise TooManyQueued(
            "too_many_queued_runs",
            f"{limit:,} runs wait in this environment already, the most that it takes. Try again "
            "later, cancel some, or add workers.",
        )


def admit(session: Session, actor: Actor, run: Run, settings: FlowSettings) -> None:
    """Apply the flow's rule to a run that was just accepted: skip it, or make room for it."""
    rule = settings.concurrency
    if rule.limit is None:
        return
    others = _open_runs(session, Run.flow_id == run.flow_id, Run.id != run.id)
    if len(others) < rule.limit:
        return
    if rule.policy == "skip":
        under_way = "1 run of this flow is" if len(others) == 1 else (
            f"{len(others)} runs of this flow are"
        )
        skip(session, actor, run, f"{under_way} under way, and its limit is {rule.limit}")
        return
    run.held = True
    if rule.policy == "cancel_older":
        cancel(session, actor, others[: len(others) - rule.limit + 1])


def overlap(session: Session, actor: Actor, run: Run, policy: str, trigger_id: str) -> None:
    """Apply a schedule's rule to a run of it, where the run of a time before is under way."""
    others = _open_runs(
        session, Run.flow_id == run.flow_id, Run.id != run.id,
        Run.fired.startswith(f"{trigger_id}:", autoescape=True),
    )
    if others and policy == "skip":
        skip(session, actor, run, "the run of the time before is still going on")
    elif policy == "cancel_older":
        cancel(session, actor, others)


def skip(session: Session, actor: Actor, run: Run, why: str) -> None:
    """End a run that was accepted and shall not run."""
    if run.state != RunState.QUEUED:
        return
    run.state = RunState.SKIPPED
    run.finished_at = utcnow()
    append_own(session, run, f"Run skipped: {why}", state=RunState.SKIPPED, level="warning")
    audit.record(
        session, actor=actor.who(), action=Action.RUN_SKIP, flow_id=run.flow_id, run_id=run.id
    )


def cancel(session: Session, actor: Actor, runs: Iterable[Run]) -> None:
    """Ask runs to stop for a newer one: at once where no worker has them."""
    for run in runs:
        if run.cancel_requested:
            continue
        run.cancel_requested = True
        if run.state == RunState.QUEUED:
            run.state = RunState.CANCELLED
            run.finished_at = utcnow()
            append_own(
                session, run, "Run cancelled for a newer one of the flow",
                state=RunState.CANCELLED,
            )
        audit.record(
            session, actor=actor.who(), action=Action.RUN_CANCEL, flow_id=run.flow_id,
            run_id=run.id, data={"for": "a newer run"},
        )


def has_place(session: Session, run: Run, settings: FlowSettings) -> bool:
    """Say whether a queued run may go on now, older ones first; holds the flow's row if asked.

    Called under the claim: two claims of one flow count one after the other.
    """
    _, most = _limits(session, run.environment_id)
    if most is not None:
        # PostgreSQL: claims of the environment count one after the other. SQLite has one writer.
        session.execute(
            select(Environment.id).where(Environment.id == run.environment_id).with_for_update()
        )
        running = select(Run.id).where(
            Run.environment_id == run.environment_id, Run.state.in_(CLAIMED)
        )
        if _count(session, running) >= most:
            return False
    limit = settings.concurrency.limit
    if limit is None:
        return True
    session.execute(select(Flow.id).where(Flow.id == run.flow_id).with_for_update())
    before = select(Run.id).where(
        Run.flow_id == run.flow_id,
        Run.state.in_(CLAIMED) | ((Run.state == RunState.QUEUED) & (Run.id < run.id)),
    )
    return _count(session, before.limit(limit + 1)) < limit


def _limits(session: Session, environment_id: str) -> tuple[int | None, int | None]:
    """Return how many runs of an environment may wait, and how many may go on, at once."""
    row = _LIMITS.row(session, {"id": environment_id})
    return (row[0], row[1]) if row is not None else (None, None)


def release(session: Session) -> list[tuple[str, str]]:
    """Let held runs go where there is a place now; returns their ids and environments' names.

    A run that was changed outside Tacit, or whose version was, waits on: that is logged where it
    is found, and keeps no other flow waiting.
    """
    rows = session.execute(
        select(Run.id, Environment.name)
        .join(Environment, Environment.id == Run.environment_id)
        .where(Run.id.in_(_first_held()), Run.held)
        .order_by(Run.id)
    ).all()
    let_go = []
    for run_id, environment in rows:
        with contextlib.suppress(Tampered):
            run = session.get_one(Run, run_id)
            version = session.get_one(FlowVersion, run.flow_version_id)
            if has_place(session, run, find_settings(version.settings)):
                run.held = False
                let_go.append((run.id, environment))
    return let_go


def _first_held() -> Any:
    """The oldest held runs of each flow: the others come after them anyway.

    The first ones of all flows before any second one: a flow that is at its limit for long must
    not keep those of others, or of other environments, waiting.
    """
    number = func.row_number().over(partition_by=Run.flow_id, order_by=Run.id)
    held = (
        select(Run.id, number.label("place"))
        .where(Run.state == RunState.QUEUED, Run.held)
        .subquery()
    )
    first = select(held.c.id).where(held.c.place <= 10)
    return first.order_by(held.c.place, held.c.id).limit(RELEASED)


def _open_runs(session: Session, *where: ColumnElement[bool]) -> list[Run]:
    query = select(Run).where(Run.state.in_(OPEN), ~Run.cancel_requested, *where)
    return list(session.scalars(query.order_by(Run.id).with_for_update()))


def _count(session: Session, query: Any) -> int:
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0

"""Runs as people and programs work with them: authorise, act, audit."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import Conflict, Invalid
from app.flows.models import Flow, FlowVersion
from app.ids import utcnow
from app.paging import Page, check_limit, decode_cursor, encode_cursor
from app.runs.again import rerun
from app.runs.events import append_own
from app.runs.models import Run, RunEvent, RunNode
from app.runs.rows import get_row
from app.runs.single import start_node
from app.runs.starting import start_check, start_run
from app.runs.states import TERMINAL, RunState
from app.runs.upto import start_to
from app.runs.views import EventView, NodeView, RunView, view_event, view_run

__all__ = [
    "EventView", "NodeView", "RunView", "cancel_run", "get_run", "get_state", "list_events",
    "list_runs", "rerun", "start_check", "start_node", "start_run", "start_to",
]


def get_run(session: Session, actor: Actor, run_id: str) -> RunView:
    """Show a run and its nodes.

    :raises Denied: the actor lacks ``runs:read``.
    :raises NotFound: there is none in this environment.
    """
    actor.require(Scope.RUNS_READ)
    return _views(session, [get_row(session, actor, run_id)], nodes=True)[0]


def list_runs(
    session: Session,
    actor: Actor,
    *,
    flow_id: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[RunView]:
    """List the environment's runs, newest first, without their nodes' outputs.

    :raises Denied: the actor lacks ``runs:read``.
    :raises Invalid: the state, cursor or limit can't be taken.
    """
    actor.require(Scope.RUNS_READ)
    check_limit(limit)
    query = select(Run).where(Run.environment_id == actor.environment_id)
    if flow_id:
        query = query.where(Run.flow_id == flow_id)
    if state:
        if state not in set(RunState):
            raise Invalid(
                "state_invalid", f"A run's state is one of {', '.join(RunState)}.", field="state"
            )
        query = query.where(Run.state == state)
    if cursor:
        (last,) = decode_cursor(cursor, 1)
        query = query.where(Run.id < last)
    rows = list(session.scalars(query.order_by(Run.id.desc()).limit(limit + 1)))
    following = encode_cursor(rows[limit - 1].id) if len(rows) > limit else None
    return Page(_views(session, rows[:limit], nodes=True), following)


def get_state(session: Session, actor: Actor, run_id: str) -> RunState:
    """Tell a run's state and nothing else.

    :raises Denied: the actor lacks ``runs:read``.
    :raises NotFound: there is no such run here.
    """
    actor.require(Scope.RUNS_READ)
    return RunState(get_row(session, actor, run_id).state)


def list_events(
    session: Session, actor: Actor, run_id: str, *, after: int = 0, limit: int = 500
) -> list[EventView]:
    """List what happened in a run after a sequence number, in order.

    :raises Denied: the actor lacks ``runs:read``.
    :raises NotFound: there is no such run here.
    """
    actor.require(Scope.RUNS_READ)
    run = get_row(session, actor, run_id)
    rows = session.scalars(
        select(RunEvent)
        .where(RunEvent.run_id == run.id, RunEvent.seq > after)
        .order_by(RunEvent.seq)
        .limit(limit)
    )
    return [view_event(row) for row in rows]


def cancel_run(session: Session, actor: Actor, run_id: str) -> None:
    """Ask a run to stop: at once if no worker has taken it, else with its next heartbeat.

    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such run here.
    :raises Conflict: ``run_over``: it has ended.
    """
    actor.require(Scope.RUNS_MANAGE)
    run = get_row(session, actor, run_id, for_update=True)
    if run.state in TERMINAL:
        raise Conflict("run_over", f"This run is over already: it {_ended(run.state)}.")
    run.cancel_requested = True
    if run.state == RunState.QUEUED:
        run.state = RunState.CANCELLED
        run.finished_at = utcnow()
        append_own(
            session, run, f"Run cancelled by {actor.name}", state=RunState.CANCELLED
        )
    # A claimed run's events have one writer, its worker: an event of ours here would take the
    # number of one that is on its way. Its next heartbeat brings the request.
    audit.record(
        session, actor=actor.who(), action=Action.RUN_CANCEL, flow_id=run.flow_id, run_id=run.id
    )


def _ended(state: str) -> str:
    return f"was {state}" if state in {"cancelled", "rejected", "skipped"} else state


def _views(session: Session, runs: list[Run], *, nodes: bool) -> list[RunView]:
    flows = dict(
        session.execute(
            select(Flow.id, Flow.name).where(Flow.id.in_({run.flow_id for run in runs}))
        ).all()
    )
    versions = {
        row.id: row
        for row in session.scalars(
            select(FlowVersion).where(FlowVersion.id.in_({run.flow_version_id for run in runs}))
        )
    }
    rows: dict[str, list[RunNode]] = {run.id: [] for run in runs}
    if nodes:
        for row in session.scalars(select(RunNode).where(RunNode.run_id.in_(rows))):
            rows[row.run_id].append(row)
    return [
        view_run(
            run, flows[run.flow_id], versions[run.flow_version_id].number,
            versions[run.flow_version_id].graph, rows[run.id],
        )
        for run in runs
    ]

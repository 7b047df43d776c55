"""Runs that no person starts: for whoever activated the version, never while frozen."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.freeze import refuse_frozen
from app.accounts.scopes import Scope
from app.accounts.service import current_scopes
from app.flows.inputs import declared_inputs
from app.flows.models import Flow, FlowVersion, Trigger
from app.flows.rows import read_version
from app.runs.starting import Scheduled, accept, read_start
from app.runs.views import RunView


def actor_of(session: Session, trigger: Trigger) -> Actor:
    """Return whom a trigger's runs act for, with the scopes that they have at this moment."""
    scopes = frozenset[Scope]()
    if trigger.user_id is not None:
        scopes = current_scopes(
            session, trigger.user_id, trigger.environment_id, trigger.token_id
        )
    return Actor(
        kind="system", name=f"{trigger.kind} for {trigger.acts_for}"[:254],
        environment_id=trigger.environment_id, scopes=scopes, user_id=trigger.user_id,
        token_id=trigger.token_id,
    )


def start_triggered(
    session: Session,
    trigger: Trigger,
    payload: dict[str, Any],
    *,
    schedule: Scheduled | None = None,
) -> RunView:
    """Start the version that a trigger is bound to; the caller commits, then enqueues the job.

    :param payload: what the trigger brings; defaults of declared inputs stand beside it.
    :raises Denied: whoever activated the version may not run it any more.
    :raises Locked: ``frozen``.
    :raises Invalid: the flow has problems here now.
    :raises Throttled: ``too_many_queued_runs``.
    :raises Tampered: the version was changed outside Tacit.
    """
    actor = actor_of(session, trigger)
    actor.require(Scope.RUNS_MANAGE)
    refuse_frozen(session, trigger.environment_id)
    flow = session.get_one(Flow, trigger.flow_id)
    version = session.get_one(FlowVersion, trigger.flow_version_id)
    graph, _ = read_version(version)
    start = read_start(session, actor, flow, version)
    inputs = payload
    if schedule is not None:
        defaults = {one.name: one.default for one in declared_inputs(graph)}
        inputs = {name: value for name, value in defaults.items() if value is not None} | payload
    what = {"kind": trigger.kind, "by": actor.name, "node": trigger.node}
    return accept(session, actor, start, inputs, what, schedule=schedule)

"""Running again what ran before: a whole flow, a part of it, one node, a check of a node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.flows.inputs import check_inputs
from app.flows.models import Flow, FlowVersion
from app.runs import single, upto
from app.runs.models import Run
from app.runs.rows import get_row
from app.runs.starting import accept, ready, start_check, trigger_of
from app.runs.views import RunView


def rerun(
    session: Session,
    actor: Actor,
    run_id: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    version: int | str | None = None,
) -> RunView:
    """Run a flow again, for the actor, with a run's inputs or with others.

    A run of a draft runs the draft as it is now, a run of a version the active version of now, so
    that what was mended since takes effect.

    :param version: as for :func:`start_run`, to choose otherwise.
    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such run here, or its flow was deleted.
    :raises Invalid: as for :func:`start_run`.
    :raises Locked: ``frozen``.
    """
    actor.require(Scope.RUNS_MANAGE)
    before = get_row(session, actor, run_id)
    if version is None:
        number = session.get_one(FlowVersion, before.flow_version_id).number
        version = "draft" if number is None else _active_or(session, before.flow_id, number)
    kind = before.trigger.get("kind")
    if kind == upto.KIND:
        return upto.start_to(
            session, actor, before.flow_id, str(before.trigger["node"]),
            inputs=before.inputs if inputs is None else inputs, version=version,
        )
    if kind == single.KIND:
        return _again_alone(session, actor, before, inputs, version)
    if kind == "check":
        return start_check(session, actor, before.flow_id, str(before.trigger["node"]))
    start = ready(session, actor, before.flow_id, version)
    # What a trigger brought is not what the form asks for; unchanged, it was taken once already.
    given = dict(before.inputs) if inputs is None else check_inputs(start.graph, inputs)
    trigger = {**trigger_of(actor), "rerun_of": before.id}
    if "node" in before.trigger:
        trigger["node"] = before.trigger["node"]
    return accept(session, actor, start, given, trigger)


def _again_alone(
    session: Session,
    actor: Actor,
    before: Run,
    inputs: Mapping[str, Any] | None,
    version: int | str | None,
) -> RunView:
    """Do a run of one node again; values of its part that were taken are taken anew."""
    node = str(before.trigger["node"])
    given = before.inputs.get(node, {}) if inputs is None else inputs
    return single.start_node(
        session, actor, before.flow_id, node, inputs=given, version=version,
        repeated=inputs is None,
    )


def _active_or(session: Session, flow_id: str, number: int) -> int:
    active = session.scalar(select(Flow.active_version).where(Flow.id == flow_id))
    return active if active is not None else number

"""What runs, nodes and events look like to those who may read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.runs.models import Run, RunEvent, RunNode
from app.runs.states import TERMINAL, RunState


@dataclass(frozen=True, slots=True)
class NodeView:
    """What became of a node.

    :ivar output_masks: by output, which secret stands where in it: ``path``, ``offset``,
        ``secret``, ``version``, and ``key`` where it is the path's last key that holds it.
    """

    id: str
    state: str
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    outputs: dict[str, Any] | None
    problem: dict[str, Any] | None
    output_masks: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunView:
    """A run and its nodes.

    :ivar flow_version: None for a run of a draft.
    :ivar nodes: what it executes: of one node's run, the part that runs along.
    :ivar graph: the snapshot that it executes.
    """

    id: str
    flow_id: str
    flow_name: str
    flow_version: int | None
    state: str
    problems: list[dict[str, Any]]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    trigger: dict[str, Any]
    inputs: dict[str, Any]
    nodes: list[NodeView]
    graph: dict[str, Any]
    last_seq: int
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened in a run."""

    seq: int
    at: datetime
    node: str | None
    attempt: int
    type: str
    level: str
    text: str
    data: dict[str, Any]
    masks: list[dict[str, Any]]


def view_run(
    run: Run,
    flow_name: str,
    version: int | None,
    graph: Mapping[str, Any],
    nodes: Iterable[RunNode],
) -> RunView:
    """Make the view of a run.

    Nodes without a row are ``queued`` while the run may still reach them. Once it is over they
    are ``skipped``, and one that was running has ended with the run: nobody writes rows for those.
    """
    rows = {row.node: row for row in nodes}
    part = run.trigger.get("part")
    return RunView(
        id=run.id,
        flow_id=run.flow_id,
        flow_name=flow_name,
        flow_version=version,
        state=run.state,
        problems=list(run.problems),
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        trigger=run.trigger,
        inputs=run.inputs,
        nodes=[
            _view_node(run, node["id"], rows.get(node["id"]))
            for node in graph.get("nodes", ())
            if part is None or node["id"] in part
        ],
        graph=dict(graph),
        last_seq=run.last_seq,
        cancel_requested=run.cancel_requested,
    )


def view_event(event: RunEvent) -> EventView:
    """Make the view of an event."""
    return EventView(
        event.seq, event.at, event.node, event.attempt, event.type, event.level, event.text,
        event.data, event.masks,
    )


def _view_node(run: Run, node_id: str, row: RunNode | None) -> NodeView:
    if row is None:
        state = "skipped" if run.state in TERMINAL else "queued"
        return NodeView(node_id, state, 1, None, None, None, None, {})
    state, finished_at = row.state, row.finished_at
    if state == "running" and run.state in TERMINAL:
        state = "cancelled" if run.state == RunState.CANCELLED else "failed"
        finished_at = run.finished_at
    return NodeView(
        node_id, state, row.attempt, row.started_at, finished_at, row.outputs, row.problem,
        row.output_masks or {},
    )

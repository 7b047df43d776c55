"""Runs: the list, one run with its log and timeline, cancel, run again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import flash, request, url_for
from werkzeug.wrappers import Response

from app.accounts.scopes import Scope
from app.errors import Conflict
from app.flows.names import map_flow_names
from app.runs import log, service
from app.web.findings import as_mapping, panels, split_sentence
from app.web.hx import go, render, wants_partial
from app.web.masked import Part, output_parts
from app.web.pages import pages
from app.web.run_log import LINES, name_nodes, read_place
from app.web.timeline import Work, timeline
from app.web.work import work

_PAGE = 50
_ACTIVE = ("queued", "checking", "running")
_TABS = (
    ("All", None), ("Queued", "queued"), ("Running", "running"), ("Succeeded", "succeeded"),
    ("Failed", "failed"), ("Rejected", "rejected"), ("Cancelled", "cancelled"),
)


@dataclass(frozen=True, slots=True)
class Output:
    """A node's output as it is shown: a secret that it passes on, or text with its masks."""

    parts: tuple[Part, ...] = ()
    secret: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node of a run with the names its author gave."""

    id: str
    label: str
    component: str
    state: str
    attempt: int
    started_at: datetime | None
    finished_at: datetime | None
    outputs: Mapping[str, Output]
    problem: Mapping[str, Any] | None


@pages.get("/runs")
def runs() -> str:
    """List runs by state and flow; while one is under way the list keeps itself fresh."""
    args = request.args
    state, flow, cursor = args.get("state") or None, args.get("flow") or None, args.get("cursor")
    with work(read=True) as (session, actor):
        page = service.list_runs(
            session, actor, flow_id=flow, state=state, cursor=cursor, limit=_PAGE
        )
        names = map_flow_names(session, actor, limit=500)

    def link(**changes: Any) -> str:
        return url_for("pages.runs", **({"state": state, "flow": flow} | changes))

    active = sum(run.state in _ACTIVE for run in page.items)
    return render(
        "runs/list.html", "runs/_list.html",
        runs=page.items, state=state, flow=flow, cursor=cursor, flow_names=names, active=active,
        tabs=[
            {"label": label, "href": link(state=value), "current": value == state}
            for label, value in _TABS
        ],
        first_href=link() if cursor else None,
        next_href=link(cursor=page.next_cursor) if page.next_cursor else None,
        refresh_href=link(cursor=cursor) if active else None,
    )


@pages.get("/runs/<run_id>")
def run(run_id: str) -> str:
    """Show a run: state, problems, nodes, log, timeline; as a partial, what came ``after``."""
    after = read_place("after") or 0
    with work(read=True) as (session, actor):
        view = service.get_run(session, actor, run_id)
        if wants_partial():
            page = log.list_lines(session, actor, run_id, after=after, limit=LINES)
        else:
            page = log.list_newest(session, actor, run_id, limit=LINES)
    drawn = {node["id"]: node for node in view.graph.get("nodes", ())}
    labels = name_nodes(view.graph)
    nodes = [_node_row(node, drawn.get(node.id, {}), labels) for node in view.nodes]
    behind = wants_partial() and page.more
    return render(
        "runs/run.html",
        "runs/_live.html",
        run=view,
        oob=wants_partial(),
        problems=panels(
            view.problems, flow_id=view.flow_id, labels=labels,
            can_create=actor.may(Scope.SECRETS_MANAGE),
        ),
        nodes=nodes,
        node_labels=labels,
        events=page.lines,
        listing=page,
        # More lines than one page came since the last look: the next look begins where this ends.
        behind=behind,
        seen=page.lines[-1].seq if behind else view.last_seq,
        timeline=timeline(
            [Work(node.label, node.state, node.started_at, node.finished_at) for node in nodes]
        ),
    )


@pages.post("/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> Response:
    """Ask a run to stop."""
    try:
        with work() as (session, actor):
            service.cancel_run(session, actor, run_id)
        flash("Cancelling. It takes effect between nodes.")
    except Conflict as error:
        flash(error.detail, "error")
    return go(url_for("pages.run", run_id=run_id))


def _node_row(node: Any, drawn: Mapping[str, Any], labels: Mapping[str, str]) -> NodeRow:
    problem = as_mapping(node.problem) if node.problem else None
    if problem is not None:
        problem = {**problem, "message": split_sentence(str(problem["message"]))[0] + "."}
    return NodeRow(
        node.id, labels.get(node.id, node.id), str(drawn.get("component", "")), node.state,
        node.attempt, node.started_at, node.finished_at,
        {
            port: _output(value, node.output_masks.get(port, ()))
            for port, value in (node.outputs or {}).items()
        },
        problem,
    )


def _output(value: Any, masks: Iterable[Mapping[str, Any]]) -> Output:
    """Draw an output: a secret port's placeholder becomes a mask, the rest is cut to a line."""
    if isinstance(value, Mapping) and set(value) == {"secret", "version"}:
        return Output(secret=str(value["secret"]), version=value["version"])
    return Output(tuple(output_parts(value, masks, longest=200)))

"""``/api/v1/flows``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.api.blueprint import api, if_match, operation, reply
from app.api.shapes import (
    Findings,
    FlowCheck,
    FlowCreate,
    FlowList,
    FlowOut,
    FlowSave,
    FlowsQuery,
    FlowSummary,
    FlowValidate,
    ProblemOut,
    RunOut,
    RunStart,
    RunWait,
)
from app.api.shapes_versions import (
    FlowActivate,
    FlowVersionList,
    FlowVersionOut,
    TriggerList,
    TriggerOut,
)
from app.errors import Invalid
from app.flows import activation, triggers
from app.flows import service as flows_service
from app.flows.graph import parse_graph
from app.flows.service import FlowView
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.runs import checks
from app.runs import service as runs_service
from app.runs.states import RunState
from app.runs.views import RunView


@api.post("/flows")
@operation(scope=Scope.FLOWS_MANAGE, body=FlowCreate, answer=FlowOut, status=201,
           errors=(409, 423))
def create_flow(json_data: FlowCreate) -> Response:
    """Create a flow as a draft."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        view = flows_service.create_flow(
            session,
            actor,
            name=json_data.name,
            description=json_data.description,
            graph=json_data.graph,
            settings=json_data.settings,
        )
    return _answer(view, 201, headers={"Location": f"/api/v1/flows/{view.id}"})


@api.get("/flows")
@operation(scope=Scope.FLOWS_READ, query=FlowsQuery, answer=FlowList)
def list_flows(query_data: FlowsQuery) -> Response:
    """List flows, without graphs."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        page = flows_service.list_flows(
            session, actor, q=query_data.q, cursor=query_data.cursor, limit=query_data.limit
        )
    items = [FlowSummary.model_validate(fields_of(view)) for view in page.items]
    return reply(FlowList(items=items, next_cursor=page.next_cursor))


@api.get("/flows/<id:flow_id>")
@operation(scope=Scope.FLOWS_READ, answer=FlowOut, errors=(404,))
def get_flow(flow_id: str) -> Response:
    """Show a flow with its draft graph and what is unfinished in it."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        view = flows_service.get_flow(session, actor, flow_id)
    return _answer(view)


@api.put("/flows/<id:flow_id>")
@operation(scope=Scope.FLOWS_MANAGE, body=FlowSave, answer=FlowOut, errors=(404, 409, 412, 423))
def save_flow(flow_id: str, json_data: FlowSave) -> Response:
    """Save a new draft; a session must say in `If-Match` which revision it changes."""
    actor = current_actor()
    revision = if_match()
    if actor.kind == "session" and revision is None:
        # What is impossible in the graph is said first: the words that the canvas shows.
        parse_graph(json_data.graph)
        raise Invalid(
            "if_match_required",
            "Say in If-Match which revision of the flow this changes: the ETag that it was read "
            "with. Otherwise somebody else's change could be lost.",
        )
    with unit_of_work(services().db, actor) as session:
        view = flows_service.save_flow(
            session,
            actor,
            flow_id,
            graph=json_data.graph,
            name=json_data.name,
            description=json_data.description,
            settings=json_data.settings,
            if_match=revision,
        )
    return _answer(view)


@api.delete("/flows/<id:flow_id>")
@operation(scope=Scope.FLOWS_MANAGE, answer=None, status=204, errors=(404, 409, 412, 422, 423))
def delete_flow(flow_id: str) -> Response:
    """Delete a flow."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        flows_service.delete_flow(session, actor, flow_id, if_match=if_match())
    return Response(status=204)


@api.post("/flows/<id:flow_id>/validate")
@operation(scope=Scope.FLOWS_READ, body=FlowValidate, answer=Findings, errors=(404,))
def validate_flow(flow_id: str, json_data: FlowValidate) -> Response:
    """Say what is unfinished in a graph, and save nothing; the impossible is refused."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        view = flows_service.get_flow(session, actor, flow_id)
        graph = view.graph if json_data.graph is None else json_data.graph
        problems = flows_service.validate_graph_for(session, actor, graph)
    return reply(Findings(problems=_problems(problems)))


@api.post("/flows/<id:flow_id>/check")
@operation(scope=Scope.RUNS_MANAGE, body=FlowCheck, answer=Findings, errors=(404,))
def check_flow(flow_id: str, json_data: FlowCheck) -> Response:
    """Say what the check before a run would say now, one problem a node; no run is made."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        problems = checks.check_flow(session, actor, flow_id, json_data.version)
    return reply(Findings(problems=_problems(problems)))


@api.post("/flows/<id:flow_id>/activate")
@operation(scope=Scope.FLOWS_MANAGE, body=FlowActivate, answer=FlowVersionOut,
           errors=(404, 409, 412, 423))
def activate_flow(flow_id: str, json_data: FlowActivate) -> Response:
    """Make the draft the active version; what keeps it from it is in `problems` of the 422."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        made = activation.activate_flow(
            session, actor, flow_id, note=json_data.note, if_match=if_match()
        )
    return reply(FlowVersionOut.model_validate(made))


@api.post("/flows/<id:flow_id>/deactivate")
@operation(scope=Scope.FLOWS_MANAGE, answer=None, status=204, errors=(404, 409, 412, 423))
def deactivate_flow(flow_id: str) -> Response:
    """Take a flow's active version out of use; where there is none, nothing changes."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        activation.deactivate_flow(session, actor, flow_id, if_match=if_match())
    return Response(status=204)


@api.get("/flows/<id:flow_id>/versions")
@operation(scope=Scope.FLOWS_READ, answer=FlowVersionList, errors=(404,))
def list_flow_versions(flow_id: str) -> Response:
    """List what was active once, or is, newest first."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = activation.list_flow_versions(session, actor, flow_id)
    return reply(FlowVersionList(items=[FlowVersionOut.model_validate(one) for one in found]))


@api.get("/flows/<id:flow_id>/triggers")
@operation(scope=Scope.FLOWS_READ, answer=TriggerList, errors=(404,))
def list_flow_triggers(flow_id: str) -> Response:
    """List what starts the active version without a person: schedules and webhooks."""
    actor = current_actor()
    held = services()
    with unit_of_work(held.db, actor, read=True) as session:
        found = triggers.list_triggers(session, actor, flow_id)
    items = [
        TriggerOut.model_validate(
            {
                **dataclasses.asdict(one),
                "url": held.config.public_url + one.path if one.path else None,
            }
        )
        for one in found
    ]
    return reply(TriggerList(items=items))


@api.post("/flows/<id:flow_id>/runs")
@operation(scope=Scope.RUNS_MANAGE, body=RunStart, query=RunWait, answer=RunOut, status=202,
           early=200, errors=(404, 409, 423, 429, 503))
def start_run(flow_id: str, query_data: RunWait, json_data: RunStart) -> Response:
    """Start a run of a flow, or of a part; the answer comes before its end, but for `wait`."""
    actor = current_actor()
    held = services()
    if query_data.wait:
        actor.require(Scope.RUNS_READ)
    with held.waiters.listening(query_data.wait) as until_over:
        with unit_of_work(held.db, actor) as session:
            view = _start(session, actor, flow_id, json_data)
            environment = accounts.get_environment(session, actor.environment_id).name
        # After the commit: a worker that is quick must find the run. A queue that doesn't answer
        # is no failure, because the reaper puts the job in later.
        if view.state == RunState.QUEUED:
            held.queue.enqueue(view.id, environment)
        over = until_over(view.id)
    if over:
        with unit_of_work(held.db, actor, read=True) as session:
            view = runs_service.get_run(session, actor, view.id)
    return reply(
        RunOut.model_validate(view), 200 if over else 202,
        headers={"Location": f"/api/v1/runs/{view.id}"},
    )


def _start(session: Session, actor: Actor, flow_id: str, asked: RunStart) -> RunView:
    inputs, version = asked.inputs, asked.version
    if asked.node is not None and asked.to is not None:
        raise Invalid(
            "node_and_to",
            "A run is of one node alone (“node”) or up to one (“to”). Send one of the two.",
            field="to",
        )
    if asked.to is not None:
        return runs_service.start_to(
            session, actor, flow_id, asked.to, inputs=inputs, version=version
        )
    if asked.node is not None:
        return runs_service.start_node(
            session, actor, flow_id, asked.node, inputs=inputs, version=version
        )
    return runs_service.start_run(session, actor, flow_id, inputs=inputs, version=version)


def _answer(view: FlowView, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return reply(
        FlowOut.model_validate(fields_of(view)), status, revision=view.revision, headers=headers
    )


def fields_of(view: FlowView) -> dict[str, Any]:
    """Return what a flow's answer is made of."""
    return {
        "id": view.id,
        "name": view.name,
        "description": view.description,
        "state": view.state,
        "revision": view.revision,
        "active_version": view.active_version,
        "graph": view.graph,
        "problems": _problems(view.problems),
        "updated_at": view.updated_at,
        "settings": view.settings,
    }


def _problems(problems: Iterable[Any]) -> list[ProblemOut]:
    return [
        ProblemOut.model_validate(item if isinstance(item, dict) else item.to_json())
        for item in problems
    ]

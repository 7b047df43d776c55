"""``/api/v1/runs``."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response

from app.accounts import service as accounts
from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes import (
    EventList,
    EventOut,
    EventsQuery,
    RunAgain,
    RunGraph,
    RunList,
    RunOut,
    RunsQuery,
    StreamQuery,
)
from app.http.identity import current_actor
from app.http.services import services
from app.http.tickets import write_ticket
from app.http.work import unit_of_work
from app.runs import service as runs_service
from app.runs.states import RunState


@api.get("/runs")
@operation(scope=Scope.RUNS_READ, query=RunsQuery, answer=RunList)
def list_runs(query_data: RunsQuery) -> Response:
    """List runs, newest first."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        page = runs_service.list_runs(
            session,
            actor,
            flow_id=query_data.flow_id,
            state=query_data.state,
            cursor=query_data.cursor,
            limit=query_data.limit,
        )
    items = [RunOut.model_validate(view) for view in page.items]
    return reply(
        RunList(items=items, next_cursor=page.next_cursor),
        leave_out={"items": {"__all__": {"inputs"}}},
    )


@api.get("/runs/<id:run_id>")
@operation(scope=Scope.RUNS_READ, answer=RunOut, errors=(404,))
def get_run(run_id: str) -> Response:
    """Show a run and its nodes."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        view = runs_service.get_run(session, actor, run_id)
    return reply(RunOut.model_validate(view))


@api.get("/runs/<id:run_id>/graph")
@operation(scope=Scope.RUNS_READ, answer=RunGraph, errors=(404,))
def get_run_graph(run_id: str) -> Response:
    """Show the graph that a run executes, as it was when the run was started."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        view = runs_service.get_run(session, actor, run_id)
    return reply(RunGraph(graph=view.graph))


@api.get("/runs/<id:run_id>/events")
@operation(scope=Scope.RUNS_READ, query=EventsQuery, answer=EventList, errors=(404,))
def list_run_events(run_id: str, query_data: EventsQuery) -> Response:
    """List what happened in a run after a sequence number; `next_cursor` is one too."""
    actor = current_actor()
    after = query_data.after if query_data.cursor is None else query_data.cursor
    with unit_of_work(services().db, actor, read=True) as session:
        events = runs_service.list_events(
            session, actor, run_id, after=after, limit=query_data.limit
        )
    items = [EventOut.model_validate(event) for event in events]
    full = len(items) == query_data.limit
    return reply(EventList(items=items, next_cursor=str(items[-1].seq) if full else None))


@api.get("/runs/<id:run_id>/stream")
@operation(scope=Scope.RUNS_READ, answer=None, status=307, query=StreamQuery, errors=(404,))
def stream_run_events(run_id: str, query_data: StreamQuery) -> Response:
    """Send on to the live listener, which streams the run's events (server-sent events)."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        runs_service.get_state(session, actor, run_id)
        query: dict[str, Any] = {"after": query_data.after}
        if actor.kind == "token":
            query["ticket"] = write_ticket(session.info["seals"], actor, run_id)
        else:
            where = accounts.get_environment(session, actor.environment_id)
            query["environment"] = where.name
    address = f"{services().config.live_url}/api/v1/runs/{run_id}/stream?{urlencode(query)}"
    return Response(status=307, headers={"Location": address})


@api.post("/runs/<id:run_id>/rerun")
@operation(scope=Scope.RUNS_MANAGE, body=RunAgain, answer=RunOut, status=202,
           errors=(404, 409, 423, 429, 503))
def rerun(run_id: str, json_data: RunAgain) -> Response:
    """Run the flow again with the inputs of a run, or with others."""
    actor = current_actor()
    held = services()
    with unit_of_work(held.db, actor) as session:
        view = runs_service.rerun(
            session, actor, run_id, inputs=json_data.inputs, version=json_data.version
        )
        environment = accounts.get_environment(session, actor.environment_id).name
    if view.state == RunState.QUEUED:
        held.queue.enqueue(view.id, environment)
    return reply(
        RunOut.model_validate(view), 202, headers={"Location": f"/api/v1/runs/{view.id}"}
    )


@api.post("/runs/<id:run_id>/cancel")
@operation(scope=Scope.RUNS_MANAGE, answer=RunOut, status=202, errors=(404, 409))
def cancel_run(run_id: str) -> Response:
    """Ask a run to stop; a run that no worker has taken yet is cancelled at once."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        runs_service.cancel_run(session, actor, run_id)
        view = runs_service.get_run(session, actor, run_id)
    services().queue.publish(run_id, view.last_seq)
    return reply(RunOut.model_validate(view), 202)

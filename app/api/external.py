"""``/api/v1/reach``, ``/api/v1/external-secrets``, and the check of one node's secret."""

from __future__ import annotations

from flask import Response

from app.accounts import service as accounts
from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes import RunOut
from app.api.shapes_external import (
    ExternalUseList,
    ExternalUseOut,
    ExternalUsesQuery,
    NodeCheck,
    ReachChange,
    ReachOut,
)
from app.flows.external_uses import list_external_uses
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.runs import reach, service


@api.get("/reach")
@operation(scope=Scope.FLOWS_READ, answer=ReachOut)
def get_reach() -> Response:
    """Say what the runs of this environment may reach."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = reach.get_reach(session, actor)
    return reply(ReachOut.model_validate(found))


@api.patch("/reach")
@operation(scope=Scope.ENVIRONMENTS_MANAGE, body=ReachChange, answer=ReachOut)
def set_reach(json_data: ReachChange) -> Response:
    """Change what the runs of this environment may reach; what isn't named stays."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        found = reach.set_reach(
            session, actor, allow_private=json_data.allow_private,
            worker_secrets=json_data.worker_secrets,
        )
    return reply(ReachOut.model_validate(found))


@api.get("/external-secrets")
@operation(scope=Scope.FLOWS_READ, query=ExternalUsesQuery, answer=ExternalUseList)
def list_external_secrets(query_data: ExternalUsesQuery) -> Response:
    """List which nodes of which flows use which secrets of external managers."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = list_external_uses(
            session, actor, provider=query_data.provider, reference=query_data.reference
        )
    return reply(ExternalUseList(items=[ExternalUseOut.model_validate(one) for one in found]))


@api.post("/flows/<id:flow_id>/check-node")
@operation(scope=Scope.RUNS_MANAGE, body=NodeCheck, answer=RunOut, status=202,
           errors=(404, 423, 503))
def check_node(flow_id: str, json_data: NodeCheck) -> Response:
    """Have a worker ask the external manager of one node of the draft; nothing else runs."""
    actor = current_actor()
    held = services()
    with unit_of_work(held.db, actor) as session:
        view = service.start_check(session, actor, flow_id, json_data.node)
        environment = accounts.get_environment(session, actor.environment_id).name
    held.queue.enqueue(view.id, environment)
    return reply(
        RunOut.model_validate(view), 202, headers={"Location": f"/api/v1/runs/{view.id}"}
    )

"""``/api/v1/workers``."""

from __future__ import annotations

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes_access import (
    EnrolmentOut,
    WorkerCreate,
    WorkerKeyOut,
    WorkerList,
    WorkerOut,
)
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.ids import utcnow
from app.runs import enrolment


@api.get("/workers")
@operation(scope=Scope.WORKERS_MANAGE, answer=WorkerList)
def list_workers() -> Response:
    """List the environment's workers and their keys, revoked ones too."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = enrolment.list_workers(session, actor)
    items = [
        WorkerOut(
            id=row.id, name=row.name, created_at=row.created_at, last_seen_at=row.last_seen_at,
            revoked_at=row.revoked_at, reported=row.reported,
            keys=[WorkerKeyOut.model_validate(key) for key in keys],
        )
        for row, keys in found
    ]
    return reply(WorkerList(items=items))


@api.post("/workers")
@operation(scope=Scope.WORKERS_MANAGE, body=WorkerCreate, answer=EnrolmentOut, status=201,
           shown_once=True)
def enrol_worker(json_data: WorkerCreate) -> Response:
    """Make a one-time code for a worker's key; needs a password typed just now."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        code = enrolment.make_code(session, actor, json_data.name)
    made = EnrolmentOut(
        name=json_data.name.strip(), code=code, expires_at=utcnow() + enrolment.CODE_LIFETIME
    )
    return reply(made, 201)


@api.delete("/workers/<id:worker_id>")
@operation(scope=Scope.WORKERS_MANAGE, answer=None, status=204, errors=(404,))
def revoke_worker(worker_id: str) -> Response:
    """Revoke a worker with all its keys: its claims and values are refused from now on."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        enrolment.revoke_worker(session, actor, worker_id)
    return Response(status=204)

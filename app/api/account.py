"""``/api/v1/me`` and ``/api/v1/environments``."""

from __future__ import annotations

from flask import Response

from app.accounts import service as accounts
from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes import (
    EnvironmentChange,
    EnvironmentCreate,
    EnvironmentList,
    EnvironmentOut,
    Me,
)
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work


@api.get("/me")
@operation(scope=None, answer=Me)
def get_me() -> Response:
    """Say who the credential stands for, where it acts and which scopes it has there."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        environment = accounts.get_environment(session, actor.environment_id)
    return reply(
        Me(
            kind=actor.kind,
            name=actor.name,
            user_id=actor.user_id,
            environment=EnvironmentOut.model_validate(environment),
            scopes=sorted(scope.value for scope in actor.scopes),
        )
    )


@api.get("/environments")
@operation(scope=None, answer=EnvironmentList)
def list_environments() -> Response:
    """List the environments that the caller can act in; a token has one."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        if actor.kind == "session" and actor.user_id is not None:
            found = accounts.list_environments_of(session, actor.user_id)
        else:
            found = [accounts.get_environment(session, actor.environment_id)]
    return reply(EnvironmentList(items=[EnvironmentOut.model_validate(item) for item in found]))


@api.post("/environments")
@operation(scope=Scope.ENVIRONMENTS_MANAGE, body=EnvironmentCreate, answer=EnvironmentOut,
           status=201, errors=(409,), session_only=True)
def create_environment(json_data: EnvironmentCreate) -> Response:
    """Make an environment; it takes somebody who has the scope in the whole installation."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        made = accounts.create_environment(
            session, actor, name=json_data.name, title=json_data.title,
            protected=json_data.protected,
            policies=json_data.policies.model_dump(exclude_none=True),
        )
        answer = EnvironmentOut.model_validate(made)
    return reply(answer, 201)


@api.patch("/environments/<id:environment_id>")
@operation(scope=Scope.ENVIRONMENTS_MANAGE, body=EnvironmentChange, answer=EnvironmentOut,
           errors=(404,))
def change_environment(environment_id: str, json_data: EnvironmentChange) -> Response:
    """Change an environment's title, protection or policies."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        policies = json_data.policies
        row = accounts.change_environment(
            session, actor, environment_id, title=json_data.title, protected=json_data.protected,
            policies=policies.model_dump(exclude_none=True) if policies else None,
        )
        answer = EnvironmentOut.model_validate(row)
    return reply(answer)

"""``/api/v1/users``: people and their roles."""

from __future__ import annotations

from flask import Response

from app.accounts import service as accounts
from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes_access import (
    RoleCreate,
    UserCreate,
    UserList,
    UserOut,
    UsersQuery,
)
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work


@api.get("/users")
@operation(scope=Scope.USERS_MANAGE, query=UsersQuery, answer=UserList)
def list_users(query_data: UsersQuery) -> Response:
    """List the people of this environment; for who manages the installation's, all."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        page = accounts.list_people(
            session, actor, cursor=query_data.cursor, limit=query_data.limit
        )
    items = [UserOut.model_validate(person) for person in page.items]
    return reply(UserList(items=items, next_cursor=page.next_cursor))


@api.post("/users")
@operation(scope=Scope.USERS_MANAGE, body=UserCreate, answer=UserOut, status=201, errors=(409,))
def create_user(json_data: UserCreate) -> Response:
    """Create a person; giving a role needs a password typed just now."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        user = accounts.create_user(
            session,
            actor,
            email=json_data.email,
            password=json_data.password,
            name=json_data.name,
            role=json_data.role,
            environment_id=None if json_data.everywhere else actor.environment_id,
        )
        session.flush()
        view = accounts.get_person(session, actor, user.id)
    return reply(
        UserOut.model_validate(view), 201, headers={"Location": f"/api/v1/users/{view.id}"}
    )


@api.get("/users/<id:user_id>")
@operation(scope=Scope.USERS_MANAGE, answer=UserOut, errors=(404,))
def get_user(user_id: str) -> Response:
    """Show a person."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        view = accounts.get_person(session, actor, user_id)
    return reply(UserOut.model_validate(view))


@api.post("/users/<id:user_id>/disable")
@operation(scope=Scope.USERS_MANAGE, answer=UserOut, errors=(404, 409))
def disable_user(user_id: str) -> Response:
    """Shut a person out: their sessions, tokens and runs stop at once."""
    return _set_disabled(user_id, True)


@api.post("/users/<id:user_id>/enable")
@operation(scope=Scope.USERS_MANAGE, answer=UserOut, errors=(404, 409))
def enable_user(user_id: str) -> Response:
    """Let a person in again."""
    return _set_disabled(user_id, False)


@api.post("/users/<id:user_id>/roles")
@operation(scope=Scope.USERS_MANAGE, body=RoleCreate, answer=UserOut, status=201,
           errors=(404, 409))
def grant_role(user_id: str, json_data: RoleCreate) -> Response:
    """Grant a role; needs a password typed just now, and every scope of the role."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        accounts.grant_role(
            session,
            actor,
            user_id=user_id,
            role=json_data.role,
            environment_id=None if json_data.everywhere else actor.environment_id,
        )
        session.flush()
        view = accounts.get_person(session, actor, user_id)
    return reply(UserOut.model_validate(view), 201)


@api.delete("/users/<id:user_id>/roles/<id:grant_id>")
@operation(scope=Scope.USERS_MANAGE, answer=None, status=204, errors=(404, 409))
def revoke_role(user_id: str, grant_id: str) -> Response:
    """Take a role back."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        accounts.revoke_role(session, actor, grant_id=grant_id, user_id=user_id)
    return Response(status=204)


def _set_disabled(user_id: str, disabled: bool) -> Response:
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        accounts.set_disabled(session, actor, user_id, disabled)
        view = accounts.get_person(session, actor, user_id)
    return reply(UserOut.model_validate(view))

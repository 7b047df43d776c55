"""``/api/v1/tokens``, ``/api/v1/sessions`` and one's password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response

from app.accounts import service as accounts
from app.accounts.passwords import check_password_rules
from app.api.blueprint import api, operation, reply
from app.api.shapes_access import (
    PasswordChange,
    SessionList,
    SessionOut,
    TokenCreate,
    TokenList,
    TokenMade,
    TokenOut,
)
from app.http.identity import current_actor
from app.http.services import services
from app.http.sign_in import reauthenticate, sign_in
from app.http.work import unit_of_work
from app.ids import utcnow


@api.get("/tokens")
@operation(scope=None, answer=TokenList)
def list_tokens() -> Response:
    """List one's own tokens in this environment; revoked ones are left out."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = accounts.list_tokens(session, actor)
    return reply(TokenList(items=[TokenOut.model_validate(row) for row in found]))


@api.post("/tokens")
@operation(scope=None, body=TokenCreate, answer=TokenMade, status=201, session_only=True,
           shown_once=True)
def create_token(json_data: TokenCreate) -> Response:
    """Make a token for this environment; its text is in this answer and nowhere else.

    One with `secrets:read:value` needs a password typed just now.
    """
    actor = current_actor()
    days = json_data.expires_days
    with unit_of_work(services().db, actor) as session:
        row, text = accounts.create_token(
            session,
            actor,
            user=accounts.get_user(session, actor.user_id or ""),
            name=json_data.name,
            scopes=json_data.scopes,
            environment_id=actor.environment_id,
            expires_at=None if days is None else utcnow() + timedelta(days=days),
        )
        made = TokenOut.model_validate(row)
    return reply(TokenMade(**_fields(made), token=text), 201)


@api.delete("/tokens/<id:token_id>")
@operation(scope=None, answer=None, status=204, errors=(404,))
def revoke_token(token_id: str) -> Response:
    """End a token of one's own, or anybody's here with `users:manage`."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        accounts.revoke_token(session, actor, token_id)
    return Response(status=204)


@api.get("/sessions")
@operation(scope=None, answer=SessionList, session_only=True)
def list_sessions() -> Response:
    """List one's own logins that still hold."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = accounts.list_sessions(session, actor)
    items = [
        SessionOut(
            id=row.id, created_at=row.created_at, last_seen_at=row.last_seen_at,
            address=row.address, user_agent=row.user_agent, current=row.id == actor.session_id,
        )
        for row in found
    ]
    return reply(SessionList(items=items))


@api.delete("/sessions/<id:session_id>")
@operation(scope=None, answer=None, status=204, session_only=True, errors=(404,))
def revoke_session(session_id: str) -> Response:
    """End one of one's own logins."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        accounts.revoke_session(session, actor, session_id)
    return Response(status=204)


@api.post("/me/password")
@operation(scope=None, body=PasswordChange, answer=None, status=204, session_only=True,
           errors=(429,))
def change_password(json_data: PasswordChange) -> Response:
    """Change one's password; every other login ends, this one gets a new cookie."""
    actor = current_actor()
    check_password_rules(json_data.password, email=actor.name)
    reauthenticate(services(), actor, json_data.current_password)
    with unit_of_work(services().db, actor) as session:
        accounts.set_password(session, actor, actor.user_id or "", json_data.password)
    sign_in(services(), actor.name, json_data.password)
    return Response(status=204)


def _fields(model: TokenOut) -> dict[str, Any]:
    return {name: getattr(model, name) for name in TokenOut.model_fields}

"""What hangs on ``/api/v1/secrets/{id}``: versions, restore and purge, uses and accesses."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, if_match, operation, reply
from app.api.secrets import answer_secret
from app.api.shapes import SecretOut
from app.api.shapes_versions import (
    AccessesQuery,
    AccessList,
    AccessOut,
    DeletedQuery,
    PinOut,
    UsageOut,
    UseOut,
    VersionList,
    VersionOut,
)
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.vault import service as vault_service
from app.vault.purge import purge_secret as purge
from app.vault.service import SecretView

_ERRORS = (404, 409, 412, 423)


@api.get("/secrets/<id:secret_id>/versions")
@operation(scope=Scope.SECRETS_READ, query=DeletedQuery, answer=VersionList, errors=(404,))
def list_secret_versions(secret_id: str, query_data: DeletedQuery) -> Response:
    """List a secret's versions, newest first."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        view = vault_service.get_secret(session, actor, secret_id, deleted=query_data.deleted)
        found = vault_service.list_versions(
            session, actor, secret_id, deleted=query_data.deleted
        )
    items = [VersionOut.model_validate(version) for version in found]
    return reply(VersionList(items=items), revision=view.revision)


@api.post("/secrets/<id:secret_id>/versions/<int:number>/activate")
@operation(scope=Scope.SECRETS_MANAGE, answer=SecretOut, errors=_ERRORS)
def activate_secret_version(secret_id: str, number: int) -> Response:
    """Make a version the active one; its value isn't needed for it."""
    return _change(vault_service.activate_version, secret_id, number)


@api.post("/secrets/<id:secret_id>/versions/<int:number>/disable")
@operation(scope=Scope.SECRETS_MANAGE, answer=SecretOut, errors=_ERRORS)
def disable_secret_version(secret_id: str, number: int) -> Response:
    """Deny a version's value until it is enabled again."""
    return _change(vault_service.disable_version, secret_id, number)


@api.post("/secrets/<id:secret_id>/versions/<int:number>/enable")
@operation(scope=Scope.SECRETS_MANAGE, answer=SecretOut, errors=_ERRORS)
def enable_secret_version(secret_id: str, number: int) -> Response:
    """Let a disabled version's value be used again."""
    return _change(vault_service.enable_version, secret_id, number)


@api.post("/secrets/<id:secret_id>/versions/<int:number>/destroy")
@operation(scope=Scope.SECRETS_MANAGE, answer=SecretOut, errors=_ERRORS)
def destroy_secret_version(secret_id: str, number: int) -> Response:
    """Destroy a version: its value never comes back."""
    return _change(vault_service.destroy_version, secret_id, number)


@api.post("/secrets/<id:secret_id>/restore")
@operation(scope=Scope.SECRETS_MANAGE, answer=SecretOut, errors=_ERRORS)
def restore_secret(secret_id: str) -> Response:
    """Bring a deleted secret back whole."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        view = vault_service.restore_secret(session, actor, secret_id, if_match=if_match())
    return answer_secret(view)


@api.post("/secrets/<id:secret_id>/purge")
@operation(scope=Scope.SECRETS_MANAGE, answer=None, status=204, errors=_ERRORS)
def purge_secret(secret_id: str) -> Response:
    """Purge a deleted secret before its window is over: nothing of it is left."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        purge(session, actor, secret_id, if_match=if_match())
    return Response(status=204)


@api.get("/secrets/<id:secret_id>/usage")
@operation(scope=Scope.SECRETS_READ, query=DeletedQuery, answer=UsageOut, errors=(404,))
def get_secret_usage(secret_id: str, query_data: DeletedQuery) -> Response:
    """Say which flows use a secret, and what a rotation changes there."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        view = vault_service.get_secret(session, actor, secret_id, deleted=query_data.deleted)
        usage = vault_service.usage_of(session, actor, secret_id)
        uses = [UseOut.model_validate(use) for use in usage.uses]
    pins = [PinOut(version=version, flows=flows) for version, flows in usage.pins.items()]
    return reply(
        UsageOut(items=uses, follows=usage.follows, pins=pins, summary=usage.summary),
        revision=view.revision,
    )


@api.get("/secrets/<id:secret_id>/accesses")
@operation(scope=(Scope.AUDIT_READ, Scope.SECRETS_MANAGE), query=AccessesQuery,
           answer=AccessList, errors=(404,))
def list_secret_accesses(secret_id: str, query_data: AccessesQuery) -> Response:
    """List who was given a secret's value or refused, newest first, with run and node."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        page = vault_service.list_accesses(
            session, actor, secret_id, deleted=query_data.deleted, cursor=query_data.cursor,
            limit=query_data.limit,
        )
    items = [AccessOut.model_validate(access) for access in page.items]
    return reply(AccessList(items=items, next_cursor=page.next_cursor))


def _change(service: Callable[..., SecretView], secret_id: str, number: int) -> Response:
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        view = service(session, actor, secret_id, number, if_match=if_match())
    return answer_secret(view)

"""``/api/v1/secrets``."""

from __future__ import annotations

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, if_match, operation, reply
from app.api.shapes import SecretCreate, SecretList, SecretOut, SecretRotate, SecretsQuery
from app.api.shapes_versions import (
    SecretDelete,
    SecretPatch,
    SecretQuery,
    SecretShown,
    VersionOut,
)
from app.audit import Action, AuditNote
from app.errors import Denied, Unavailable
from app.http.browsers import sent_by_browser
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.vault import NewSecret, Vault
from app.vault import service as vault_service
from app.vault.reveal import reveal_for_token
from app.vault.service import SecretChange, SecretView


@api.post("/secrets")
@operation(scope=Scope.SECRETS_MANAGE, body=SecretCreate, answer=SecretOut, status=201,
           errors=(409, 423, 503))
def create_secret(json_data: SecretCreate) -> Response:
    """Create a secret."""
    actor = current_actor()
    new = NewSecret(
        name=json_data.name,
        value=json_data.value,
        description=json_data.description,
        tags=tuple(json_data.tags),
        owner=json_data.owner,
        allow_weak=json_data.allow_weak,
        rotation_period_days=json_data.rotation_period_days,
        allowed_hosts=_tuple(json_data.allowed_hosts),
        allowed_flows=_tuple(json_data.allowed_flows),
    )
    with unit_of_work(services().db, actor) as session:
        view = vault_service.create_secret(session, actor, _vault(), new)
    return answer_secret(view, 201, headers={"Location": f"/api/v1/secrets/{view.id}"})


@api.get("/secrets")
@operation(scope=Scope.SECRETS_READ, query=SecretsQuery, answer=SecretList)
def list_secrets(query_data: SecretsQuery) -> Response:
    """List secrets, without values."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        page = vault_service.list_secrets(
            session,
            actor,
            q=query_data.q,
            tag=query_data.tag,
            sort=query_data.sort,
            cursor=query_data.cursor,
            limit=query_data.limit,
            deleted=query_data.state == "deleted",
            due=query_data.due,
        )
    items = [SecretOut.model_validate(view) for view in page.items]
    return reply(
        SecretList(items=items, next_cursor=page.next_cursor),
        leave_out={"items": {"__all__": {"value"}}},
    )


@api.get("/secrets/<id:secret_id>")
@operation(scope=Scope.SECRETS_READ, query=SecretQuery, answer=SecretShown,
           errors=(404, 423, 503))
def get_secret(secret_id: str, query_data: SecretQuery) -> Response:
    """Show a secret; with its value for tokens that have `secrets:read:value`."""
    actor = current_actor()
    number, deleted = query_data.version, query_data.deleted
    with unit_of_work(services().db, actor) as session:
        view = vault_service.get_secret(session, actor, secret_id, deleted=deleted)
        version = None if number is None else vault_service.get_version(
            session, actor, secret_id, number, deleted=deleted
        )
    shown = SecretShown.model_validate(view)
    if version:
        shown.version = VersionOut.model_validate(version)
    hidden = set() if version else {"version"}
    readable = view.state != "deleted" and (version is None or version.state == "enabled")
    if actor.kind != "token" or not actor.may(Scope.SECRETS_READ_VALUE) or not readable:
        return reply(shown, revision=view.revision, leave_out={"value", *hidden})
    # In a transaction of its own: the audit event is committed before the value leaves.
    with unit_of_work(services().db, actor) as session:
        _refuse_browser(secret_id)
        shown.value = reveal_for_token(session, actor, _vault(), secret_id, number)
    return reply(shown, revision=view.revision, leave_out=hidden)


def _refuse_browser(secret_id: str) -> None:
    if sent_by_browser():
        raise Denied(
            "browser_refused",
            "A value goes to programs only: leave out cookies, Origin and Sec-Fetch headers.",
            audit=AuditNote(action=Action.SECRET_REVEAL, secret_id=secret_id),
        )


@api.patch("/secrets/<id:secret_id>")
@operation(scope=Scope.SECRETS_MANAGE, body=SecretPatch, answer=SecretOut,
           errors=(404, 409, 412, 423))
def describe_secret(secret_id: str, json_data: SecretPatch) -> Response:
    """Change what is said of a secret and who may use it where; its values stay."""
    actor = current_actor()
    sent = {name: getattr(json_data, name) for name in json_data.model_fields_set}
    if "owner" in sent:
        sent["owner"] = sent["owner"] or ""
    with unit_of_work(services().db, actor) as session:
        view = vault_service.describe_secret(
            session, actor, secret_id, SecretChange(**sent), if_match=if_match()
        )
    return answer_secret(view)


@api.put("/secrets/<id:secret_id>/rotate")
@operation(scope=Scope.SECRETS_MANAGE, body=SecretRotate, answer=SecretOut,
           errors=(404, 409, 412, 423, 503))
def rotate_secret(secret_id: str, json_data: SecretRotate) -> Response:
    """Give a secret a new value, as a new version that becomes the active one."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        view = vault_service.rotate_secret(
            session,
            actor,
            _vault(),
            secret_id,
            value=json_data.value,
            allow_weak=json_data.allow_weak,
            if_match=if_match(),
        )
    return answer_secret(view)


@api.delete("/secrets/<id:secret_id>")
@operation(scope=Scope.SECRETS_MANAGE, query=SecretDelete, answer=None, status=204,
           errors=(404, 409, 412, 423))
def delete_secret(secret_id: str, query_data: SecretDelete) -> Response:
    """Delete a secret: its values are denied at once; it can be restored for some days."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        vault_service.delete_secret(
            session, actor, secret_id, if_match=if_match(),
            recovery_days=query_data.recovery_days,
        )
    return Response(status=204)


def answer_secret(
    view: SecretView, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer with a secret, never with its value."""
    return reply(
        SecretOut.model_validate(view),
        status,
        revision=view.revision,
        headers=headers,
        leave_out={"value"},
    )


def _vault() -> Vault:
    vault = services().vault
    if vault is None:
        raise Unavailable("vault_closed", "This process holds no master key.")
    return vault


def _tuple(items: list[str] | None) -> tuple[str, ...] | None:
    return None if items is None else tuple(items)

"""Credentials typed into ordinary fields of a flow: storing them, or saying that they are none."""

from __future__ import annotations

from flask import Response
from pydantic import Field

from app.accounts.scopes import Scope
from app.api.blueprint import api, if_match, operation, reply
from app.api.bodies import Body, Text
from app.api.flows import fields_of
from app.api.shapes import FlowOut
from app.errors import Unavailable
from app.flows import service as flows_service
from app.flows.credential_marks import ToStore, mark_no_credential, store_credential
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work


class CredentialStore(Body):
    """A hardcoded credential to store as a secret."""

    node: Text
    field: Text = Field(description="As the problem `hardcoded_credential` names it.")
    name: Text = Field(description="Of the new secret.")
    port: Text | None = Field(
        None, description="The input that takes the wire; needed where several could."
    )


class CredentialMark(Body):
    """A field that holds no credential."""

    node: Text | None = Field(None, description="Left out for a note of the canvas.")
    field: Text = Field(description="As the problem `hardcoded_credential` names it.")


@api.post("/flows/<id:flow_id>/store-credential")
@operation(scope=Scope.FLOWS_MANAGE, body=CredentialStore, answer=FlowOut,
           errors=(404, 409, 412, 503))
def store_flow_credential(flow_id: str, json_data: CredentialStore) -> Response:
    """Store what was typed into a field as a secret, fetch and wire it, and empty the field."""
    actor, held = current_actor(), services()
    if held.vault is None:
        raise Unavailable("vault_closed", "This process doesn't hold the master key.")
    wanted = ToStore(json_data.node, json_data.field, json_data.name, json_data.port)
    with unit_of_work(held.db, actor) as session:
        store_credential(session, actor, held.vault, flow_id, wanted, if_match=if_match())
        view = flows_service.get_flow(session, actor, flow_id)
    return reply(FlowOut.model_validate(fields_of(view)), revision=view.revision)


@api.post("/flows/<id:flow_id>/credential-marks")
@operation(scope=Scope.FLOWS_MANAGE, body=CredentialMark, answer=None, status=204,
           errors=(404,))
def mark_flow_credential(flow_id: str, json_data: CredentialMark) -> Response:
    """Say that what stands in a field is no credential; another text there is found again."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        mark_no_credential(
            session, actor, flow_id, node=json_data.node or "", field=json_data.field
        )
    return Response(status=204)

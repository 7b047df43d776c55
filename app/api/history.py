"""A flow's versions: one, the difference between two, and one as the draft again."""

from __future__ import annotations

from typing import Any, Literal

from flask import Response
from pydantic import Field

from app.accounts.scopes import Scope
from app.api.blueprint import api, if_match, operation, reply
from app.api.bodies import Query, Text
from app.api.flows import fields_of
from app.api.shapes import Answer, FlowOut
from app.flows import history
from app.flows import service as flows_service
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work


class SnapshotOut(Answer):
    """What a flow was in a version."""

    name: str
    graph: dict[str, Any]
    settings: dict[str, Any] = Field(description="What differs from the defaults.")


class DiffQuery(Query):
    """Which two to compare."""

    before: Text = Field(max_length=64, description="A version's number, or `draft`.")
    after: Text = Field("draft", max_length=64, description="The same; the draft by default.")


class NodeChangeOut(Answer):
    """A node that isn't the same; `fields` names what changed, never a value."""

    id: str
    label: str
    component: str
    change: Literal["added", "removed", "changed"]
    fields: list[str]


class EdgeChangeOut(Answer):
    """A wire that isn't the same."""

    source: str
    target: str
    change: Literal["added", "removed", "changed"]


class DifferenceOut(Answer):
    """What differs between two versions."""

    same: bool
    nodes: list[NodeChangeOut]
    edges: list[EdgeChangeOut]
    moved: list[str] = Field(description="Nodes of which only the place changed.")
    settings: list[str] = Field(description="Names of settings that differ.")


@api.get("/flows/<id:flow_id>/versions/<number>")
@operation(scope=Scope.FLOWS_READ, answer=SnapshotOut, errors=(404,))
def get_flow_version(flow_id: str, number: str) -> Response:
    """Show the graph and settings of a version."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        found = history.get_snapshot(session, actor, flow_id, number)
    return reply(SnapshotOut.model_validate(found))


@api.get("/flows/<id:flow_id>/diff")
@operation(scope=Scope.FLOWS_READ, query=DiffQuery, answer=DifferenceOut, errors=(404,))
def diff_flow_versions(flow_id: str, query_data: DiffQuery) -> Response:
    """Say which nodes, wires and settings differ between two versions."""
    actor = current_actor()
    with unit_of_work(services().db, actor, read=True) as session:
        _, _, found = history.compare(
            session, actor, flow_id, query_data.before, query_data.after
        )
    return reply(DifferenceOut.model_validate(found))


@api.post("/flows/<id:flow_id>/versions/<number>/restore")
@operation(scope=Scope.FLOWS_MANAGE, answer=FlowOut, errors=(404, 409, 412, 423))
def restore_flow_version(flow_id: str, number: str) -> Response:
    """Make a version the draft again; the draft of now is kept, and what is active stays."""
    actor = current_actor()
    with unit_of_work(services().db, actor) as session:
        history.restore(session, actor, flow_id, number, if_match=if_match())
        view = flows_service.get_flow(session, actor, flow_id)
    return reply(FlowOut.model_validate(fields_of(view)), revision=view.revision)

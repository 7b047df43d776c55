"""``/api/v1/components``: what is installed, and pure functions of it for a node's settings."""

from __future__ import annotations

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes import ComponentList
from app.api.shapes_components import NodeSettings, NodeShape, NodeUpgrade
from app.components.declaration import Component
from app.components.registry import registry
from app.components.upgrades import upgrade
from app.errors import NotFound
from app.flows.policies import describe_policies


@api.get("/components")
@operation(scope=Scope.FLOWS_READ, answer=ComponentList)
def list_components() -> Response:
    """List the installed components, which ports may be wired, and the policies of every node."""
    described = registry().describe()
    return reply(
        ComponentList(
            items=described["items"],
            port_rules=described["port_rules"],
            node_policies=describe_policies(),
        )
    )


@api.post("/components/<name>/shape")
@operation(scope=Scope.FLOWS_READ, body=NodeSettings, answer=NodeShape, errors=(404,))
def shape_node(name: str, json_data: NodeSettings) -> Response:
    """Say which ports a node has with these settings, and which choices its fields."""
    component = _get(name, json_data.version)
    return reply(NodeShape.model_validate(component.describe_shape(json_data.config)))


@api.post("/components/<name>/upgrade")
@operation(scope=Scope.FLOWS_READ, body=NodeSettings, answer=NodeUpgrade, errors=(404,))
def upgrade_node(name: str, json_data: NodeSettings) -> Response:
    """Return a node's settings in the installed version of its component; no flow is changed."""
    done = upgrade(registry().get(name), json_data.config, json_data.version or 1)
    return reply(NodeUpgrade(
        version=done.version, config=done.config, inputs=done.inputs, outputs=done.outputs,
        says=list(done.says),
    ))


def _get(name: str, version: int | None) -> Component:
    found = registry().find(name, version)
    if found is None:
        registry().get(name)
        raise NotFound(
            "component_version_missing", f"Version {version} of {name} doesn't run here."
        )
    return found

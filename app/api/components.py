"""``/api/v1/components``."""

from __future__ import annotations

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes import ComponentList
from app.components.registry import registry
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

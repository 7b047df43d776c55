"""``/api/v1/components``."""

from __future__ import annotations

from flask import Response

from app.accounts.scopes import Scope
from app.api.blueprint import api, operation, reply
from app.api.shapes import ComponentList
from app.components.registry import registry


@api.get("/components")
@operation(scope=Scope.FLOWS_READ, answer=ComponentList)
def list_components() -> Response:
    """List the installed components, their fields and ports, and which ports may be wired."""
    described = registry().describe()
    return reply(
        ComponentList(items=described["items"], port_rules=described["port_rules"])
    )

"""What the author of a component imports, and nothing besides.

``app.sdk.testing`` runs a component without a server.
"""

from app.components.context import Cancellation, Context, NodeLog
from app.components.declaration import Component, ComponentConfig, field
from app.components.errors import NodeCancelled, NodeError, NodeTimeout
from app.components.ports import Port, PortType
from app.components.problems import Problem, Remedy
from app.components.secret import Secret

__all__ = [
    "Cancellation",
    "Component",
    "ComponentConfig",
    "Context",
    "NodeCancelled",
    "NodeError",
    "NodeLog",
    "NodeTimeout",
    "Port",
    "PortType",
    "Problem",
    "Remedy",
    "Secret",
    "field",
]

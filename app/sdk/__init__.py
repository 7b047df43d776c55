"""What the author of a component imports, and nothing besides (docs/components.md is the guide).

``app.sdk.net`` and ``app.sdk.providers`` have what goes out to the network and what an external
secret manager is; import them where ``run`` needs them, so that the server loads neither.
``app.sdk.testing`` runs a component without a server.
"""

from app.components.context import Cancellation, Context, NodeLog
from app.components.deadline import Deadline
from app.components.declaration import SDK, Component
from app.components.errors import NodeCancelled, NodeError, NodeTimeout
from app.components.examples import Example, Failure
from app.components.external import ExternalFetch, read_credentials
from app.components.fields import (
    ComponentConfig,
    config_words,
    field,
    output_format_field,
    time_limit_field,
)
from app.components.ports import Port, PortType
from app.components.problems import Problem, Remedy
from app.components.secret import Secret
from app.components.shapes import Ports
from app.components.upgrades import Upgrade

__all__ = [
    "SDK",
    "Cancellation",
    "Component",
    "ComponentConfig",
    "Context",
    "Deadline",
    "Example",
    "ExternalFetch",
    "Failure",
    "NodeCancelled",
    "NodeError",
    "NodeLog",
    "NodeTimeout",
    "Port",
    "PortType",
    "Ports",
    "Problem",
    "Remedy",
    "Secret",
    "Upgrade",
    "config_words",
    "field",
    "output_format_field",
    "read_credentials",
    "time_limit_field",
]

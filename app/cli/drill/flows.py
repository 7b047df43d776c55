"""What the drill runs: canaries of every kind, and flows that lead them out in every way."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.cli.drill.service import FAILURES

ADDRESSES: Final = ("url", "endpoint", "endpoint_url", "base_url", "api_url", "proxy")
HOSTS: Final = ("host", "hostname", "server")
NAMING: Final = ("secret.fetch", "trigger.webhook")
"""Components that name a stored secret in their ``secretName``."""


@dataclass(frozen=True, slots=True)
class Canaries:
    """Values that stand nowhere else in the world.

    :param values: by kind, as they are stored.
    :param hunted: by a name that may be printed: the values, and what they consist of.
    :param control: no secret. The hunt has to find it, or it sees nothing.
    """

    values: Mapping[str, str]
    hunted: Mapping[str, str]
    control: str

    @classmethod
    def make(cls) -> Canaries:
        """Make them anew."""
        random = secrets.token_hex(8)
        lines = [f"CANARY-LINE-{n}-{secrets.token_hex(12)}" for n in range(3)]
        user, password = f"CANARY-USER-{random}", f'CANARY"PASS-{random}'
        values = {
            "text": f"CANARY {random}/+='\"<&>%\\$`",
            "json": json.dumps({"user": user, "password": password}),
            "lines": "-----BEGIN CANARY-----\n" + "\n".join(lines) + "\n-----END CANARY-----\n",
            "unicode": f"CANARÝ-ключ-密钥-{random}-🔑",
            "base64": base64.b64encode(f"CANARY-BASE64-{random}?>".encode()).decode(),
        }
        hunted = {
            **values,
            **{f"lines, {n}": line for n, line in enumerate(lines)},
            "json, user": user,
            "json, password": password,
            "basic pair": f"somebody:{values['text']}",
        }
        return cls(values, hunted, f"CONTROL-{secrets.token_hex(12)}")


def leading_out(secret: str, url: str) -> dict[str, Any]:
    """Return a flow that sends a secret to a service that tells it back, and fails in every way.

    :param secret: the stored secret's name.
    :param url: of the service, without a path.
    """
    nodes = [_node("fetch", "secret.fetch", secretName=secret)]
    edges = []
    for number, path in enumerate(("echo", *(one for one in FAILURES if one != "slow"))):
        call, log = f"call{number}", f"log{number}"
        nodes += [
            _node(call, "http.request", method="POST", url=f"{url}/{path}", timeout=5),
            _node(log, "output.log"),
        ]
        edges += [
            _wire("fetch", "value", call, "bearer_token"), _wire(call, "body", log, "message"),
        ]
    return {"schema": 1, "nodes": nodes, "edges": edges}


def speaking(text: str) -> dict[str, Any]:
    """Return a flow that logs a text which is no secret."""
    return {"schema": 1, "nodes": [_node("say", "output.log", message=text)], "edges": []}


def in_place(graph: Mapping[str, Any], prefix: str, url: str) -> dict[str, Any]:
    """Return a flow with canaries for its secrets, and the service for what it calls.

    :param prefix: of the canaries' names; what kind of value it is comes after it.
    """
    copy: dict[str, Any] = json.loads(json.dumps(graph))
    for node in copy["nodes"]:
        config = node["config"]
        if node["component"] in NAMING and config.get("secretName"):
            kind = "json" if config.get("outputFormat") == "json" else "text"
            config.update(secretName=prefix + kind, version=None)
        for name, value in config.items():
            if name in ADDRESSES or (isinstance(value, str) and value.startswith("http")):
                config[name] = f"{url}/echo"
            elif name in HOSTS:
                config[name] = "127.0.0.1"
    return copy


def _node(name: str, component: str, **config: Any) -> dict[str, Any]:
    return {
        "id": name, "component": component, "label": name, "position": [0, 0], "config": config,
    }


def _wire(source: str, port: str, target: str, into: str) -> dict[str, Any]:
    return {
        "id": f"{source}-{target}", "source": {"node": source, "port": port},
        "target": {"node": target, "port": into},
    }

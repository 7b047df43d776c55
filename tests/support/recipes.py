"""Flows that lead canaries through every component: by its secret inputs, and by its plain ones.

What a component is given follows from its declaration. The secret's value reaches plain inputs as
in life: a service answered with it, and data passes between nodes as it is. One chain for each
kind of canary and each way::

    Secret Fetch ──▶ HTTP Request, told back ──▶ the component ──▶ Log
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.components.binding import find_config_problems
from app.components.declaration import Component
from app.components.fields import ConfigField
from app.components.ports import Port, PortType, accepts
from tests.support.blabbing import FAILURES

TEXT, JSON = ("tell", "body", PortType.TEXT), ("tell", "json", PortType.JSON)
ADDRESSES = ("url", "endpoint", "endpoint_url", "base_url")

CONFIGS: dict[str, dict[str, Any]] = {
    "trigger.schedule": {"cron": "0 0 1 1 *"},
    "control.delay": {"seconds": 0.01},
    "data.json_query": {"query": "@"},
    "secret.field": {"path": "user"},
    "secret.template": {"template": "Basic {{secret}}-{{secret|url}}-{{secret|json}}-"
                                    "{{secret|base64}}-{{secret_2}}-{{secret_3}}-{{secret_4}}"},
    "data.template": {"template": "{{ values }} {% for one in values %}{{ one }}{% endfor %}"},
    "text.template": {"template": "{{values}}"},
    "file.read": {"path": "nothing.txt"},
    "sql.query": {"query": "select :a, :a", "parameters": {"a": 1}},
    "file.write": {"path": "here/out.txt", "make_folders": True, "mode": "append"},
    "slack.post": {"channel": "C01", "text": "x", "retry_count": 0},
    "http.webhook_post": {"retry_count": 0},
    "email.send": {"from": "a@example.com", "to": "b@example.com", "timeout": 2,
                   "security": "none"},
}
"""What has to be typed into a component, where its declaration doesn't say it all."""

BROKEN: dict[str, list[dict[str, Any]]] = {
    "data.json_query": [{"query": "["}, {"query": "length(@.number)"}],
    "data.template": [{"template": "{{ values.a.b.c }}"}, {"template": "{% if %}"},
                      {"template": "{{ values['all'] / 0 }}"}],
    "text.template": [{"template": "{{nothing}}"}],
    "secret.field": [{"path": "nothing.0"}, {"path": "user.name"}],
    "secret.template": [{"template": "{{secret}} {{nothing}}"}],
    "crypto.hmac": [{"key_format": "hex"}, {"key_format": "base64"}],
    "crypto.hash": [{"algorithm": "scrypt", "salt": "short"}],
    "control.condition": [{"operator": "greater", "compare_to": "x"}],
    "data.parse_json": [{"form": "lines"}, {"text": "{"}],
    "data.parse_csv": [{"delimiter": "tab"}, {"header": False, "max_rows": 1}],
    "data.parse_yaml": [{"documents": "all"}, {"text": "a: ["}],
    "sql.query": [{"query": "select :b"}, {"query": "select 1; select 2"}],
    "file.read": [{"path": "../x"}, {"path": "/etc/passwd"}, {"path": "/proc/self/environ"}],
    "file.write": [{"encoding": "base64"}, {"path": "no/folder", "make_folders": False}],
    "data.set": [{"remove": "[["}],
}
"""Settings with which a component fails at what it is given."""

WAYS: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "http.request": [
        ({"proxy": "{service}"}, ("bearer_token", "proxy_credentials")),
        ({"proxy": "{service}", "url": "https://localhost:9/"}, ("proxy_credentials",)),
        ({"api_key_in": "query", "api_key_header": "k"}, ("api_key",)),
        ({"api_key_in": "query", "url": "{service}/redirect"}, ("api_key",)),
        ({"url": "{service}/status/503", "retry_count": 1, "fail_on": "busy"}, ("bearer_token",)),
        ({"paginate": "next_url", "page_next": "all.0.literal"}, ("bearer_token",)),
        ({"paginate": "cursor", "page_items": "nested", "page_next": "all.0.literal",
          "max_pages": 2}, ("bearer_token",)),
        ({"answer_as": "json", "url": "{service}/bad-json"}, ("bearer_token",)),
        ({"answer_as": "base64"}, ("bearer_token",)),
        ({"url": "https://localhost:9/"}, ("client_certificate",)),
        ({"method": "POST"}, ("secret_body",)),
        ({"method": "POST", "url": "{service}/redirect-nowhere"}, ("secret_body",)),
    ],
    "sql.query": [
        ({"connection": "typed", "host": "127.0.0.1", "port": 9, "database": "d", "user": "u",
          "tls": "off"}, ("password",)),
        ({"connection": "typed", "host": "nowhere.invalid", "database": "d", "user": "u"},
         ("password",)),
        ({"connection": "sqlite"}, ()),
    ],
    "http.webhook_post": [
        ({"url": "{service}/echo"}, ("signing_secret", "bearer_token")),
        ({"url": "{service}/echo", "signed_part": "body"}, ("signing_secret",)),
        ({"url": "{service}/status/503", "retry_count": 1}, ("bearer_token",)),
    ],
    "slack.post": [
        ({"api_url": "{service}/status/500"}, ("bot_token",)),
        ({"api_url": "{service}"}, ("bot_token",)),
        ({"api_url": "{service}/bad-json"}, ("bot_token",)),
        ({"api_url": "{service}/garbage"}, ("bot_token",)),
    ],
    "email.send": [
        ({"security": "starttls"}, ("password",)),
        ({"security": "tls"}, ("password",)),
        ({"security": "none"}, ()),
    ],
}
"""More ways of a component with many: settings (``{service}`` is the service's address), and the
secret inputs that are wired."""


@dataclass
class Chain:
    """A way into one component: its config and what is wired into it."""

    component: Component
    config: dict[str, Any]
    wires: list[tuple[str, str]] = field(default_factory=list)
    """``(source, port)``: source is ``secret``, ``body`` or ``json``."""


def chains(component: Component, url: str, secret: str) -> list[Chain]:
    """Return the ways into a component.

    :param url: of a service that tells back (:mod:`tests.support.blabbing`).
    :param secret: name of a stored secret.
    :raises LookupError: nothing is known to type into it; it needs an entry in :data:`CONFIGS`.
    """
    config = _config(component, url, secret)
    inputs = component.shape(config).inputs
    given = [
        *(("secret", port.name) for port in inputs if port.type is PortType.SECRET),
        *((source, port.name) for port in inputs if (source := _source(port))),
    ]
    # Each secret alone, beside those that the component can't do without.
    needed = [("secret", port.name) for port in component.inputs
              if port.type is PortType.SECRET and port.required]
    one_secret = [list(dict.fromkeys([*needed, wire])) for wire in given if wire[0] == "secret"]
    plain = [wire for wire in given if wire[0] != "secret"]
    ways = [Chain(component, config, given)]
    needed = [("secret", port.name) for port in component.inputs
              if port.type is PortType.SECRET and port.required]
    ways += [Chain(component, config, list(dict.fromkeys([*plain, *needed, *wire])))
             for wire in one_secret]
    ways += [
        Chain(component, config, [*given, (source, name)])
        for name, one in component.fields().items()
        if one.port is not None and (source := _source(one.port))
    ]
    ways += [Chain(component, config | broken, given) for broken in BROKEN.get(component.name, ())]
    ways += [
        Chain(component, config | _filled(more, url), [*plain, *(("secret", one) for one in held)])
        for more, held in WAYS.get(component.name, ())
    ]
    address = next((name for name in ADDRESSES if name in component.fields()), None)
    if address is not None:
        hasty = {"timeout": 1} if "timeout" in component.fields() else {}
        addresses = [f"{url}/{failure}" for failure in FAILURES]
        addresses += ["http://127.0.0.1:9/", "http://nowhere.invalid/"]
        wires = [*plain, *(one_secret[0] if one_secret else ())]
        ways += [Chain(component, {**config, **hasty, address: at}, wires) for at in addresses]
    return ways


def _filled(config: Mapping[str, Any], url: str) -> dict[str, Any]:
    return {name: value.replace("{service}", url) if isinstance(value, str) else value
            for name, value in config.items()}


def flow(component: Component, url: str, secret: str) -> dict[str, Any]:
    """Return the graph that leads a secret through a component, in all ways."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []

    def node(name: str, kind: str, config: Mapping[str, Any]) -> str:
        nodes.append({
            "id": name, "component": kind, "label": name, "position": [0, len(nodes)],
            "config": dict(config),
        })
        return name

    def wire(source: str, port: str, target: str, into: str) -> None:
        edges.append({
            "id": f"e{len(edges)}", "source": {"node": source, "port": port},
            "target": {"node": target, "port": into},
        })

    fetch = node("fetch", "secret.fetch", {"secretName": secret})
    tell = node("tell", "http.request", {"method": "POST", "url": f"{url}/echo"})
    wire(fetch, "value", tell, "bearer_token")
    sources = {"secret": (fetch, "value"), "body": (tell, "body"), "json": (tell, "json")}
    for way, chain in enumerate(chains(component, url, secret)):
        name = node(f"x{way}", component.name, chain.config)
        for source, port in chain.wires:
            wire(*sources[source], name, port)
        wire(tell, "done", name, "start")
        for place, output in enumerate(component.outputs):
            if output.type is PortType.SECRET:
                used = node(f"u{way}_{place}", "http.request", {"url": f"{url}/echo"})
                whole = chain.config.get("outputFormat") == "json"
                wire(name, output.name, used, "aws_credentials" if whole else "bearer_token")
            elif output.type is not PortType.ORDER:
                log = node(f"l{way}_{place}", "output.log", {})
                wire(name, output.name, log, "data")
    return {"schema": 1, "nodes": nodes, "edges": edges}


def _source(port: Port) -> str | None:
    if port.type in (PortType.SECRET, PortType.ORDER):
        return None
    for name, kind in (("json", PortType.JSON), ("body", PortType.TEXT)):
        if accepts(kind, port.type):
            return name
    return None


def _config(component: Component, url: str, secret: str) -> dict[str, Any]:
    config = dict(CONFIGS.get(component.name, {}))
    for name, one in component.fields().items():
        if name not in config and one.required:
            made = _typed(one, url, secret)
            if made is not None:
                config[name] = made
    problems = find_config_problems(component, config)
    if problems:
        raise LookupError(
            f"{component.name}: {'; '.join(problem.message for problem in problems)}. The canary "
            "hunt doesn't know what to type: add an entry to CONFIGS in tests/support/recipes.py."
        )
    return config


def _typed(one: ConfigField, url: str, secret: str) -> Any:
    kind = one.shown["kind"]
    if kind == "secret_name":
        return secret
    if one.name in ADDRESSES:
        return f"{url}/echo"
    if one.name in ("host", "hostname", "server"):
        return url.rpartition("/")[2].partition(":")[0]
    if one.name == "port":
        return int(url.rpartition(":")[2])
    if one.shown["choices"]:
        return one.shown["choices"][0]["value"]
    if kind == "number":
        return 1
    if kind in ("key_value", "json"):
        return {}
    if one.shown["placeholder"]:
        return one.shown["placeholder"]
    return "x" if kind in ("text", "multiline") else None


def uncovered(names: Iterator[str]) -> list[str]:
    """Return the entries of the tables that name no component."""
    return sorted({*CONFIGS, *BROKEN, *WAYS} - set(names))

"""Every built-in's declaration is complete, and the registry describes it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from app.components.declaration import Component
from app.components.fields import ComponentConfig, field
from app.components.ports import Port, PortType
from app.components.registry import BUILTINS, Registry, registry
from app.errors import NotFound
from app.sdk import testing

ROOT = Path(__file__).parents[3]
COMPONENTS = list(registry())


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: one.name)
def test_declaration_is_complete(component: Component) -> None:
    shown = component.describe()
    assert shown["title"]
    assert shown["help"].endswith(".")
    assert shown["icon"]
    assert shown["category"] in ("trigger", "secret", "connect", "logic", "output")
    names = [one["name"] for one in shown["inputs"]]
    assert len(names) == len(set(names))
    for one in shown["fields"]:
        assert one["label"]
        assert (one["name"] in names) is one["wirable"]
        if one["kind"] == "select":
            assert one["choices"]
            assert one["default"] in [c["value"] for c in one["choices"]]
    for one in shown["inputs"]:
        assert one["note"]
        assert not one["note"].endswith(".")
    assert {"start"} <= component.input_ports().keys()
    assert {"done"} <= component.output_ports().keys()
    json.dumps(shown)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: one.name)
def test_defaults_are_a_config_that_holds(component: Component) -> None:
    config = {one.name: one.default for one in component.fields().values() if not one.required}
    required = {
        one.name: one.shown["placeholder"] or "x"
        for one in component.fields().values() if one.required
    }
    component.Config.model_validate({**config, **required})


def ports(found: list[dict[str, str]]) -> dict[str, str]:
    return {one["name"]: one["type"] for one in found}


def test_ports_that_flows_rely_on() -> None:
    shown = {one["name"]: one for one in registry().describe()["items"]}
    assert ports(shown["trigger.manual"]["outputs"]) == {"payload": "json"}
    assert ports(shown["secret.fetch"]["outputs"]) == {"value": "secret"}
    assert shown["secret.fetch"]["inputs"] == []
    assert [one["name"] for one in shown["secret.fetch"]["fields"]] == [
        "secretName",
        "version",
        "outputFormat",
    ]
    assert ports(shown["http.request"]["outputs"]) == {
        "status": "number",
        "body": "text",
        "json": "json",
        "ok": "boolean",
        "headers": "json",
        "items": "list",
    }
    inputs = ports(shown["http.request"]["inputs"])
    for name, kind in {
        "bearer_token": "secret",
        "basic_password": "secret",
        "api_key": "secret",
        "method": "text",
        "url": "text",
        "headers": "json",
        "query": "json",
        "body": "json",
    }.items():
        assert inputs[name] == kind
    inputs = ports(shown["output.log"]["inputs"])
    assert inputs["message"] == "text"
    assert inputs["data"] == "any"


def test_registry_finds_and_refuses() -> None:
    assert registry() is registry()
    assert registry().find("no.such") is None
    assert "no.such" not in registry()
    assert "secret.fetch" in registry()
    with pytest.raises(NotFound) as caught:
        registry().get("no.such")
    assert caught.value.code == "component_not_installed"
    assert len(registry()) == len(BUILTINS)


def test_registry_refuses_a_component_under_another_name() -> None:
    with pytest.raises(TypeError, match="registered as"):
        Registry({"wrong.name": BUILTINS["output.log"]}).get("wrong.name")


def test_a_port_declared_twice_is_an_author_s_mistake() -> None:
    class Settings(ComponentConfig):
        data: str = field("", label="Data", kind="text")

    class Twice(Component):
        name = "test.twice"
        Config = Settings
        inputs = (Port("data", PortType.ANY),)

    with pytest.raises(TypeError, match="declared twice"):
        Twice.input_ports()


def test_running_needs_no_web_framework_database_or_client_library() -> None:
    script = """
import sys
from app.components.registry import registry
import app.components.http.exchange, app.flows.graph, app.flows.validation
from app.providers.egress import EgressGuard
list(registry())
print(sorted({"flask", "sqlalchemy", "httpx", "cryptography", "requests"} & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


#: Settings that no wire brings, and why: all others take one.
TYPED_ONLY = {
    "read before a run exists, by the scheduler and the web": {"trigger.*": "*"},
    "chooses a secret, and the check before the run needs it": {
        "secret.fetch": "secretName version",
        "aws.secrets_manager.fetch": "secretId region versionStage versionId timeout",
        "vault.kv.fetch": "secretPath mount engine version field namespace authMount timeout",
        "env.fetch": "reference timeout",
        "secret.field": "path",
    },
    "chooses an endpoint, or whom it is believed": {
        "aws.secrets_manager.fetch": "endpointUrl", "vault.kv.fetch": "address ca",
        "http.request": "proxy ca", "slack.post": "api_url", "email.send": "host port security ca",
        "sql.query": "host port database user file tls ca",
    },
    "shapes ports, or what may be wired to them": {
        "sql.query": "connection", "secret.template": "template", "*": "outputFormat",
    },
    "is code that runs where the secrets are": {"sql.query": "query"},
}


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: one.name)
def test_every_field_can_be_wired_but_those_that_mustn_t(component: Component) -> None:
    allowed: set[str] = set()
    for names in TYPED_ONLY.values():
        for pattern, fields in names.items():
            if fnmatch(component.name, pattern):
                allowed |= set(component.fields() if fields == "*" else fields.split())
    typed = {name for name, one in component.fields().items() if not one.shown["wirable"]}
    assert typed <= allowed


def test_a_wire_brings_a_choice_a_number_and_a_switch() -> None:
    found = testing.run(registry().get("crypto.hmac"), {"message": "m"},
                        wires={"algorithm": "sha512", "encoding": "base64"},
                        secrets={"key": "CANARY-key-of-the-test"})
    assert len(base64.b64decode(found.outputs["signature"])) == 64
    wrong = testing.run(registry().get("crypto.hmac"), {"message": "m"},
                        wires={"algorithm": "md5"}, secrets={"key": "CANARY-key-of-the-test"})
    assert wrong.error is not None
    assert wrong.error.code == "config_invalid"
    table = testing.run(registry().get("data.parse_csv"), {"text": "1,2\n3,4\n"},
                        wires={"header": False, "max_rows": 2})
    assert table.error is None, table.error
    many = testing.run(registry().get("data.parse_csv"), {"text": "1,2\n3,4\n"},
                       wires={"header": False, "max_rows": 1})
    assert many.error is not None
    assert many.error.code == "csv_too_many_rows"

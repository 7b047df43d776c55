"""The server imports declarations and calls pure functions, and never what a worker calls."""

from __future__ import annotations

from pathlib import Path

from tests.integration.web.conftest import Person
from tests.support.graphs import graph, node, wire
from tests.support.installation import Installation
from tests.support.packages import another_package, lay_out

__all__ = ["another_package"]

SPY = '''
from pathlib import Path
from app.sdk import Component, ComponentConfig, Example, ExternalFetch, Port, PortType, Ports, field
from app.sdk import Upgrade, time_limit_field

def note(what):
    with Path("{notes}").open("a") as notes:
        notes.write(what + "\\n")

class Settings(ComponentConfig):
    secret: str = field("s", label="Secret", kind="text", shapes=True)
    timeout: float = time_limit_field(5, most=10)

class Spy(ExternalFetch):
    name, version, title, icon = "acme.spy", 2, "Spy", "eye"
    help = "Notes what is called."
    provider, reference_field = "acme.spy", "secret"
    Config = Settings
    upgrades = {{1: Upgrade(lambda old: (note("upgrade"), old)[1], "Nothing.")}}
    examples = (Example("One"),)

    @classmethod
    def ports(cls, config):
        note("ports")
        return Ports((), (Port("value", PortType.SECRET),))

    @classmethod
    def prepare(cls):
        note("PREPARE")

    def check(self, context):
        note("CHECK")
        return ""

    def run(self, context):
        note("RUN")
        return {{}}

    def manager(self, context, stop):
        note("MANAGER")
'''


def test_the_server_runs_nothing(
    admin: Person, installation: Installation, another_package: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    lay_out(another_package, "acme-spy", {"acme.spy": "acme_spy:Spy"}, SPY.format(notes=notes))
    drawn = graph(
        node("spy", "acme.spy", secret="x", policies={"component_version": 2}),
        node("call", "http.request", url="http://127.0.0.1:9/"),
        wire("spy.value", "call.bearer_token"),
    )
    api = installation.api(installation.token())
    assert admin.get("/components").status_code == 200
    assert admin.get("/components/acme.spy").status_code == 200
    assert admin.post("/components/acme.spy/examples/0").status_code == 303
    assert api.get("/components").status_code == 200
    for what in ("shape", "upgrade"):
        answer = api.post(f"/components/acme.spy/{what}", json={"config": {}, "version": 2})
        assert answer.status_code == 200, answer.text
    assert api.post("/components/acme.spy/upgrade", json={"config": {}}).status_code == 200
    flow = api.post("/flows", json={"name": "f", "graph": drawn})
    assert flow.status_code == 201, flow.text
    at = f"/flows/{flow.json['id']}"
    assert flow.json["problems"] == []
    assert api.post(f"{at}/validate", json={}).status_code == 200
    assert api.post(f"{at}/activate", json={}).status_code in (200, 201)
    assert admin.get(at).status_code == 200
    assert admin.get(f"{at}/versions").status_code == 200
    assert api.get(f"{at}/bundle").status_code == 200
    assert api.post(f"{at}/runs", json={}).status_code == 202
    assert set(notes.read_text().split()) == {"ports", "upgrade"}

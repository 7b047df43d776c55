"""Flows whose components come in another version: what is active never becomes something else."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from app.components.registry import registry
from tests.support.graphs import graph, node, wire
from tests.support.installation import Api, Installation
from tests.support.packages import another_package

__all__ = ["another_package"]

GREET = '''
from app.sdk import Component, ComponentConfig, Port, PortType, Upgrade, field

class Who(ComponentConfig):
    who: str = field("world", label="Who", kind="text")

class Named(ComponentConfig):
    name: str = field("world", label="Name", kind="text")

class One(Component):
    name, version, title, category, icon = "acme.greet", 1, "Greet", "logic", "type"
    help = "Greets."
    Config = Who
    outputs = (Port("text", PortType.TEXT),)

    def run(self, context):
        return {"text": "1"}

class Two(One):
    version = 2
    Config = Named
    older = (OLDER)
    upgrades = {1: Upgrade(lambda old: {"name": old["who"]}, "Who is called Name.")}

class Offered(CLASS):
    pass
'''


def install(folder: Path, shown: str, older: str = "") -> None:
    """Put a version of the package in place, as pip and a restart would."""
    (folder / "acme_greet.py").write_text(
        GREET.replace("CLASS", shown).replace("(OLDER)", older or "()"))
    about = folder / "acme_greet-1.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-greet\nVersion: 1\n")
    (about / "entry_points.txt").write_text(
        "[tacit.components]\nacme.greet = acme_greet:Offered\n")
    sys.modules.pop("acme_greet", None)
    # Two versions within one second and of one length look the same to Python's cache.
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    registry.cache_clear()


@pytest.fixture
def flow(installation: Installation, another_package: Path) -> tuple[Api, str, dict[str, Any]]:
    """An active flow of version 1."""
    install(another_package, "One")
    api = installation.api(installation.token())
    drawn = graph(node("g", "acme.greet", who="you"), node("l", "output.log"),
                  wire("g.text", "l.message"))
    made = api.post("/flows", json={"name": "f", "graph": drawn}).json
    assert made["problems"] == []
    path = f"/flows/{made['id']}"
    assert api.post(f"{path}/activate", json={}).status_code < 300
    return api, path, api.get(f"{path}/versions/1").json["graph"]


def test_a_version_that_runs_no_more_stops_its_flow_and_changes_nothing(
    flow: tuple[Api, str, dict[str, Any]], another_package: Path
) -> None:
    api, path, before = flow
    install(another_package, "Two")
    refused = api.post(f"{path}/runs", json={"version": "active"})
    assert refused.status_code == 422
    assert refused.json["problems"][0]["code"] == "component_outdated"
    assert api.get(f"{path}/versions/1").json["graph"] == before
    shown = api.get(path).json
    assert shown["problems"][0]["remedy"]["action"] == "upgrade_node"
    # The upgrade is a change of the draft like any other; the active version becomes it when told.
    done = api.post("/components/acme.greet/upgrade", json={"config": {"who": "you"}}).json
    drawn = shown["graph"]
    drawn["nodes"][0] |= {"config": done["config"], "component_version": done["version"]}
    assert api.put(path, json={"graph": drawn}).json["problems"] == []
    assert api.post(f"{path}/runs", json={"version": "active"}).status_code == 422
    assert api.post(f"{path}/activate", json={}).status_code < 300
    assert api.post(f"{path}/runs", json={"version": "active"}).status_code == 202


def test_a_version_that_still_runs_goes_on_and_is_told(
    flow: tuple[Api, str, dict[str, Any]], another_package: Path
) -> None:
    api, path, before = flow
    install(another_package, "Two", older="(One,)")
    assert api.post(f"{path}/runs", json={"version": "active"}).status_code == 202
    (told,) = api.get(path).json["problems"]
    assert (told["code"], told["severity"]) == ("component_upgradable", "warning")
    assert api.get(f"{path}/versions/1").json["graph"] == before

"""Ports and choices that follow from settings; versions, and nodes that were made with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from app.components.binding import find_config_problems
from app.components.registry import BUILTINS, Registry
from app.components.soundness import find_faults
from app.components.upgrades import upgrade
from app.errors import Invalid
from app.flows.bundle_reading import read_bundle
from app.flows.bundles import BundledFlow, digest_of, write_bundle
from app.flows.graph import canonical, parse_graph
from app.flows.settings import FlowSettings
from app.flows.validation import find_problems
from app.sdk import (
    Component,
    ComponentConfig,
    Context,
    Port,
    Ports,
    PortType,
    Upgrade,
    field,
    testing,
)
from worker.plan import Plan


class SplitConfig(ComponentConfig):
    names: str = field("", label="Names", kind="text", shapes=True)
    first: str = field("", label="First", kind="select", dynamic_choices=True, wirable=False)


class Split(Component):
    """One output for each name."""

    name = "acme.split"
    title = "Split"
    help = "Puts out each name."
    category = "logic"
    icon = "split"
    Config = SplitConfig

    @classmethod
    def ports(cls, config: Mapping[str, Any]) -> Ports:
        return Ports((), tuple(Port(one, PortType.TEXT) for one in config["names"].split(",")))

    @classmethod
    def choices(cls, field: str, config: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
        return [(one, one.upper()) for one in config["names"].split(",")]

    def run(self, context: Context) -> Mapping[str, Any]:
        return {one: one.upper() for one in context.config.names.split(",")}


class Named(ComponentConfig):
    name: str = field("world", label="Name", kind="text")


class Who(ComponentConfig):
    who: str = field("world", label="Who", kind="text")


class Greet2(Component):
    name = "acme.greet"
    version = 2
    title = "Greet"
    help = "Greets."
    category = "logic"
    icon = "type"
    Config = Who
    outputs = (Port("text", PortType.TEXT),)

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"text": f"Hello {context.config.who}"}


class Greet(Greet2):
    version = 3
    Config = Named
    outputs = (Port("greeting", PortType.TEXT),)
    older = (Greet2,)
    upgrades: ClassVar[Mapping[int, Upgrade]] = {
        1: Upgrade(lambda old: {"who": old["whom"]}, "Whom is called Who."),
        2: Upgrade(lambda old: {"name": old["who"]}, "Who is called Name.",
                   outputs={"text": "greeting"}),
    }

    def run(self, context: Context) -> Mapping[str, Any]:
        return {"greeting": f"Hello {context.config.name}"}


REGISTRY = Registry({**BUILTINS, "acme.split": f"{__name__}:Split", "acme.greet": "x:Greet"})
REGISTRY._loaded.update({"acme.split": Split(), "acme.greet": Greet()})


def flow(*nodes: dict[str, Any], wires: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    log = {"id": "log", "component": "output.log", "label": "Log", "position": [0, 0]}
    return {
        "schema": 1, "nodes": [*nodes, log],
        "edges": [
            {"id": f"e{at}", "source": {"node": node, "port": port},
             "target": {"node": "log", "port": "message"}}
            for at, (node, port) in enumerate(wires)
        ],
    }


def node(component: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "n", "component": component, "label": "N", "position": [0, 0],
            "config": config, **more}


def test_declarations_hold_together() -> None:
    assert find_faults(Split) == []
    assert find_faults(Greet) == []


def test_wires_are_checked_against_the_ports_of_the_settings() -> None:
    split = node("acme.split", {"names": "a,b"})
    graph = parse_graph(flow(split, wires=[("n", "b")]), REGISTRY)
    assert graph.edges
    with pytest.raises(Invalid) as caught:
        parse_graph(flow(split, wires=[("n", "c")]), REGISTRY)
    assert "Its outputs are a, b, done." in caught.value.problems[0]["message"]
    assert testing.run(Split(), {"names": "a,b"}).outputs == {"a": "A", "b": "B"}


@pytest.mark.parametrize("names", [None, 7, "a,a", "a b", ",", "x" * 500, ",".join("abc" * 200)])
def test_ports_that_can_t_be_made_are_the_declared_ones(names: object) -> None:
    shape = Split.shape({"names": names})
    assert (shape.inputs, shape.outputs) == ((), ())
    assert set(shape.out_of) == {"done"}


def test_choices_follow_from_the_settings() -> None:
    described = Split.describe_shape({"names": "a,b"})
    assert described["choices"]["first"] == [
        {"value": "a", "label": "A"}, {"value": "b", "label": "B"}
    ]
    assert find_config_problems(Split(), {"names": "a,b", "first": "b"}) == []
    (wrong,) = find_config_problems(Split(), {"names": "a,b", "first": "CANARY"})
    assert (wrong.field, wrong.code) == ("first", "config_invalid")
    assert "CANARY" not in wrong.message
    assert Split.choices_of("first", {}) == []


def test_a_field_that_shapes_can_t_be_wired() -> None:
    assert Split.fields()["names"].port is None


def test_a_node_keeps_its_version_where_that_runs() -> None:
    old = node("acme.greet", {"who": "you"}, component_version=2)
    document = flow(old, wires=[("n", "text")])
    graph = parse_graph(document, REGISTRY)
    assert graph.to_document()["nodes"][0]["component_version"] == 2
    (told,) = find_problems(graph, REGISTRY)
    assert (told.code, told.severity) == ("component_upgradable", "warning")
    assert "Who is called Name." in told.message
    assert told.remedy is not None
    assert told.remedy.action == "upgrade_node"
    step = Plan.of(graph, REGISTRY).steps["n"]
    assert isinstance(step.component, Greet2)
    assert not isinstance(step.component, Greet)
    with pytest.raises(Invalid):
        parse_graph(flow(old, wires=[("n", "greeting")]), REGISTRY)


def test_a_version_that_runs_no_more_is_an_error_and_never_another_version() -> None:
    graph = parse_graph(flow(node("acme.greet", {"whom": "x"}), wires=[("n", "old")]), REGISTRY)
    (told,) = find_problems(graph, REGISTRY)
    assert (told.code, told.severity) == ("component_outdated", "error")
    assert told.message.endswith("Whom is called Who. Who is called Name. Upgrade the node.")
    assert Plan.of(graph, REGISTRY).steps["n"].component is None


def test_a_newer_version_is_an_error() -> None:
    newer = node("acme.greet", {}, component_version=4)
    (told,) = find_problems(parse_graph(flow(newer), REGISTRY), REGISTRY)
    assert told.code == "component_newer"


def test_an_upgrade_goes_step_by_step() -> None:
    done = upgrade(Greet(), {"whom": "you"}, 1)
    assert (done.version, done.config) == (3, {"name": "you"})
    assert done.outputs == {"text": "greeting"}
    assert done.says == ("Whom is called Who.", "Who is called Name.")
    assert upgrade(Greet(), {"name": "x"}, 3).config == {"name": "x"}


@pytest.mark.parametrize(("config", "version", "code"), [
    ({"CANARY": 1}, 1, "upgrade_failed"), ({}, 0, "upgrade_missing"), ({}, 4, "upgrade_missing"),
])
def test_an_upgrade_that_can_t_be_done(config: dict[str, Any], version: int, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        upgrade(Greet(), config, version)
    assert caught.value.code == code
    assert "CANARY" not in caught.value.detail


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None, 10**9])
def test_a_component_version_is_a_whole_number(version: object) -> None:
    with pytest.raises(Invalid) as caught:
        parse_graph(flow(node("acme.greet", {}, component_version=version)), REGISTRY)
    assert caught.value.problems[0]["field"] == "component_version"


def _bundled(*versions: int) -> BundledFlow:
    nodes = [
        {"id": f"g{at}", "component": "acme.greet", "component_version": version, "label": "Greet",
         "position": [0, at * 100], "config": {}}
        for at, version in enumerate(versions)
    ]
    return BundledFlow("Daily", "", parse_graph(flow(*nodes)), FlowSettings())


def _registry_with(component: Component) -> Registry:
    made = Registry({**BUILTINS, "acme.greet": "x:Greet"})
    made._loaded["acme.greet"] = component
    return made


def test_a_bundle_needs_what_its_nodes_run_with_not_what_was_installed_where_it_was_made() -> None:
    newer, older = _registry_with(Greet()), _registry_with(Greet2())
    there = write_bundle([_bundled(1, 2)], newer)
    assert there["manifest"]["components"][0] == {"type": "acme.greet", "version": 2}
    # The package was upgraded between two exports of one version: not a byte differs.
    assert canonical(there) == canonical(write_bundle([_bundled(1, 2)], older))
    assert read_bundle(there, older)[1] == []
    # As it was written before, with what was installed: it is read where that is installed.
    before = {**there, "manifest": {**there["manifest"], "components": [
        {"type": "acme.greet", "version": 3}, {"type": "output.log", "version": 1}]}}
    before["digest"] = digest_of(before)
    assert read_bundle(before, newer)[1] == []


def test_a_node_newer_than_what_is_installed_blocks_whatever_the_manifest_says() -> None:
    older = _registry_with(Greet2())
    made = write_bundle([_bundled(3)], older)
    for said in (3, 1, None):
        listed = [{"type": "acme.greet", "version": said}, {"type": "output.log", "version": 1}]
        document = {**made, "manifest": {**made["manifest"], "components": listed}}
        document["digest"] = digest_of(document)
        read, findings = read_bundle(document, older)
        assert read is None
        assert [one["code"] for one in findings] == ["component_version_unknown"]
        assert "version 3 of acme.greet; here it is version 2" in findings[0]["message"]

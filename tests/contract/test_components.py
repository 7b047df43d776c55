"""The contract that every registered component keeps, whoever wrote it (docs/components.md).

Examples and declared failures are run by the worker's engine and masker, in the surroundings of
tests/support/stages.py. A new component that lacks something fails with what has to be added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.components.declaration import Component
from app.components.examples import Example
from app.components.registry import registry
from app.flows.examples import example_graph
from app.sdk import contract
from tests.support.engine import Ran, Surroundings, run_flow
from tests.support.hunt import Hunt
from tests.support.stages import OWN_TESTS, STAGES, WAITING, Stage, Way, canary, stage_of

ROOT = Path(__file__).parents[2]
COMPONENTS = list(registry())
ON_PURPOSE = frozenset({"control.fail"})
CANCEL = 2.0
"""Seconds in which a cancelled node has to be gone."""
MACHINE = 3.0
"""Seconds that a busy machine may add."""

every = pytest.mark.parametrize("component", COMPONENTS, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Surroundings by component; each made by the first test that asks and kept for the others."""
    with ExitStack() as stack:
        made: dict[str, Stage] = {}

        class Stages(dict[str, Stage]):
            def __missing__(self, name: str) -> Stage:
                folder = tmp_path_factory.mktemp("stage")
                self[name] = stack.enter_context(stage_of(registry().get(name), folder))
                return self[name]

        made = Stages()
        yield made


def perform(
    component: Component, stage: Stage, way: Way, folder: Path, *,
    policies: Mapping[str, Any] | None = None, cancel_after: float | None = None,
) -> tuple[Ran, Hunt]:
    """Run a node set up one way, and hunt for its canaries in all that the run tells."""
    begun = component.examples[way.example]
    names = {port: f"contract/{port}" for port in {*begun.secrets, *way.secrets}}
    example = replace(
        begun, config={**begun.config, **stage.config, **way.config},
        wires={**begun.wires, **way.wires}, secrets=names,
    )
    values = {
        name: way.secrets.get(port) or stage.secrets.get(port) or canary()
        for port, name in names.items()
    }
    graph = example_graph(component, example)
    for node in graph["nodes"]:
        if node["component"] == "secret.fetch" and node["id"] == "example":
            values[node["config"]["secretName"]] = canary()
        if node["id"] == "example":
            node.update(policies or {})
    for name, text in stage.files.items():
        (folder / name).write_text(text)
    around = Surroundings(values, stage.guard, stage.machine)
    ran = run_flow(graph, around, folder, cancel_after=cancel_after)
    hunted = dict(values)
    hunted |= {f"hunted {at}": value for at, value in enumerate(stage.hunted)}
    for name, value in values.items():
        found = re.findall(r"CANARY-[0-9a-f]{24}", value)
        hunted |= {f"{name}, part {at}": part for at, part in enumerate(found)}
    hunt = Hunt(hunted)
    hunt.object("told", ran.told)
    return ran, hunt


@every
def test_the_declaration_is_complete(component: Component) -> None:
    faults = contract.declaration_faults(component)
    assert not faults, "\n".join(f"{component.name} {fault}" for fault in faults)


@every
def test_wrong_settings_are_named_by_their_field_and_not_quoted(component: Component) -> None:
    faults = contract.config_faults(component)
    assert not faults, "\n".join(f"{component.name} {fault}" for fault in faults)


def test_what_reaches_the_network_has_a_stage() -> None:
    missing = {one.name for one in COMPONENTS if "network" in one.uses} - STAGES.keys()
    assert not missing, (
        f"{', '.join(missing)} need surroundings: add a real server to STAGES in "
        "tests/support/stages.py, with ways to fail and to hang."
    )


@every
def test_its_examples_run_and_let_no_secret_out(
    component: Component, stages: dict[str, Stage], tmp_path: Path
) -> None:
    for at, example in enumerate(component.examples):
        ran, hunt = perform(component, stages[component.name], Way(example=at), tmp_path)
        assert hunt.hits == [], f"{component.name}, “{example.title}”\n{hunt.table()}"
        wanted = "failed" if component.name in ON_PURPOSE else "succeeded"
        assert ran.state("example") == wanted, (
            f"The example “{example.title}” of {component.name} ends as {ran.outcome}: "
            f"{ran.problem('example')}. Where it needs a server, a file or a secret of some form, "
            "add it to tests/support/stages.py."
        )


@every
def test_each_declared_failure_happens_and_lets_no_secret_out(
    component: Component, stages: dict[str, Stage], tmp_path: Path
) -> None:
    stage = stages[component.name]
    declared = {one.code for one in component.failures}
    own = OWN_TESTS.get(component.name)
    text = "".join(file.read_text() for file in ROOT.glob(own)) if own else ""
    # Declared once for all fetches of external secrets, as codes of their manager.
    for code, way in stage.failing.items():
        if code not in declared and not component.provider:
            continue
        ran, hunt = perform(component, stage, way, tmp_path)
        found = ran.problem("example") or {}
        assert found.get("code") == code, f"{component.name} fails with {found}, not with {code}"
        assert hunt.hits == [], f"{component.name}, {code}\n{hunt.table()}"
    unproven = [code for code in declared - stage.failing.keys() if f'"{code}"' not in text]
    assert not unproven, (
        f"{component.name} declares failures that nothing provokes: {', '.join(sorted(unproven))}. "
        "Add a Way for each to tests/support/stages.py (FAILING or its stage), or a test that "
        "names the code and looks for leaks to the file in OWN_TESTS."
    )


def test_what_can_wait_is_known() -> None:
    """The two tests below are about these; all others compute for a moment on what they are given,
    and the engine starts nothing more once a run is cancelled."""
    missing = {one.name for one in COMPONENTS if "network" in one.uses} - WAITING
    assert not missing, (
        f"{', '.join(missing)} use the network: add them to WAITING in tests/support/stages.py, "
        "and a slow Way to their stages."
    )


waiting = pytest.mark.parametrize(
    "component", [one for one in COMPONENTS if one.name in WAITING], ids=lambda one: one.name)


@waiting
def test_a_cancelled_node_is_gone_within_two_seconds(
    component: Component, stages: dict[str, Stage], tmp_path: Path
) -> None:
    way = _slow(component, stages)
    if component.provider:
        return _cancelled_check(component, stages[component.name], way, tmp_path)
    ran, hunt = perform(component, stages[component.name], way, tmp_path, cancel_after=0.5)
    assert ran.outcome.state == "cancelled"
    assert ran.seconds < 0.5 + CANCEL + MACHINE
    assert hunt.hits == []


def _slow(component: Component, stages: dict[str, Stage]) -> Way:
    way = stages[component.name].slow
    assert way is not None, (
        f"{component.name} can wait: give its stage in tests/support/stages.py a slow Way.")
    return way


def _cancelled_check(component: Component, stage: Stage, way: Way, folder: Path) -> None:
    from app.components.errors import NodeCancelled

    try:
        perform(component, stage, way, folder, cancel_after=0.5)
    except NodeCancelled:
        return
    raise AssertionError(f"the check of {component.name} didn't end when the run was cancelled")


@waiting
def test_a_node_s_time_limit_is_kept(
    component: Component, stages: dict[str, Stage], tmp_path: Path
) -> None:
    way = _slow(component, stages)
    if component.provider:
        way = replace(way, config={**way.config, "timeout": 1})
    ran, hunt = perform(component, stages[component.name], way, tmp_path, policies={"timeout": 1})
    found = ran.problem("example") or {}
    assert str(found.get("code")).endswith("_timeout"), found
    assert ran.seconds < 1 + CANCEL + MACHINE
    assert hunt.hits == []


def test_the_suite_sees_what_leaks(tmp_path: Path) -> None:
    """A component that tells its secret in pieces gets past masking, and not past the hunt."""
    value = canary()
    hunt = Hunt({"it": value})
    hunt.object("told", [{"data": {"text": value}}])
    assert hunt.hits


def test_stages_are_of_components_that_are_there() -> None:
    from tests.support import stages

    names = {one.name for one in COMPONENTS}
    tables = {*stages.STAGES, *stages.FAILING, *stages.SECRETS, *stages.SLOW, *stages.OWN_TESTS}
    assert tables <= names
    assert all(list(ROOT.glob(pattern)) for pattern in stages.OWN_TESTS.values())


def test_an_example_is_a_flow_that_can_be_saved() -> None:
    graph = example_graph(
        registry().get("text.template"),
        Example("x", {"template": "{{a}}"}, wires={"values": {"a": 1}}),
    )
    assert json.loads(json.dumps(graph)) == graph
    assert [one["component"] for one in graph["nodes"]] == [
        "data.set", "text.template", "output.log"]

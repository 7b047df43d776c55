"""Up to a node: what runs, what it is asked for, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.environments import create_environment
from app.accounts.scopes import ALL_SCOPES, Scope
from app.errors import NotFound, TacitError
from app.flows.service import FlowView, create_flow
from app.ids import new_id
from app.runs.service import rerun, start_to
from tests.integration.runtime.test_single import drawn
from tests.support.runs import RuntimeClient, Workshop


@pytest.fixture
def flow(workshop: Workshop) -> FlowView:
    """A flow with a trigger, a secret, a call, and a second secret that isn't there."""
    return workshop.flow(drawn(workshop.secret().name))


def refused(workshop: Workshop, flow: FlowView, key: str, **more: Any) -> TacitError:
    """Ask for a run up to a node that isn't made."""
    actor = more.pop("actor", None) or workshop.actor()
    with pytest.raises(TacitError) as caught, workshop.installation.services.db.begin() as session:
        start_to(session, actor, flow.id, key, **more)
    return caught.value


def test_all_that_comes_before_runs_and_nothing_else(
    workshop: Workshop, runtime: RuntimeClient, flow: FlowView
) -> None:
    with workshop.installation.services.db.begin() as session:
        run = start_to(session, workshop.actor(), flow.id, "call", inputs={"day": "Monday"})
    held = workshop.runtime.claim(workshop.worker, run.id)
    plan = held.plan
    assert [one["id"] for one in plan["graph"]["nodes"]] == ["start", "text", "fetch", "call"]
    assert [one["id"] for one in plan["graph"]["edges"]] == ["e0", "e1", "e2", "e3"]
    assert [one["node"] for one in plan["grants"]] == ["fetch"]
    assert (plan["inputs"], plan["values"]) == ({"day": "Monday"}, {})
    assert runtime.value(held).status_code == 200
    shown = workshop.show(run.id)
    assert [one.id for one in shown.nodes] == ["start", "text", "fetch", "call"]
    assert (shown.trigger["kind"], shown.trigger["node"]) == ("to", "call")
    with workshop.installation.services.db.begin() as session:
        again = rerun(session, workshop.actor(), run.id)
        other = rerun(session, workshop.actor(), run.id, inputs={"day": "Tuesday"})
    assert (again.inputs, again.trigger["kind"]) == ({"day": "Monday"}, "to")
    assert (other.inputs, len(other.nodes)) == ({"day": "Tuesday"}, 4)


def test_a_trigger_that_isnt_before_asks_for_nothing(workshop: Workshop, flow: FlowView) -> None:
    """And the mistakes of nodes that don't run don't matter."""
    with workshop.installation.services.db.begin() as session:
        run = start_to(session, workshop.actor(), flow.id, "text")
    assert [one.id for one in run.nodes] == ["text"]
    missing = refused(workshop, flow, "call")
    assert (missing.code, missing.problems[0]["code"]) == ("inputs_invalid", "input_missing")


def test_what_is_refused(workshop: Workshop, flow: FlowView) -> None:
    assert refused(workshop, flow, "nobody").code == "node_missing"
    document = drawn(workshop.secret().name)
    document["nodes"][1]["config"] = {}
    unfinished = workshop.flow(document)
    error = refused(workshop, unfinished, "log", inputs={"day": "Monday"})
    assert (error.code, error.problems[0]["node"]) == ("flow_has_problems", "text")
    document["nodes"][3]["disabled"] = True
    assert refused(workshop, workshop.flow(document), "call").code == "node_disabled"
    reader = workshop.actor(scopes=ALL_SCOPES - {Scope.RUNS_MANAGE})
    assert refused(workshop, flow, "text", actor=reader).code == "scope_missing"
    with workshop.installation.services.db.begin() as session:
        elsewhere = create_environment(session, workshop.actor(), name=f"e-{new_id()}")
    stranger = workshop.actor(environment_id=elsewhere.id)
    assert isinstance(refused(workshop, flow, "text", actor=stranger), NotFound)


def test_a_protected_environment_runs_no_part_that_uses_a_secret(workshop: Workshop) -> None:
    with workshop.installation.services.db.begin() as session:
        made = create_environment(session, workshop.actor(), name=f"p-{new_id()}", protected=True)
    there = workshop.actor(environment_id=made.id)
    with workshop.installation.services.db.begin() as session:
        flow = create_flow(session, there, name="f", graph=drawn("anything"))
    given = {"day": "Monday"}
    error = refused(workshop, flow, "call", actor=there, inputs=given)
    assert error.code == "environment_protected"
    with workshop.installation.services.db.begin() as session:
        start_to(session, there, flow.id, "text")

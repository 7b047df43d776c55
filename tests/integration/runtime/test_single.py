"""One node alone: what runs along, where its inputs come from, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.accounts.environments import create_environment
from app.accounts.scopes import ALL_SCOPES, Scope
from app.errors import Denied, Locked, TacitError
from app.flows.service import FlowView, create_flow
from app.runs.service import rerun, start_node
from tests.integration.runtime.test_runs import event, send
from tests.support.canvas import edge, graph, node
from tests.support.runs import HeldRun, RuntimeClient, Workshop


def drawn(secret: str) -> dict[str, Any]:
    """A template whose text goes into the address and body of a call with a secret, and a log."""
    return graph(
        [
            node("start", "trigger.manual", 0, 0, inputs=[{"name": "day", "required": True}]),
            node("text", "text.template", 0, 0, template="hello"),
            node("fetch", "secret.fetch", 0, 0, secretName=secret),
            node("call", "http.request", 0, 0, method="POST"),
            node("log", "output.log", 0, 0),
            node("other", "secret.fetch", 0, 0, secretName="none"),
        ],
        [
            edge("e0", "start.done", "call.start"), edge("e1", "text.text", "call.url"),
            edge("e2", "text.text", "call.body"), edge("e3", "fetch.value", "call.bearer_token"),
            edge("e4", "call.body", "log.message"),
        ],
    )


@pytest.fixture
def flow(workshop: Workshop) -> FlowView:
    """The flow, with its secret."""
    return workshop.flow(drawn(workshop.secret().name))


def alone(workshop: Workshop, flow: FlowView, key: str, **more: Any) -> HeldRun:
    """Run one node, and claim the run."""
    with workshop.installation.services.db.begin() as session:
        run = start_node(session, workshop.actor(), flow.id, key, **more)
    return workshop.runtime.claim(workshop.worker, run.id)


def refused(workshop: Workshop, flow: FlowView, key: str, **more: Any) -> TacitError:
    """Ask for a run of one node that isn't made."""
    with pytest.raises(TacitError) as caught, workshop.installation.services.db.begin() as session:
        start_node(session, workshop.actor(), flow.id, key, **more)
    return caught.value


def ran(workshop: Workshop, flow: FlowView, **outputs: Any) -> None:
    """Leave a run behind in which the template put this out."""
    held = alone(workshop, flow, "text", inputs={"template": "hello"})
    done = event(held.plan["next_seq"], type="node", node="text",
                 data={"state": "succeeded", **outputs})
    assert send(workshop.runtime, held, done).status_code == 200


def test_inputs_that_are_given_and_the_secret_that_runs_along(
    workshop: Workshop, runtime: RuntimeClient, flow: FlowView
) -> None:
    held = alone(workshop, flow, "call", inputs={"url": "https://example.org/", "body": 7})
    plan = held.plan
    assert [one["id"] for one in plan["graph"]["nodes"]] == ["fetch", "call"]
    assert [one["id"] for one in plan["graph"]["edges"]] == ["e3"]
    assert [one["node"] for one in plan["grants"]] == ["fetch"]
    assert plan["values"] == {"call": {"url": "https://example.org/", "body": 7}}
    shown = workshop.show(held.id)
    assert [one.id for one in shown.nodes] == ["fetch", "call"]
    assert (shown.trigger["kind"], shown.trigger["node"]) == ("node", "call")
    assert runtime.value(held).status_code == 200
    with workshop.installation.services.db.begin() as session:
        again = rerun(session, workshop.actor(), held.id)
    assert (again.inputs, again.trigger["kind"]) == (shown.inputs, "node")


def test_who_may_not_change_the_flow_gives_no_input(workshop: Workshop, flow: FlowView) -> None:
    """A given URL is where the secret goes: a token that only starts runs would choose it."""
    given = {"url": "https://thief.example/", "body": ""}
    held = alone(workshop, flow, "call", inputs={**given, "url": "https://example.org/"})
    starter = workshop.actor(scopes=ALL_SCOPES - {Scope.FLOWS_MANAGE})
    attempts: list[tuple[str, dict[str, Any]]] = [
        ("call", given), ("call", {"body": ""}), ("text", {"template": "https://thief.example/"}),
    ]
    for key, inputs in attempts:
        with (
            pytest.raises(Denied) as caught, workshop.installation.services.db.begin() as session
        ):
            start_node(session, starter, flow.id, key, inputs=inputs)
        assert (caught.value.code, "flows:manage" in caught.value.detail) == ("scope_missing", True)
    with pytest.raises(Denied), workshop.installation.services.db.begin() as session:
        rerun(session, starter, held.id, inputs=given)
    with workshop.installation.services.db.begin() as session:
        assert rerun(session, starter, held.id).inputs["call"]["url"] == "https://example.org/"
        start_node(session, starter, flow.id, "text")
        start_node(session, starter, flow.id, "start", inputs={"day": "Monday"})


def test_inputs_of_the_last_run(workshop: Workshop, flow: FlowView) -> None:
    first = refused(workshop, flow, "call")
    assert (first.code, len(first.problems)) == ("inputs_invalid", 2)
    assert {one["code"] for one in first.problems} == {"input_missing"}
    assert [one["field"] for one in first.problems] == ["inputs.url", "inputs.body"]
    ran(workshop, flow, outputs={"text": "https://one.example.org/"})
    ran(workshop, flow, outputs={"text": "https://two.example.org/"})
    held = alone(workshop, flow, "call", inputs={"body": "mine"})
    assert held.plan["values"] == {"call": {"url": "https://two.example.org/", "body": "mine"}}


def test_what_was_masked_or_cut_is_no_input(workshop: Workshop, flow: FlowView) -> None:
    place = {"path": [], "offset": 8, "secret": "s", "version": 1}
    ran(workshop, flow, outputs={"text": "https://***/"}, output_masks={"text": [place]})
    kept = refused(workshop, flow, "call")
    assert {one["code"] for one in kept.problems} == {"input_not_kept"}
    assert "stored as ***" in kept.detail
    ran(workshop, flow, outputs={"text": {"preview": "a", "characters": 9, "truncated": True}})
    assert {one["code"] for one in refused(workshop, flow, "call").problems} == {"input_not_kept"}


@pytest.mark.parametrize(
    ("key", "inputs", "code", "problem"),
    [
        ("nobody", None, "node_missing", None),
        ("call", {"bearer_token": "CANARY-typed"}, "inputs_invalid", "plain_into_secret"),
        ("call", {"start": 1}, "inputs_invalid", "input_unknown"),
        ("call", {"nothing": 1}, "inputs_invalid", "input_unknown"),
        ("call", {"url": {"a": 1}, "body": ""}, "inputs_invalid", "value_mismatch"),
        ("call", {"timeout": 10**400, "nothing": 1}, "inputs_invalid", "input_unknown"),
        ("call", {"url": "x" * 300_000, "body": ""}, "inputs_too_large", None),
        ("start", {"nothing": 1}, "inputs_invalid", "input_unknown"),
        ("start", None, "inputs_invalid", "input_missing"),
    ],
)
def test_inputs_that_are_none(
    workshop: Workshop, flow: FlowView, key: str, inputs: Any, code: str, problem: str | None
) -> None:
    error = refused(workshop, flow, key, inputs=inputs)
    assert error.code == code
    assert problem is None or problem in {one["code"] for one in error.problems}
    assert "CANARY" not in str(error.detail) + repr(error.problems)


def test_a_trigger_alone_passes_on_what_it_is_given(workshop: Workshop, flow: FlowView) -> None:
    held = alone(workshop, flow, "start", inputs={"day": "Monday"})
    assert (held.plan["inputs"], held.plan["grants"]) == ({"day": "Monday"}, [])


def test_other_nodes_mistakes_dont_matter_and_its_own_do(workshop: Workshop) -> None:
    document = drawn(workshop.secret().name)
    document["nodes"][4]["component"] = "not.installed"
    document["nodes"][1]["config"] = {}
    flow = workshop.flow(document)
    alone(workshop, flow, "call", inputs={"url": "https://example.org/", "body": ""})
    error = refused(workshop, flow, "text")
    assert (error.code, error.problems[0]["node"]) == ("flow_has_problems", "text")
    document["nodes"][2]["disabled"] = True
    assert refused(workshop, workshop.flow(document), "call").code == "node_disabled"


def test_a_protected_environment_runs_no_node_that_uses_a_secret(workshop: Workshop) -> None:
    with workshop.installation.services.db.begin() as session:
        made = create_environment(session, workshop.actor(), name="sealed-off", protected=True)
    there = workshop.actor(environment_id=made.id)
    with workshop.installation.services.db.begin() as session:
        flow = create_flow(session, there, name="f", graph=drawn("anything"))
    given = {"url": "https://example.org/", "body": ""}
    with pytest.raises(Locked) as caught, workshop.installation.services.db.begin() as session:
        start_node(session, there, flow.id, "call", inputs=given)
    assert caught.value.code == "environment_protected"
    with workshop.installation.services.db.begin() as session:
        start_node(session, there, flow.id, "text")


def test_a_missing_secret_rejects_the_run(workshop: Workshop, flow: FlowView) -> None:
    held = alone(workshop, flow, "other")
    assert held.plan["state"] == "rejected"
    (problem,) = workshop.show(held.id).problems
    assert (problem["code"], problem["node"]) == ("secret_missing", "other")



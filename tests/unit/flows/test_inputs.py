"""Run inputs: what a Manual Trigger may ask for, and what is taken for an answer."""

from __future__ import annotations

from typing import Any

import pytest

from app.components.binding import find_config_problems
from app.components.registry import registry
from app.errors import Invalid
from app.flows.graph import Graph, Node, parse_graph
from app.flows.inputs import check_inputs, declared_inputs
from app.flows.validation import find_problems

DAY = {"name": "day", "label": "Day", "type": "text", "required": True}
COUNT = {"name": "count", "type": "number", "default": 3}
DRY = {"name": "dry", "type": "boolean"}
PLACE = {"name": "place", "type": "choice", "choices": ["north", "south"]}
MORE = {"name": "more", "type": "json"}


def graph(*inputs: dict[str, Any], disabled: bool = False) -> Graph:
    """Return a flow whose Manual Trigger asks for something."""
    node = Node("start", "trigger.manual", config={"inputs": list(inputs)}, disabled=disabled)
    return Graph((node, Node("log", "output.log", config={"message": "x"})))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([{"name": "1st"}], "needs a name of letters"),
        ([{"name": "CANARY-x"}], "needs a name of letters"),
        ([{"name": "a"}, {"name": "a"}], "has a name that comes twice"),
        ([{"name": "a", "type": "choice"}], "needs choices"),
        ([{"name": "a", "type": "choice", "choices": ["CANARY-x", "CANARY-x"]}], "come twice"),
        ([{"name": "a", "type": "number", "default": "CANARY-x"}], "isn't of its own type"),
        ([{"name": "a", "type": "choice", "choices": ["b"], "default": "CANARY-x"}], "own type"),
        ([{"name": "a", "type": "secret"}], "has to be one of"),
        ([{"name": f"a{number}"} for number in range(51)], "isn't of the right kind"),
        ("CANARY-x", "has to be a list"),
    ],
)
def test_a_declaration_that_cant_be(inputs: Any, words: str) -> None:
    component = registry().get("trigger.manual")
    (problem,) = find_config_problems(component, {"inputs": inputs})
    assert (problem.code, problem.field) == ("config_invalid", "inputs")
    assert words in problem.message
    assert "CANARY" not in problem.message


def test_a_flow_that_asks_for_nothing_takes_anything() -> None:
    for some in (graph(), graph(DAY, disabled=True), parse_graph({"schema": 1, "nodes": []})):
        assert declared_inputs(some) == []
        assert check_inputs(some, {"anything": [1, None]}) == {"anything": [1, None]}


def test_defaults_stand_for_what_isnt_given() -> None:
    flow = graph(DAY, COUNT, DRY, PLACE, MORE)
    assert [one.name for one in declared_inputs(flow)] == ["day", "count", "dry", "place", "more"]
    assert check_inputs(flow, {"day": "Monday"}) == {"day": "Monday", "count": 3}
    full = {"day": "x", "count": 0, "dry": False, "place": "south", "more": {"a": []}}
    assert check_inputs(flow, full) == full
    assert check_inputs(flow, {"day": "x", "count": None}) == {"day": "x", "count": 3}


def test_all_that_is_wrong_is_said_at_once_and_nothing_is_quoted() -> None:
    flow = graph(DAY, COUNT, DRY, PLACE)
    given = {"count": "CANARY-1", "dry": "CANARY-2", "place": "CANARY-3", "other": "CANARY-4"}
    with pytest.raises(Invalid) as caught:
        check_inputs(flow, given)
    error = caught.value
    assert error.code == "inputs_invalid"
    assert {problem["field"]: problem["code"] for problem in error.problems} == {
        "inputs.other": "input_unknown", "inputs.day": "input_missing",
        "inputs.count": "input_invalid", "inputs.dry": "input_invalid",
        "inputs.place": "input_invalid",
    }
    assert any(problem["message"] == "Day is needed." for problem in error.problems)
    assert "CANARY" not in str([error.detail, *error.problems])


@pytest.mark.parametrize("value", [True, float("inf"), "3", None, [3]])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(Invalid):
        check_inputs(graph({"name": "n", "type": "number", "required": True}), {"n": value})


def test_an_empty_text_answers_only_what_may_be_left_out() -> None:
    with pytest.raises(Invalid):
        check_inputs(graph(DAY), {"day": ""})
    assert check_inputs(graph({"name": "day"}), {"day": ""}) == {"day": ""}


def test_too_much_of_it() -> None:
    with pytest.raises(Invalid) as caught:
        check_inputs(graph(), {"a": "x" * (256 * 1024)})
    assert caught.value.code == "inputs_too_large"


@pytest.mark.parametrize(
    ("name", "found"),
    [("password", True), ("api_key", True), ("db_password", True), ("apiKey", True),
     ("tokens", False), ("secretary", False), ("day", False)],
)
def test_a_secret_asked_for_by_a_form_is_warned_of(name: str, found: bool) -> None:
    problems = find_problems(graph({"name": name}), registry())
    assert [problem.code for problem in problems] == ["input_looks_secret"] * found
    for problem in problems:
        assert problem.severity == "warning"
        assert problem.remedy is not None
        assert problem.remedy.data == {"component": "secret.fetch"}

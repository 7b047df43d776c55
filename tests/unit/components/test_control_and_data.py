"""Control and data components, run with the authors' kit. (Their branches: the engine's tests.)"""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from app.components.errors import NodeCancelled
from app.components.registry import registry
from app.sdk import testing

CONDITION = registry().get("control.condition")
MERGE = registry().get("control.merge")
DELAY = registry().get("control.delay")
FAIL = registry().get("control.fail")
SET = registry().get("data.set")
QUERY = registry().get("data.json_query")
TEMPLATE = registry().get("data.template")
ALL = (CONDITION, MERGE, DELAY, FAIL, SET, QUERY, TEMPLATE)
CANARY = "CANARY-control-90d2c1"


@pytest.mark.parametrize(
    ("value", "operator", "other", "holds"),
    [
        (True, "is_true", "", True), ("false", "is_true", "", False), ("No ", "is_true", "", False),
        (0, "is_true", "", False), ([0], "is_true", "", True), (None, "is_true", "", False),
        (5, "equals", "5.0", True), ("05", "equals", 5, True), ("5", "not_equals", "6", True),
        ("a", "equals", "A", False), (True, "equals", "true", True), ("x", "equals", None, False),
        ({"a": 1}, "equals", {"a": 1}, True), (True, "equals", 1, False),
        ("haystack", "contains", "st", True), (["a", 2], "contains", "2", True),
        ({"key": 1}, "contains", "key", True), (404, "starts_with", "4", True),
        ("a.csv", "ends_with", ".csv", True), (None, "contains", "x", False),
        (10, "greater", "9", True), ("10", "less", "9", False), (400, "at_least", "400", True),
        (3, "at_most", "2.5", False), ("2026-01-02", "less", "2026-01-10", True),
        ("", "is_empty", "", True), ([], "is_empty", "", True), (0, "is_empty", "", False),
        (None, "is_not_empty", "", False), ("x", "is_not_empty", "", True),
    ],
)  # fmt: skip
def test_condition(value: Any, operator: str, other: Any, holds: bool) -> None:
    result = testing.run(CONDITION, {"operator": operator},
                         wires={"value": value, "compare_to": other})
    assert result.error is None
    assert result.outputs == {"true" if holds else "false": None, "result": holds}


def test_condition_ignores_case_where_told() -> None:
    for operator, other in (("equals", "ABC"), ("contains", "B"), ("starts_with", "A")):
        config = {"value": "abc", "operator": operator, "compare_to": other, "ignore_case": True}
        assert testing.run(CONDITION, config).outputs["result"] is True


@pytest.mark.parametrize(("value", "operator"), [
    ({"a": 1}, "greater"), (None, "less"), (["x"], "starts_with"), (CANARY, "greater"),
])
def test_condition_says_what_can_t_be_compared(value: Any, operator: str) -> None:
    result = testing.run(CONDITION, {"operator": operator, "compare_to": 4}, wires={"value": value})
    assert result.error is not None
    assert result.error.code == "not_comparable"
    assert CANARY not in result.error.message


def test_merge_takes_what_came() -> None:
    assert testing.run(MERGE, wires={"values": ["a", 2]}).outputs == {
        "value": "a", "values": ["a", 2], "count": 2}
    assert testing.run(MERGE).outputs == {"value": None, "values": [], "count": 0}


def test_delay_waits_passes_on_and_can_be_cancelled() -> None:
    started = time.monotonic()
    assert testing.run(DELAY, {"seconds": 0.1}, wires={"data": [1]}).outputs == {"data": [1]}
    assert time.monotonic() - started >= 0.1
    cancelled = testing.LocalCancellation()
    threading.Timer(0.1, cancelled.cancel).start()
    with pytest.raises(NodeCancelled):
        testing.run(DELAY, {"seconds": 600.0}, cancelled=cancelled)
    assert time.monotonic() - started < 5


def test_fail_fails_in_the_author_s_words() -> None:
    result = testing.run(FAIL, {"message": "No order number."})
    assert result.error is not None
    assert (result.error.code, result.error.message, result.error.retryable) == (
        "failed_on_purpose", "No order number.", False)
    nothing = testing.run(FAIL, {"message": "  "}).error
    assert nothing is not None
    assert nothing.message == "The flow ended here on purpose."


def test_set_makes_and_changes_objects_and_leaves_its_input_alone() -> None:
    given = {"id": 7, "customer": {"name": "N", "secretly": 1}, "list": [1]}
    config = {"values": {"customer.country": "DE", "a.b": [1]},
              "remove": "id, customer.secretly, x.y"}
    result = testing.run(SET, config, wires={"object": given})
    assert result.outputs == {"object": {
        "customer": {"name": "N", "country": "DE"}, "list": [1], "a": {"b": [1]}}}
    assert given == {"id": 7, "customer": {"name": "N", "secretly": 1}, "list": [1]}
    alone = testing.run(SET, {"values": {"a": 1}, "keep_others": False}, wires={"object": given})
    assert alone.outputs == {"object": {"a": 1}}
    assert testing.run(SET).outputs == {"object": {}}
    wrong = testing.run(SET, wires={"object": [CANARY]}).error
    assert wrong is not None
    assert wrong.code == "not_an_object"
    assert CANARY not in wrong.message


def test_query_takes_out_and_reshapes() -> None:
    data = {"orders": [{"id": 1, "total": 150}, {"id": 2, "total": 50}]}
    config = {"query": "orders[?total > `100`].{id: id}"}
    assert testing.run(QUERY, config, wires={"data": data}).outputs == {"result": [{"id": 1}]}
    assert testing.run(QUERY, {"query": "no.such"}, wires={"data": data}).outputs == {
        "result": None}


def test_template_has_conditions_loops_and_filters() -> None:
    config = {"template": "{% for i in items %}{{ i.name|upper }};{% endfor %}{{ values.n }}",
              "values": {"items": [{"name": "a"}, {"name": "b"}], "n": 2}}
    assert testing.run(TEMPLATE, config).outputs == {"text": "A;B;2"}
    assert testing.run(TEMPLATE, {"template": "{{ values[0] }}", "values": ["x"]}).outputs == {
        "text": "x"}


@pytest.mark.parametrize(("component", "config", "code", "place"), [
    (QUERY, {"query": "a[?"}, "expression_not_valid", "character 4"),
    (QUERY, {"query": "nope(@)"}, "expression_failed", ""),
    (QUERY, {"query": "abs(@)"}, "expression_failed", ""),
    (TEMPLATE, {"template": "\n{% if %}"}, "expression_not_valid", "line 2"),
    (TEMPLATE, {"template": "\n\n{{ key[values.a] }}"}, "expression_value_missing", "line 3"),
    (TEMPLATE, {"template": "{{ values.a + 1 }}"}, "expression_failed", "line 1"),
    (TEMPLATE, {"template": "{{ ''.__class__.__mro__ }}"}, "expression_not_allowed", "line 1"),
    (TEMPLATE, {"template": "{{ self._TemplateReference__context }}"},
     "expression_not_allowed", ""),
    (TEMPLATE, {"template": "{% include '/etc/passwd' %}"}, "expression_not_allowed", ""),
])
def test_expressions_that_go_wrong_name_the_place_and_no_data(
    component: Any, config: dict[str, Any], code: str, place: str
) -> None:
    data = {"a": CANARY, "key": {}}
    wires = {"data": data} if component is QUERY else {"values": data}
    error = testing.run(component, config, wires=wires).error
    assert error is not None
    assert error.code == code
    assert place in error.message
    assert CANARY not in error.message


def test_none_of_them_takes_a_secret_and_each_explains_itself() -> None:
    for component in ALL:
        described = component.describe()
        assert "Example" in described["help"]
        assert not described["handles_secrets"]
        assert all(port["type"] != "secret" for port in described["inputs"])
        assert all(one["help"] for one in described["fields"])
        assert all(port["help"] for port in (*described["inputs"], *described["outputs"]))

"""Retries, time limits and what a failure does: read, refused, written canonically."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.errors import Invalid
from app.flows.graph import parse_graph
from app.flows.policies import NO_POLICIES, Policies, Retry, describe_policies


def document(**policies: Any) -> dict[str, Any]:
    node = {"id": "call", "component": "http.request", "label": "Call", "position": [0, 0],
            "config": {}, **policies}  # fmt: skip
    return {"schema": 1, "nodes": [node], "edges": []}


def test_policies_are_read_and_written_whole() -> None:
    graph = parse_graph(document(
        retry={"count": 3, "backoff_seconds": 0.5}, timeout=30, on_error="continue",
    ))
    assert graph.nodes[0].policies == Policies(Retry(3, 0.5), 30, "continue")
    written = json.loads(graph.to_json())["nodes"][0]
    assert written["retry"] == {
        "count": 3, "backoff_seconds": 0.5, "factor": 2, "max_seconds": 60, "jitter": 0.5,
    }
    assert (written["timeout"], written["on_error"]) == (30, "continue")
    assert parse_graph(json.loads(graph.to_json())) == graph


@pytest.mark.parametrize(
    "policies",
    [{}, {"retry": None, "timeout": None}, {"on_error": "stop"}, {"retry": {"count": 0}}],
)
def test_what_is_so_anyway_is_left_out(policies: dict[str, Any]) -> None:
    graph = parse_graph(document(**policies))
    assert graph.nodes[0].policies == NO_POLICIES
    assert graph.to_document() == document()


def test_one_meaning_has_one_canonical_form() -> None:
    ones = parse_graph(document(retry={"count": 2.0, "factor": 3.0}, timeout=5.0))
    assert ones.to_json() == parse_graph(document(retry={"count": 2, "factor": 3}, timeout=5)
                                         ).to_json()


@pytest.mark.parametrize(
    ("policies", "code"),
    [
        ({"retry": 3}, "retry_not_valid"), ({"retry": {}}, "retry_not_valid"),
        ({"retry": {"count": -1}}, "retry_not_valid"),
        ({"retry": {"count": 21}}, "retry_not_valid"),
        ({"retry": {"count": 1.5}}, "retry_not_valid"),
        ({"retry": {"count": True}}, "retry_not_valid"),
        ({"retry": {"count": "3"}}, "retry_not_valid"),
        ({"retry": {"count": 1, "factor": 0.5}}, "retry_not_valid"),
        ({"retry": {"count": 1, "backoff_seconds": 3601}}, "retry_not_valid"),
        ({"retry": {"count": 1, "jitter": 2}}, "retry_not_valid"),
        ({"retry": {"count": 1, "CANARY-name": 1}}, "retry_not_valid"),
        ({"timeout": 0}, "timeout_not_valid"), ({"timeout": -1}, "timeout_not_valid"),
        ({"timeout": 86_401}, "timeout_not_valid"), ({"timeout": "5"}, "timeout_not_valid"),
        ({"timeout": True}, "timeout_not_valid"),
        ({"on_error": "ignore"}, "on_error_not_valid"), ({"on_error": []}, "on_error_not_valid"),
        ({"on_error": None}, "on_error_not_valid"),
    ],
)  # fmt: skip
def test_what_can_t_be_is_refused(policies: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_graph(document(**policies))
    (problem,) = caught.value.problems
    assert (problem["code"], problem["node"]) == (code, "call")
    assert problem["field"] == next(iter(policies))
    assert "CANARY" not in json.dumps(problem)


def test_pauses_grow_up_to_the_longest_and_leave_their_share_to_chance() -> None:
    retry = Retry(10, backoff_seconds=1, factor=3, max_seconds=20, jitter=0.5)
    assert [retry.pause(n, 1) for n in (1, 2, 3, 4, 5)] == [1, 3, 9, 20, 20]
    assert [retry.pause(n, 0) for n in (1, 2)] == [0.5, 1.5]
    assert Retry(1, jitter=0).pause(1, 0) == 1


def test_the_inspector_is_told_every_policy_and_its_limits() -> None:
    fields = {one["name"]: one for one in describe_policies()}
    written = {f"retry.{name}" for name in Retry(1).to_document()} | {"timeout", "on_error"}
    assert fields.keys() == written
    for name, one in fields.items():
        assert all((one["label"], one["help"]))
        if name.startswith("retry."):
            assert one["default"] == Retry(0).to_document()[name.removeprefix("retry.")]

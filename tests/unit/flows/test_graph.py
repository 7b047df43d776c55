"""Reading the graph document: what is impossible is refused, all of it at once."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.flows.graph import MAX_NODES, Graph, parse_graph


def node(key: str, component: str = "output.log", **more: Any) -> dict[str, Any]:
    return {"id": key, "component": component, "label": key.title(), "position": [0, 0],
            "config": {}, **more}  # fmt: skip


def wire(key: str, source: str, target: str) -> dict[str, Any]:
    (a, b), (c, d) = source.split("."), target.split(".")
    return {"id": key, "source": {"node": a, "port": b}, "target": {"node": c, "port": d}}


def graph(nodes: list[Any], edges: list[Any] | None = None) -> dict[str, Any]:
    return {"schema": 1, "nodes": nodes, "edges": edges or []}


def refused(document: object) -> list[dict[str, Any]]:
    with pytest.raises(Invalid) as caught:
        parse_graph(document)
    assert caught.value.code == "graph_invalid"
    return [dict(problem) for problem in caught.value.problems]


def codes(document: object) -> list[str]:
    return [problem["code"] for problem in refused(document)]


FLOW = graph(
    [node("start", "trigger.manual"), node("fetch", "secret.fetch"),
     node("call", "http.request"), node("log")],
    [wire("e1", "fetch.value", "call.bearer_token"), wire("e2", "call.body", "log.message"),
     wire("e3", "start.done", "fetch.start"), wire("e4", "start.done", "call.start"),
     wire("e5", "fetch.done", "call.start"), wire("e6", "call.json", "log.data")],
)  # fmt: skip


def test_a_good_document_comes_back_as_it_was() -> None:
    found = parse_graph(FLOW)
    assert json.loads(found.to_json()) == FLOW
    assert parse_graph(json.loads(found.to_json())) == found
    assert [edge.id for edge in found.into["call"]] == ["e1", "e4", "e5"]
    assert [edge.id for edge in found.out_of["call"]] == ["e2", "e6"]


def test_canonical_json_doesn_t_depend_on_the_order_of_keys() -> None:
    turned = json.loads(json.dumps(FLOW), object_pairs_hook=lambda pairs: dict(pairs[::-1]))
    assert parse_graph(turned).to_json() == parse_graph(FLOW).to_json()


def test_the_smallest_documents() -> None:
    assert parse_graph({"schema": 1, "nodes": [], "edges": []}) == Graph()
    found = parse_graph({"schema": 1, "nodes": [{"id": "a", "component": "output.log"}]})
    assert found.nodes[0].label == ""


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (None, "graph_malformed"), ([], "graph_malformed"), ("x", "graph_malformed"),
        ({}, "schema_unknown"), ({"schema": 0}, "schema_unknown"),
        ({"schema": "1"}, "schema_unknown"), ({"schema": True}, "schema_unknown"),
        ({"schema": 1}, "graph_malformed"), ({"schema": 1, "nodes": {}}, "graph_malformed"),
        ({"schema": 1, "nodes": [], "edges": {}}, "graph_malformed"),
        ({**graph([]), "remarks": 1}, "unknown_field"),
        (graph(["x"]), "graph_malformed"), (graph([{}]), "id_not_valid"),
        (graph([node("")]), "id_not_valid"), (graph([node("a b")]), "id_not_valid"),
        (graph([node("a" * 101)]), "id_not_valid"),
        (graph([{**node("a"), "id": 1}]), "id_not_valid"),
        (graph([node("a", "Log In")]), "graph_malformed"),
        (graph([node("a", "")]), "graph_malformed"),
        (graph([{**node("a"), "label": 1}]), "label_not_valid"),
        (graph([{**node("a"), "label": "x" * 201}]), "label_not_valid"),
        (graph([{**node("a"), "label": "a\nb"}]), "label_not_valid"),
        (graph([{**node("a"), "position": [1]}]), "graph_malformed"),
        (graph([{**node("a"), "position": [1, "2"]}]), "graph_malformed"),
        (graph([{**node("a"), "position": [1, 10**400]}]), "graph_malformed"),
        (graph([{**node("a"), "position": [True, 1]}]), "graph_malformed"),
        (graph([{**node("a"), "config": []}]), "graph_malformed"),
        (graph([{**node("a"), "disabled": 1}]), "graph_malformed"),
        (graph([{**node("a"), "size": 1}]), "unknown_field"),
        (graph([{**node("a"), "config": {"x": float("nan")}}]), "graph_malformed"),
        (graph([{**node("a"), "config": {"x": "\ud800"}}]), "text_not_unicode"),
        (graph([{**node("a"), "config": {"x": "\0"}}]), "text_not_storable"),
        (graph([{**node("a"), "config": {"x": ["a" * 2**21]}}]), "graph_too_large"),
        (graph([node("a"), node("a")]), "duplicate_id"),
        (graph([node(f"n{i}") for i in range(MAX_NODES + 1)]), "too_many_nodes"),
        (graph([node("a")], ["x"]), "graph_malformed"), (graph([node("a")], [{}]), "id_not_valid"),
        (graph([node("a")], [{**wire("e", "a.done", "a.start"), "style": 1}]), "unknown_field"),
        (graph([node("a")], [{"id": "e", "source": "a.done", "target": {}}]), "graph_malformed"),
        (graph([node("a")], [wire("e", "a.done", "b.start")]), "node_missing"),
        (graph([node("a")], [wire("e", "a.done", "a.start")]), "cycle"),
        (graph([node("a")], [wire("e", "a.text", "a.start")]), "port_missing"),
    ],
)  # fmt: skip
def test_impossible_documents_are_refused(document: Any, code: str) -> None:
    found = refused(document)
    assert code in [problem["code"] for problem in found]
    for problem in found:
        assert problem["message"].endswith(".")
        assert problem["severity"] == "error"


def test_a_newer_schema_names_both_versions() -> None:
    (found,) = refused({"schema": 7, "nodes": "whatever", "future": 1})
    assert found["code"] == "schema_newer"
    assert "schema 7" in found["message"]
    assert "up to 1" in found["message"]


def test_deep_nesting_is_refused_and_not_followed() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert codes(graph([{**node("a"), "config": {"x": deep}}])) == ["graph_malformed"]
    deep = "x"
    for _ in range(40):
        deep = {"a": deep}
    assert codes(graph([{**node("a"), "config": deep}])) == ["too_deep"]


def test_limits_are_inclusive() -> None:
    assert len(parse_graph(graph([node(f"n{i}") for i in range(MAX_NODES)])).nodes) == MAX_NODES
    room = 2 * 1024 * 1024 - len(parse_graph(graph([node("a", config={"x": ""})])).to_json())
    parse_graph(graph([node("a", config={"x": "y" * room})]))
    assert codes(graph([node("a", config={"x": "y" * (room + 1)})])) == ["graph_too_large"]


def test_everything_is_reported_at_once() -> None:
    document = copy.deepcopy(FLOW)
    document["nodes"] += [node("log"), {**node("bad"), "label": 5}]
    document["edges"] += [
        wire("e1", "fetch.value", "log.data"), wire("e7", "fetch.value", "log.level"),
        wire("e8", "call.nothing", "log.start"), wire("e9", "call.status", "log.message"),
        wire("e10", "log.done", "start.start"), wire("e11", "gone.done", "log.start"),
        wire("e12", "bad.done", "log.start"),
    ]  # fmt: skip
    found = refused(document)
    assert sorted(problem["code"] for problem in found) == sorted(
        ["duplicate_id", "label_not_valid", "duplicate_id", "node_missing", "secret_into_plain",
         "port_missing", "input_taken", "cycle"]
    )  # fmt: skip
    with pytest.raises(Invalid) as caught:
        parse_graph(document)
    assert caught.value.detail.startswith("8 things keep this flow from being saved. The first: ")


def test_one_problem_is_the_refusal_s_own_sentence() -> None:
    document = graph([node("fetch", "secret.fetch", label="Fetch"), node("log", label="Log")],
                     [wire("e", "fetch.value", "log.message")])  # fmt: skip
    with pytest.raises(Invalid) as caught:
        parse_graph(document)
    assert caught.value.detail == (
        "Secret can't go into text. Log.message is written to the run log, so it takes no secrets."
    )


def test_labels_fall_back_to_the_component_s_title() -> None:
    document = graph([node("fetch", "secret.fetch", label=""), node("log", label=" ")],
                     [wire("e", "fetch.value", "log.data")])  # fmt: skip
    (found,) = refused(document)
    assert "Log.data is written" in found["message"]


def test_a_second_wire_into_a_single_input_names_the_first() -> None:
    document = graph(
        [node("a", "text.template"), node("b", "text.template"), node("log")],
        [wire("e1", "a.text", "log.message"), wire("e2", "b.text", "log.message")],
    )
    (found,) = refused(document)
    assert (found["code"], found["node"], found["port"], found["edge"]) == (
        "input_taken", "log", "message", "e2",
    )  # fmt: skip
    assert "has one from A.text" in found["message"]


def test_cycles_are_named_once_each() -> None:
    nodes = [node(key) for key in "abcdefgh"]
    edges = [
        wire("1", "a.done", "b.start"), wire("2", "b.done", "c.start"),
        wire("3", "c.done", "a.start"), wire("4", "c.done", "d.start"),
        wire("5", "e.done", "f.start"), wire("6", "f.done", "e.start"),
        wire("7", "g.done", "a.start"), wire("8", "d.done", "h.start"),
    ]  # fmt: skip
    found = refused(graph(nodes, edges))
    assert [problem["code"] for problem in found] == ["cycle", "cycle"]
    texts = [problem["message"].split(": ")[1].split(".")[0] for problem in found]
    assert set(texts[0].split(" → ")) == {"A", "B", "C"}
    assert set(texts[1].split(" → ")) == {"E", "F"}
    for text in texts:
        names = text.split(" → ")
        assert names[0] == names[-1]
    order = texts[0].split(" → ")[:3]
    assert order[(order.index("A") + 1) % 3] == "B"


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_cycle_is_found_exactly_when_there_is_one(pairs: list[tuple[int, int]]) -> None:
    nodes = [node(f"n{i}") for i in range(8)]
    edges = [wire(f"e{i}", f"n{a}.done", f"n{b}.start") for i, (a, b) in enumerate(pairs)]
    reach = {i: {b for a, b in pairs if a == i} for i in range(8)}
    for _ in range(8):
        reach = {i: found.union(*(reach[j] for j in found)) for i, found in reach.items()}
    cyclic = any(i in found for i, found in reach.items())
    if not cyclic:
        parse_graph(graph(nodes, edges))
        return
    for problem in refused(graph(nodes, edges)):
        assert problem["code"] == "cycle"


def test_ports_of_unknown_components_are_kept() -> None:
    document = graph(
        [node("fetch", "secret.fetch"), node("x", "acme.thing"), node("call", "http.request"),
         node("log")],
        [wire("e1", "fetch.value", "x.credentials"), wire("e2", "x.token", "call.bearer_token"),
         wire("e3", "x.anything", "log.message"), wire("e4", "x.done", "log.start"),
         wire("e5", "fetch.done", "x.start")],
    )  # fmt: skip
    assert json.loads(parse_graph(document).to_json()) == document
    document["edges"].append(wire("e6", "x.done", "log.data"))
    document["edges"].append(wire("e7", "fetch.value", "x.start"))
    assert codes(document) == ["order_mismatch", "order_mismatch"]


def test_large_graphs_are_read_in_time() -> None:
    """2,000 nodes and 4,000 wires; the bound is wide, machines that test are busy."""
    nodes = [node(f"n{i}", "http.request", config={"url": "https://x/"}) for i in range(2000)]
    edges = [wire(f"a{i}", f"n{i}.body", f"n{i + 1}.body") for i in range(1999)]
    edges += [wire(f"b{i}", f"n{i}.done", f"n{i + 1}.start") for i in range(1999)]
    document = graph(nodes, edges)
    parse_graph(document)
    best = min(_timed(document) for _ in range(5))
    assert best < 1.5


def _timed(document: dict[str, Any]) -> float:
    began = time.process_time()
    parse_graph(document)
    return time.process_time() - began


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "schema",
                    "nodes",
                    "edges",
                    "id",
                    "source",
                    "target",
                    "node",
                    "port",
                    "component",
                    "config",
                    "position",
                    "label",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@given(json_values, json_values, json_values)
def test_any_json_is_read_or_refused(whole: Any, nodes: Any, edges: Any) -> None:
    for document in (
        whole,
        {"schema": 1, "nodes": nodes, "edges": edges},
        {"schema": 1, "nodes": [nodes, {**FLOW["nodes"][0], "config": whole}], "edges": [edges]},
        {"schema": 1, "nodes": FLOW["nodes"], "edges": [{"id": "e", "source": nodes,
                                                         "target": edges}]},
    ):  # fmt: skip
        try:
            found = parse_graph(document)
        except Invalid as refusal:
            # Only the documented refusal, never another exception.
            count = len(refusal.problems)
        else:
            assert parse_graph(json.loads(found.to_json())) == found
            count = 1
        assert count

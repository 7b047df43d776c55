"""What is unfinished is found, named and given a remedy."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from app.components.registry import registry
from app.flows.graph import Graph, parse_graph
from app.flows.validation import (
    SecretLookup,
    SecretStatus,
    find_problems,
    secret_problem,
    secret_references,
)

CANARY = f"CANARY-{secrets.token_hex(8)}"


def flow(nodes: list[tuple[str, str, dict[str, Any]]], *wires: tuple[str, str]) -> Graph:
    """``(id, component, config)`` and ``("a.out", "b.in")``."""
    edges = []
    for number, (source, target) in enumerate(wires):
        (a, b), (c, d) = source.split("."), target.split(".")
        edges.append({"id": f"e{number}", "source": {"node": a, "port": b},
                      "target": {"node": c, "port": d}})  # fmt: skip
    found = []
    for key, component, config in nodes:
        config = dict(config)
        disabled = config.pop("_disabled", False)
        found.append({"id": key, "component": component, "label": key, "config": config,
                      "disabled": disabled})  # fmt: skip
    return parse_graph({"schema": 1, "nodes": found, "edges": edges})


def problems(graph: Graph, lookup: SecretLookup | None = None) -> list[tuple[str, str | None]]:
    return [(one.code, one.node) for one in find_problems(graph, registry(), lookup)]


def test_a_finished_flow_has_none() -> None:
    graph = flow(
        [("t", "trigger.manual", {}), ("f", "secret.fetch", {"secretName": "s"}),
         ("h", "http.request", {"url": "https://x/"}), ("l", "output.log", {})],
        ("f.value", "h.bearer_token"), ("h.body", "l.message"), ("t.done", "f.start"),
    )  # fmt: skip
    assert problems(graph, lambda name, version: "found") == []


def test_half_drawn_flows_list_what_is_missing() -> None:
    graph = flow(
        [("f", "secret.fetch", {}), ("h", "http.request", {}), ("x", "acme.thing", {"a": 1}),
         ("t", "text.template", {"template": ""})]
    )  # fmt: skip
    assert problems(graph) == [
        ("required_input_missing", "f"), ("required_input_missing", "h"),
        ("unknown_component", "x"), ("required_input_missing", "t"),
    ]  # fmt: skip


def test_a_wired_field_needs_no_text() -> None:
    graph = flow(
        [("t", "text.template", {"template": "https://x/"}), ("h", "http.request", {})],
        ("t.text", "h.url"),
    )
    assert problems(graph) == []


def test_bad_settings_are_listed_and_not_repeated() -> None:
    graph = flow([("h", "http.request", {"url": "https://x/", "timeout": CANARY, "odd": CANARY})])
    found = find_problems(graph, registry())
    assert [(one.code, one.field) for one in found] == [
        ("config_invalid", "timeout"), ("config_unknown_field", "odd"),
    ]  # fmt: skip
    assert CANARY not in str([one.to_json() for one in found])


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ("missing", "secret_missing", "re-map"),
        ("denied", "secret_denied", "Ask its owner"),
        ("disabled", "secret_disabled", "Enable it"),
        ("pin_missing", "pin_missing", "Version 3 of secret stripe"),
    ],
)
def test_secrets_that_can_not_be_used(status: SecretStatus, code: str, words: str) -> None:
    graph = flow([("f", "secret.fetch", {"secretName": "stripe", "version": 3})])
    asked: list[tuple[str, int | None]] = []

    def lookup(name: str, version: int | None) -> SecretStatus:
        asked.append((name, version))
        return status

    (found,) = find_problems(graph, registry(), lookup, closest=lambda name: "stripe-live")
    assert asked == [("stripe", 3)]
    assert (found.code, found.node, found.severity) == (code, "f", "error")
    assert "stripe" in found.message
    assert words in found.message
    assert found.remedy is not None
    assert found.remedy.data["secret"] == "stripe"
    assert ("closest name is stripe-live" in found.message) is (status == "missing")
    reference = secret_references(graph)[0]
    assert secret_problem("found", reference) is None


def test_references_are_those_of_enabled_nodes_with_a_name() -> None:
    graph = flow(
        [("a", "secret.fetch", {"secretName": "one"}),
         ("b", "secret.fetch", {"secretName": "two", "version": 2, "outputFormat": "json"}),
         ("c", "secret.fetch", {"secretName": "three", "_disabled": True}),
         ("d", "secret.fetch", {}), ("e", "secret.fetch", {"secretName": 5, "version": True})]
    )  # fmt: skip
    assert [(r.node, r.name, r.version, r.output_format) for r in secret_references(graph)] == [
        ("a", "one", None, "raw"), ("b", "two", 2, "json"),
    ]  # fmt: skip


def test_a_whole_json_secret_into_a_text_input() -> None:
    graph = flow(
        [("f", "secret.fetch", {"secretName": "s", "outputFormat": "json"}),
         ("h", "http.request", {"url": "https://x/"})],
        ("f.value", "h.api_key"),
    )  # fmt: skip
    (found,) = find_problems(graph, registry())
    assert (found.code, found.node, found.port, found.edge) == (
        "secret_not_text", "h", "api_key", "e0",
    )  # fmt: skip
    assert found.remedy is not None


def test_nodes_behind_a_disabled_one_never_start() -> None:
    graph = flow(
        [("t", "trigger.manual", {"_disabled": True}), ("a", "output.log", {}),
         ("b", "output.log", {}), ("c", "output.log", {}),
         ("off", "http.request", {"_disabled": True})],
        ("t.done", "a.start"), ("a.done", "b.start"),
    )  # fmt: skip
    found = find_problems(graph, registry())
    assert [(one.code, one.node, one.severity) for one in found] == [
        ("never_starts", "a", "warning"), ("never_starts", "b", "warning"),
    ]  # fmt: skip
    assert "waits for t, which is disabled" in found[1].message

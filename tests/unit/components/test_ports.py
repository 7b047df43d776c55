"""The table of port types, and its words."""

from __future__ import annotations

import pytest

from app.components.ports import (
    DONE,
    SOURCES,
    START,
    Port,
    PortType,
    accepts,
    check_edge,
    port_rules,
    refusal,
)

ALLOWED = {
    "text": "text json any",
    "number": "number text json any",
    "boolean": "boolean text json any",
    "json": "json any",
    "list": "list json any",
    "order": "order",
    "secret": "secret",
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("target", list(PortType))
def test_table_is_the_documented_one(source: PortType, target: PortType) -> None:
    allowed = str(target) in ALLOWED[source].split()
    assert accepts(source, target) is allowed
    assert (refusal(source, target) is None) is allowed


def test_rules_list_every_pair_once_with_words_for_the_refused() -> None:
    rules = port_rules()
    assert len({(rule["source"], rule["target"]) for rule in rules}) == len(rules) == 7 * 8
    for rule in rules:
        assert bool(rule["title"]) is bool(rule["reason"]) is not rule["allowed"]
        assert rule["reason"] == "" or rule["reason"].endswith(".")


def test_plain_replacement_of_a_rule_gives_the_refusal_s_words() -> None:
    """What the canvas does in JavaScript."""
    for rule in port_rules():
        if rule["allowed"]:
            continue
        found = refusal(
            PortType(rule["source"]),
            PortType(rule["target"]),
            source_name="Fetch.value",
            target_name="Log.message",
            note="is shown, so it takes no secrets",
        )
        reason = rule["reason"].replace("{source}", "Fetch.value")
        reason = reason.replace("{target}", "Log.message")
        reason = reason.replace("{note}", "is shown, so it takes no secrets")
        assert found is not None
        assert found.message == f"{rule['title']}. {reason}"


def test_secret_into_log_says_why() -> None:
    value = Port("value", PortType.SECRET)
    message = Port(
        "message", PortType.TEXT, note="is written to the run log, so it takes no secrets"
    )
    found = check_edge("f", "Fetch", value, "l", "Log", message, edge="e1")
    assert found is not None
    assert found.message == (
        "Secret can't go into text. Log.message is written to the run log, so it takes no secrets."
    )
    assert (found.node, found.port, found.edge) == ("l", "message", "e1")


def test_plain_into_secret_suggests_secret_fetch() -> None:
    found = check_edge(
        "t", "Text", Port("text", PortType.TEXT), "h", "Call", Port("bearer_token", PortType.SECRET)
    )
    assert found is not None
    assert found.remedy is not None
    assert found.remedy.to_json() == {
        "action": "add_node",
        "label": "Use Secret Fetch",
        "component": "secret.fetch",
    }
    assert "Use Secret Fetch" in found.message


def test_labels_with_placeholders_are_left_alone() -> None:
    found = refusal(
        PortType.SECRET, PortType.ANY, source_name="{target}.x", target_name="{note}{source}.y"
    )
    assert found is not None
    assert found.reason.startswith("{note}{source}.y keeps what it gets")


def test_order_goes_into_order_only() -> None:
    assert accepts(DONE.type, START.type)
    assert START.multiple

"""Config from what was typed and what was wired; no message repeats a value."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from app.components.binding import bind, convert, find_config_problems
from app.components.errors import NodeError
from app.components.ports import PortType
from app.components.registry import registry

HTTP = registry().get("http.request")
LOG = registry().get("output.log")
FETCH = registry().get("secret.fetch")
CANARY = f"CANARY-{secrets.token_hex(8)}"


def test_a_wire_wins_over_what_was_typed_and_numbers_become_text() -> None:
    assert bind(LOG, {"message": "typed"}, {"message": 12.5}).model_dump()["message"] == "12.5"
    assert bind(LOG, {"message": "typed"}, {"message": True}).model_dump()["message"] == "true"
    assert bind(LOG, {"message": "typed"}, {"data": 1}).model_dump()["message"] == "typed"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({}, PortType.TEXT), (None, PortType.TEXT), (True, PortType.NUMBER), ("1", PortType.NUMBER),
        (float("nan"), PortType.NUMBER), (1, PortType.BOOLEAN), ({}, PortType.LIST),
        ("x", PortType.SECRET),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(value: Any, kind: PortType) -> None:
    with pytest.raises(NodeError) as caught:
        convert(value, kind, "Log.message")
    assert caught.value.code == "value_mismatch"
    assert "Log.message" in caught.value.message


def test_required_fields_may_be_wired_or_typed_or_are_missing() -> None:
    for config in ({}, {"url": ""}, {"url": None}):
        found = find_config_problems(HTTP, config)
        assert [(p.code, p.port, p.field) for p in found] == [
            ("required_input_missing", "url", "url")
        ]
        assert find_config_problems(HTTP, config, {"url"}) == []
    assert find_config_problems(HTTP, {"url": "https://x/"}) == []


def test_a_secret_s_name_can_only_be_chosen() -> None:
    (found,) = find_config_problems(FETCH, {})
    assert (found.code, found.port, found.field) == ("required_input_missing", None, "secretName")
    assert found.message == "Secret Fetch needs Secret. Choose it in the inspector."


def test_what_is_no_input_is_typed() -> None:
    found = find_config_problems(registry().get("vault.kv.fetch"), {"secretPath": "team/api"})
    assert [one.message for one in found] == [
        "Vault KV Fetch needs Address. Type it in the inspector."
    ]


@pytest.mark.parametrize(
    "config",
    [
        {"method": CANARY}, {"timeout": CANARY}, {"timeout": -1}, {"timeout": 1e9},
        {"headers": CANARY}, {"headers": {"A": [CANARY]}}, {"query": [CANARY]},
        {"max_redirects": 1.5}, {"max_redirects": True}, {"api_key_header": CANARY * 100},
    ],
)  # fmt: skip
def test_bad_settings_name_the_field_and_keep_the_value(config: dict[str, Any]) -> None:
    (found,) = find_config_problems(HTTP, {"url": "https://x/", **config})
    assert found.code == "config_invalid"
    assert found.field == next(iter(config))
    assert CANARY not in str(found.to_json())
    with pytest.raises(NodeError) as caught:
        bind(HTTP, {"url": "https://x/", **config})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("reference", ["abc", "env:A B", "CANARY-typed-there"])
def test_what_has_a_form_of_its_own_is_told_by_an_example(reference: str) -> None:
    (found,) = find_config_problems(registry().get("env.fetch"), {"reference": reference})
    assert found.message.endswith(
        "isn't written as it has to be, such as file:/run/secrets/stripe.")
    assert reference not in found.message


def test_unknown_settings_are_named() -> None:
    (found,) = find_config_problems(LOG, {"colour": CANARY})
    assert found.code == "config_unknown_field"
    assert "colour" in found.message
    assert CANARY not in found.message

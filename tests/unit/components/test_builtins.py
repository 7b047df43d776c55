"""The small built-ins, run with the authors' kit. (HTTP Request: tests/integration.)"""

from __future__ import annotations

import secrets

import pytest

from app.components.registry import registry
from app.components.secret import Secret
from app.sdk import testing

TRIGGER = registry().get("trigger.manual")
FETCH = registry().get("secret.fetch")
LOG = registry().get("output.log")
TEMPLATE = registry().get("text.template")
CANARY = f"CANARY-{secrets.token_hex(8)}"


def test_trigger_passes_the_run_s_inputs_on() -> None:
    assert testing.run(TRIGGER, run_inputs={"a": [1]}).outputs == {"payload": {"a": [1]}}
    assert testing.run(TRIGGER).outputs == {"payload": {}}


def test_fetch_hands_over_the_grant_without_showing_it() -> None:
    result = testing.run(FETCH, {"secretName": "stripe"}, granted=CANARY)
    assert isinstance(result.outputs["value"], Secret)
    assert result.leaks == ()
    assert result.revealed == ()


def test_fetch_of_json_checks_that_it_is_json() -> None:
    config = {"secretName": "stripe", "outputFormat": "json"}
    good = testing.run(FETCH, config, granted='{"key": "' + CANARY + '"}')
    assert good.outputs["value"].structured
    bad = testing.run(FETCH, config, granted=CANARY)
    assert bad.error is not None
    assert bad.error.code == "secret_not_json"
    assert bad.leaks == ()


def test_log_writes_message_and_data() -> None:
    result = testing.run(LOG, {"message": "hello", "level": "warning"}, wires={"data": {"a": 1}})
    assert [(one.level, one.text, one.data) for one in result.lines] == [
        ("warning", "hello", {"a": 1})
    ]
    assert result.outputs == {}


def test_log_without_message_writes_the_data_as_text() -> None:
    assert testing.run(LOG, wires={"data": [1, "ü"]}).lines[0].text == '[1, "ü"]'
    assert testing.run(LOG, wires={"data": "x" * 5000}).lines[0].text == "x" * 2000 + "…"
    assert testing.run(LOG).lines[0].text == ""


def test_a_cut_shows_no_part_of_a_secret() -> None:
    """Masked afterwards, the beginning of a value that the cut goes through would stay."""
    for before in (1_979, 1_995, 4_000):
        text = "x" * before + CANARY
        (line,) = testing.run(LOG, wires={"data": text}, secrets={"other": CANARY}).lines
        assert "CAN" not in line.text


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("plain", {}, "plain"),
        ("a {{ name }} b", {"name": "N"}, "a N b"),
        ("{{a.b.1}}", {"a": {"b": [1, True]}}, "true"),
        ("{{a.b}}", {"a.b": "dotted"}, "dotted"),
        ("{{values}}", [1, 2], "[1, 2]"),
        ("{{values}}", "text", "text"),
        ("{{0}}", ["first"], "first"),
        ("{{x}}", {"x": "{{y}}"}, "{{y}}"),
        ("{{x}}", {"x": None}, "null"),
        ("{ {x} {{}", {}, "{ {x} {{}"),
    ],
)
def test_template_substitutes_and_does_nothing_else(
    template: str, values: object, text: str
) -> None:
    result = testing.run(TEMPLATE, {"template": template, "values": values})
    assert result.error is None
    assert result.outputs == {"text": text}


@pytest.mark.parametrize("path", ["missing", "a.b.9", "a.__class__", "a.b.-1", "", "a.b.1.x"])
def test_template_names_what_is_missing(path: str) -> None:
    result = testing.run(TEMPLATE, {"template": f"{{{{{path}}}}}", "values": {"a": {"b": [1, 2]}}})
    assert result.error is not None
    assert result.error.code == "template_value_missing"
    assert f"{{{{{path}}}}}" in result.error.message


def test_template_that_would_grow_without_end_is_stopped() -> None:
    result = testing.run(TEMPLATE, {"template": "{{x}}" * 2000, "values": {"x": "y" * 1000}})
    assert result.error is not None
    assert result.error.code == "template_too_long"


def test_the_kit_finds_a_leak_in_any_form() -> None:
    class Careless(type(LOG)):  # type: ignore[misc]
        def run(self, context):  # type: ignore[no-untyped-def]
            import base64

            value = context.reveal("data", "local")
            context.log.info(base64.b64encode(value.encode()).decode())
            return {}

    result = testing.run(Careless(), {"message": ""}, secrets={"data": CANARY})
    assert result.leaks == ("log line 1",)

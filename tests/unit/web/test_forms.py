"""Refusals, placed at the fields of a form."""

from __future__ import annotations

import pytest

from app.errors import Conflict, Invalid
from app.web.forms import errors_of, split_tags, suggest_name
from app.web.hx import safe_next


def test_a_refusal_stands_at_its_field() -> None:
    error = Invalid("secret_name_invalid", "Names have letters.", field="name")
    assert errors_of(error, "name", "value")["name"].message == "Names have letters."


def test_a_refusal_of_no_field_of_the_form_stands_above_it() -> None:
    assert errors_of(Conflict("busy", "Later."), "name")[""].code == "busy"
    assert list(errors_of(Invalid("odd", "No.", field="elsewhere"), "name")) == [""]


def test_problems_with_fields_are_spread() -> None:
    problems = [
        {"code": "a", "message": "A.", "field": "name"},
        {"code": "b", "message": "B.", "field": "tags"},
    ]
    found = errors_of(Invalid("body_invalid", "Two.", problems=problems), "name", "tags")
    assert {field: error.code for field, error in found.items()} == {"name": "a", "tags": "b"}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("stripe/live/webhook secret", "stripe/live/webhook-secret"),
        ("/stripe//live/", "stripe/live"),
        ("fine-name", None),
        ("   ", None),
    ],
)
def test_a_name_close_by_is_offered(typed: str, offered: str | None) -> None:
    assert suggest_name(typed) == offered


def test_tags_are_split_by_commas() -> None:
    assert split_tags(" payments, live,, payments ") == ("payments", "live")


@pytest.mark.parametrize(
    "location",
    ["//evil.example", "/\\evil.example", "https://evil.example", "", None, "/a\\b", "/a\nb"],
)
def test_only_paths_of_this_site_are_followed(location: str | None) -> None:
    assert safe_next(location) is None


def test_a_path_of_this_site_is_followed() -> None:
    assert safe_next("/secrets?q=a") == "/secrets?q=a"

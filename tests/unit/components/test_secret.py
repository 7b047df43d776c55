"""The type of a secret value: it doesn't show, doesn't compare, doesn't travel."""

from __future__ import annotations

import copy
import json
import pickle
import secrets
import traceback

import pytest

from app.components.errors import NodeError
from app.components.secret import Secret, SecretRef, expose, open_for

CANARY = f"CANARY-{secrets.token_hex(8)}"
REF = SecretRef("stripe", 3, "0190-id")


def test_every_way_of_printing_gives_the_mask() -> None:
    secret = Secret(CANARY, (REF,))
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>40}",
        str((secret,)),
        repr([secret]),
    ]
    assert not any(CANARY in text for text in shown)
    assert str(secret) == "***"
    assert expose(secret) == CANARY


def test_it_can_not_be_serialised() -> None:
    secret = Secret(CANARY)
    for write in (pickle.dumps, json.dumps):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    with pytest.raises(TypeError):
        vars(secret)


def test_equal_values_are_not_equal() -> None:
    assert Secret(CANARY) != Secret(CANARY)
    assert Secret(CANARY) != CANARY


def test_derived_secrets_go_only_where_all_their_parents_may() -> None:
    one = Secret("a", (REF,), ["a.example", "b.example"])
    two = Secret("b", (SecretRef("other", 1, "id2"),), ["b.example:443", "c.example"])
    made = Secret.derived("ab", (one, two, one))
    assert [ref.name for ref in made.refs] == ["stripe", "other"]
    assert made.may_go_to("https://b.example:443")
    assert not made.may_go_to("https://b.example:8443")
    assert not made.may_go_to("https://a.example:443")
    assert not made.may_go_to("https://c.example:443")


def test_opening_for_a_place_that_is_not_allowed_names_it_and_not_the_value() -> None:
    secret = Secret(CANARY, (REF,), ["api.stripe.com"])
    assert open_for(secret, "bearer_token", "https://api.stripe.com:443") == CANARY
    for place in ("https://evil.example:443", "local"):
        with pytest.raises(NodeError) as caught:
            open_for(secret, "bearer_token", place)
        assert caught.value.code == "secret_host_denied"
        assert "stripe" in caught.value.message
        assert CANARY not in caught.value.message
    assert open_for(Secret(CANARY, allowed_hosts=["local"]), "p", "local") == CANARY


def test_structured_secrets_are_checked_without_quoting() -> None:
    assert Secret('{"a": 1}', (REF,)).as_structured().structured
    with pytest.raises(NodeError) as caught:
        Secret(CANARY, (REF,)).as_structured()
    assert caught.value.code == "secret_not_json"
    assert CANARY not in "".join(traceback.format_exception(caught.value))

"""Known formats of credentials: hints that hold nothing of the value."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.vault.formats import Format, recognise


def jwt(**claims: object) -> str:
    parts = ({"alg": "EdDSA"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=") for p in parts]
    return b".".join([*encoded, b"c2lnbmF0dXJl"]).decode()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----", "pem"),
        ('{"user": "a", "password": "b"}', "json"),
        ('["a", "b"]', "json"),
        ('{"access_key_id": "A", "secret_access_key": "B"}', "aws_key"),
        ("AKIA" + "A" * 16, "aws_key"),
        ("ghp_" + "a" * 36, "github_token"),
        ("github_pat_" + "a" * 40, "github_token"),
        ("correct horse battery", ""),
        ("a.b.c", ""),
        ("{not json", ""),
        ("[" * 5000, ""),
    ],
)
def test_what_it_looks_like(value: str, name: str) -> None:
    assert recognise(value).name == name


def test_a_jwt_says_when_it_ends() -> None:
    ends = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert recognise(jwt(exp=ends.timestamp())) == Format("jwt", ends)
    assert recognise(jwt(sub="a")) == Format("jwt", None)


@pytest.mark.parametrize("exp", [True, "soon", -1, 1e300, None, []])
def test_a_jwt_with_an_odd_end(exp: object) -> None:
    assert recognise(jwt(exp=exp)) == Format("jwt", None)


@given(st.text(max_size=200))
def test_any_text_is_taken(value: str) -> None:
    assert recognise(value).name in {"", "pem", "json", "aws_key", "github_token", "jwt"}

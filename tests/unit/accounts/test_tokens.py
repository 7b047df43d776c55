"""The text of API tokens."""

from __future__ import annotations

import pytest

from app.accounts.tokens import digest, is_api_token, new_api_token


def test_a_token_has_its_form_and_is_never_the_same() -> None:
    tokens = {new_api_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert token.startswith("tct_")
        assert len(token) == 53
        assert is_api_token(token)


def test_one_wrong_character_is_seen_without_a_query() -> None:
    token = new_api_token()
    for position in range(len(token)):
        other = "A" if token[position] != "A" else "B"
        assert not is_api_token(token[:position] + other + token[position + 1 :])


@pytest.mark.parametrize("text", ["", "tct_", "Bearer", "tct_" + "é" * 49, "x" * 53])
def test_what_is_no_token(text: str) -> None:
    assert not is_api_token(text)


def test_what_is_kept_does_not_hold_the_token() -> None:
    token = new_api_token()
    assert token[4:] not in digest(token)
    assert len(digest(token)) == 64

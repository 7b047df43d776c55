"""Cursors and limits: what a list gave out, and everything that it did not."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.paging import check_limit, decode_cursor, encode_cursor, like_pattern


def cursor_of(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_what_was_given_out_is_read(position: list[str]) -> None:
    assert decode_cursor(encode_cursor(*position), len(position)) == position


@pytest.mark.parametrize(
    "cursor",
    ["", "a", "!!!!", "é", "\ud800", cursor_of(b"\xff"), cursor_of(b"[" * 20_000), cursor_of([]),
     cursor_of(["a", "b"]), cursor_of({"a": 1}), cursor_of([1]), cursor_of([None]),
     cursor_of([["a"]]), cursor_of("a"), cursor_of(["a\0"]), cursor_of(["\ud800"]),
     cursor_of(b"NaN"), cursor_of(b"1" * 5000)],
    ids=lambda cursor: ascii(cursor)[:20],
)
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as caught:
        decode_cursor(cursor, 1)
    assert (caught.value.code, caught.value.field) == ("cursor_invalid", "cursor")


@pytest.mark.parametrize("limit", [1, 50, 200])
def test_limits(limit: int) -> None:
    assert check_limit(limit) == limit


@pytest.mark.parametrize("limit", [0, -1, 201, 10**30])
def test_limits_that_are_refused(limit: int) -> None:
    with pytest.raises(Invalid) as caught:
        check_limit(limit)
    assert caught.value.field == "limit"


def test_patterns_escape_what_like_reads() -> None:
    assert like_pattern("a") == "%a%"
    assert like_pattern("50%_\\") == "%50\\%\\_\\\\%"

"""Row MACs and the audit's links: equal fields, and only those, have equal MACs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.keys.seals import Seals

SEALS = Seals(b"r" * 32, b"a" * 32)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.binary(max_size=6)
)
VALUES = SCALARS | st.lists(st.text(max_size=3), max_size=3)


def mac(fields: dict[str, Any], kind: str = "rows") -> bytes:
    """Return the MAC alone."""
    return SEALS.mac_row(kind, fields)[1]


def same(one: Any, other: Any) -> bool:
    """Equality that tells True from 1."""
    return type(one) is type(other) and one == other


@given(VALUES, VALUES)
def test_values_are_told_apart(one: Any, other: Any) -> None:
    assert (mac({"a": one}) == mac({"a": other})) == same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [(None, "null"), (None, ""), (1, "1"), (1, True), (0, False), ([], None), ([], ""),
     (b"a", "b:61"), (["a", "b"], ["a,b"]), (["a", "b"], ["b", "a"])],
)
def test_look_alikes(one: Any, other: Any) -> None:
    assert mac({"a": one}) != mac({"a": other})


def test_names_and_tables_count() -> None:
    assert mac({"a": "x", "b": "y"}) != mac({"a": "y", "b": "x"})
    assert mac({"a": "x"}) != mac({"b": "x"})
    assert mac({"a": "x"}) != mac({"a": "x"}, "other")


def test_a_time_is_the_same_in_every_zone() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(hours=5)))
    assert mac({"at": moment}) == mac({"at": there})
    assert mac({"at": moment}) != mac({"at": moment + timedelta(microseconds=1)})


def test_checking() -> None:
    key_id, tag = SEALS.mac_row("rows", {"a": 1})
    assert SEALS.row_is_sealed("rows", {"a": 1}, key_id, tag)
    assert not SEALS.row_is_sealed("rows", {"a": 2}, key_id, tag)
    assert not SEALS.row_is_sealed("rows", {"a": 1}, "0" * 16, tag)
    assert not SEALS.row_is_sealed("rows", {"a": 1}, None, tag)
    assert not SEALS.row_is_sealed("rows", {"a": 1}, key_id, None)
    assert not SEALS.row_is_sealed("rows", {"a": 1}, key_id, tag[:-1])
    assert not Seals(b"x" * 32, b"a" * 32).row_is_sealed("rows", {"a": 1}, key_id, tag)


def test_key_ids_say_nothing_of_the_keys() -> None:
    assert SEALS.row_key_id != SEALS.audit_key_id
    assert len(SEALS.row_key_id) == 16
    assert (b"r" * 32).hex()[:16] != SEALS.row_key_id
    assert "rrrr" not in repr(SEALS)


def test_a_link_covers_the_one_before_it() -> None:
    event = {"action": "x", "seq": 1}
    first = SEALS.mac_audit(b"\0" * 32, event)
    assert first != SEALS.mac_audit(first, event)
    assert first != SEALS.mac_audit(b"\0" * 32, {**event, "seq": 2})
    assert first == SEALS.mac_audit(b"\0" * 32, {"seq": 1, "action": "x"})
    assert first != Seals(b"r" * 32, b"b" * 32).mac_audit(b"\0" * 32, event)

"""Ids and times."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.ids import is_id, iso, new_id, utcnow


def test_ids_are_version_7_of_now() -> None:
    made = uuid.UUID(new_id())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - time.time()) < 5


def test_ids_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000


def test_threads_never_make_the_same_id() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(5000)))
    assert len(set(made)) == 5000


ID = "019abcde-f012-7345-8678-9abcdef01234"


@pytest.mark.parametrize(
    "text",
    ["", "x", "..", "%2e%2e", ID.upper(), f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", ""),
     f"{ID}\n", f" {ID}", "é" * 36, "\ud800" * 36],
    ids=lambda text: ascii(text)[:20],
)
def test_what_is_no_id(text: str) -> None:
    assert not is_id(text)
    assert is_id(ID)
    assert is_id(new_id())


def test_times() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)
    assert iso(moment) == "2026-01-02T03:04:05.000060Z"
    assert iso(moment.astimezone(timezone(timedelta(hours=-7)))) == iso(moment)
    assert iso(None) is None
    assert utcnow().tzinfo is UTC

"""Passwords: what is taken, and what an unknown account costs."""

from __future__ import annotations

import statistics
import time

import pytest

from app.accounts.passwords import check_password_rules, hash_password, verify_password
from app.errors import Invalid


def test_a_hash_is_argon2id_and_opens_with_its_password_only() -> None:
    stored = hash_password("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse battery")
    assert not verify_password(stored, "correct horse batterz")


def test_the_same_letters_in_another_composition_match() -> None:
    assert verify_password(hash_password("caf\u00e9 au lait"), "cafe\u0301 au lait")


def test_an_unknown_account_costs_as_much_as_a_known_one() -> None:
    stored = hash_password("correct horse battery")
    verify_password(None, "warm up")

    def cost(hashed: str | None) -> float:
        times = []
        for _ in range(5):
            start = time.process_time()
            assert not verify_password(hashed, "wrong")
            times.append(time.process_time() - start)
        return statistics.median(times)

    known, unknown = cost(stored), cost(None)
    assert unknown > known / 2
    assert known > unknown / 2


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "password_too_short"),
        ("x" * 2000, "password_too_long"),
        ("aaaaaaaaaaaa", "password_too_weak"),
        ("ada@example.com", "password_too_weak"),
    ],
)
def test_what_is_not_taken(password: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_password_rules(password, email="ada@example.com")
    assert caught.value.code == code
    assert caught.value.field == "password"
    assert password not in caught.value.detail

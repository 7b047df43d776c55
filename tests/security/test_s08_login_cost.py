"""Statement 8: a login costs the same whether the account exists or not; secrets are compared in
constant time.
"""

from __future__ import annotations

import ast
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import argon2
import pytest

from app.accounts import passwords
from app.accounts import service as accounts
from tests.support.installation import PASSWORD, Installation

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own."""
    made = Installation.make(tmp_path / "home")
    yield made
    made.services.close()


def test_s08_login_cost(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the hash work of each kind of failed login, and the words that come back."""
    _, known = house.person()
    disabled_id, disabled = house.person("viewer")
    house.person()
    with house.services.db.begin() as session:
        accounts.set_disabled(session, house.operator(), disabled_id, True)
    work: list[argon2.Parameters] = []
    real = passwords._hasher

    class Counting:
        def verify(self, stored: str, password: str) -> bool:
            work.append(argon2.extract_parameters(stored))
            return real.verify(stored, password)

        hash = real.hash

    monkeypatch.setattr(passwords, "_hasher", Counting())
    said = []
    for email in (known, "nobody@example.com", disabled, "not an address", "", "x" * 5000):
        work.clear()
        answer = house.browser().sign_in(email, "a wrong password")
        assert list(work) == [argon2.extract_parameters(passwords._decoy())], email
        said.append((answer.status_code, answer.headers.get("Set-Cookie") is None))
    assert len(set(said)) == 1


def test_s08_a_failed_login_says_the_same(house: Installation) -> None:
    _, known = house.person()
    words = []
    for email in (known, "nobody@example.com"):
        with house.services.db.begin() as session:
            attempt = accounts.open_attempt(session, email, "192.0.2.1")
        words.append(accounts.login_failed(attempt).detail)
    assert words[0].replace("4", "n") == words[1].replace("4", "n").replace("3", "n")


def test_s08_the_decoy_takes_as_long() -> None:
    """Compare medians, generously: the machine does other things at the same time."""
    stored = passwords.hash_password(PASSWORD)
    passwords.verify_password(None, "x")
    spent: dict[str | None, list[float]] = {stored: [], None: []}
    for _ in range(9):
        for hashed, times in spent.items():
            began = time.thread_time()
            passwords.verify_password(hashed, "a wrong password")
            times.append(time.thread_time() - began)
    known, unknown = (statistics.median(times) for times in spent.values())
    assert 0.5 < unknown / known < 2


MACS = {"mac", "row_mac", "signature", "fingerprint", "csrf_secret", "csrf_token", "hexdigest"}
"""Names under which the code holds what must be compared in constant time. Digests of random
credentials are looked up by an index of the database, where there is nothing to guess.
"""


def test_s08_macs_are_compared_in_constant_time() -> None:
    """Walk the code: no ``==`` where one side is a MAC, tag, signature or digest."""
    found, compared = [], 0
    for path in sorted((ROOT / "app").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for item in ast.walk(tree):
            if isinstance(item, ast.Call) and getattr(item.func, "attr", "") == "compare_digest":
                compared += 1
            if not isinstance(item, ast.Compare):
                continue
            if not any(isinstance(op, ast.Eq | ast.NotEq) for op in item.ops):
                continue
            names = {_last_name(side) for side in (item.left, *item.comparators)}
            if names & MACS:
                found.append(f"{path.relative_to(ROOT)}:{item.lineno} {ast.unparse(item)}")
    assert compared >= 2
    assert not found, found


def _last_name(side: ast.expr) -> str:
    if isinstance(side, ast.Call):
        return _last_name(side.func)
    if isinstance(side, ast.Attribute):
        return side.attr
    return side.id if isinstance(side, ast.Name) else ""

"""``tacit user``, ``tacit token`` and ``tacit session`` over a real installation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.accounts.scopes import Role
from app.cli import tacit
from app.errors import TacitError
from tests.support.database import home_variables
from tests.support.installation import Installation


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own."""
    made = Installation.make(tmp_path / "home")
    yield made
    made.services.close()


def _run(house: Installation, *arguments: str) -> Result:
    environment: dict[str, Any] = home_variables(house.config.home)
    return CliRunner().invoke(tacit, list(arguments), env=environment)


def _refused(house: Installation, *arguments: str) -> str:
    error = _run(house, *arguments).exception
    assert isinstance(error, TacitError)
    return error.code


def test_people_and_roles(house: Installation) -> None:
    _, chief = house.person(Role.ADMIN)
    user_id, email = house.person(None)
    listed = _run(house, "user", "list").output
    assert f"{email}  {user_id}  no role" in listed
    assert f"{chief}" in listed
    assert "admin everywhere" in listed
    here = ("--environment", "default")
    assert "is operator in default" in _run(
        house, "user", "role", "grant", email, "operator", *here
    ).output
    assert "operator in default" in _run(house, "user", "list").output
    assert _refused(house, "user", "role", "revoke", email, "operator") == "grant_not_found"
    assert "no longer" in _run(house, "user", "role", "revoke", email, "operator", *here).output
    assert _refused(house, "user", "disable", chief) == "last_admin"
    assert _refused(house, "user", "role", "revoke", chief, "admin") == "last_admin"
    assert _refused(house, "user", "disable", "nobody@example.com") == "user_not_found"
    assert _run(house, "user", "disable", email).exit_code == 0
    assert "disabled" in _run(house, "user", "list").output
    assert _run(house, "user", "enable", email).exit_code == 0
    assert "disabled" not in _run(house, "user", "list").output


def test_tokens_and_sessions(house: Installation) -> None:
    user_id, email = house.person(Role.ADMIN)
    token = house.token("flows:read", user_id=user_id)
    browser = house.browser()
    browser.sign_in(email)
    listed = _run(house, "token", "list").output
    assert token not in listed
    assert f"{email}  test  flows:read  no end  never used" in listed
    assert house.api(token).get("/me").status_code == 200
    assert _run(house, "token", "revoke", listed.split()[0]).exit_code == 0
    assert house.api(token).get("/me").status_code == 401
    assert _run(house, "token", "list").output == ""
    assert _refused(house, "token", "revoke", "nothing") == "token_not_found"
    assert browser.api("GET", "/me").status_code == 200
    assert _run(house, "session", "revoke", email).exit_code == 0
    assert browser.api("GET", "/me").status_code == 401

"""An installation and people who look at its pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.accounts.scopes import Role
from tests.support.installation import Browser, Installation


@dataclass
class Person:
    """Somebody signed in, using pages as a browser does: forms carry the page's own token."""

    browser: Browser

    def get(self, path: str, *, htmx: bool = False) -> TestResponse:
        """Open a page, or ask for a partial as htmx does."""
        return self.browser.send("GET", path, headers={"HX-Request": "true"} if htmx else {})

    def post(self, path: str, *, htmx: bool = False, **fields: Any) -> TestResponse:
        """Send a form with the token that the last page held."""
        return self.browser.send(
            "POST", path,
            data={"csrf_token": self.browser.csrf_token(), **fields},
            headers={"HX-Request": "true"} if htmx else {},
        )

    def new_secret(self, name: str, value: str, **fields: str) -> str:
        """Save a secret through the form; returns its id."""
        answer = self.post("/secrets", name=name, value=value, **fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"].rpartition("/")[2]

    def new_flow(self, name: str) -> str:
        """Make a flow through the form; returns its id."""
        answer = self.post("/flows", name=name)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"].rpartition("/")[2]


def field_error(page: str, field: str) -> str:
    """Return the text of the error that stands at a field."""
    found = re.search(rf'id="{field}-error">.*?<span>(.*?)</span>', page, re.DOTALL)
    assert found, f"no error at {field}"
    return found.group(1)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own."""
    made = Installation.make(tmp_path / "home")
    yield made
    made.services.close()


@pytest.fixture
def admin(installation: Installation) -> Person:
    """An administrator, signed in."""
    return Person(installation.signed_in(Role.ADMIN))

"""The API's access table as docs/api.md has it, and a body for each route that takes one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.accounts.scopes import Scope
from app.ids import new_id

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

GOOD = "a value that is long enough"
QUERIES = {"GET /flows/{flow_id}/diff": "?before=1"}
"""What an address can't do without."""

BODIES: dict[str, dict[str, Any]] = {
    "POST /me/password": {"current_password": "wrong", "password": "correct horse battery 2"},
    "POST /environments": {"name": "n"},
    "PATCH /environments/{environment_id}": {},
    "POST /components/{name}/shape": {"config": {}},
    "POST /components/{name}/upgrade": {"config": {}, "version": 1},
    "POST /secrets": {"name": "n", "value": GOOD},
    "PATCH /secrets/{secret_id}": {"description": "d"},
    "PUT /secrets/{secret_id}/rotate": {"value": GOOD},
    "POST /flows": {"name": "n"},
    "PUT /flows/{flow_id}": {"graph": {"schema": 1, "nodes": [], "edges": []}},
    "POST /flows/{flow_id}/validate": {},
    "POST /flows/{flow_id}/check": {},
    "POST /flows/{flow_id}/activate": {},
    "POST /flows/{flow_id}/runs": {},
    "POST /runs/{run_id}/rerun": {},
    "POST /flows/{flow_id}/store-credential": {"node": "n", "field": "f", "name": "s"},
    "POST /flows/{flow_id}/credential-marks": {"node": "n", "field": "f"},
    "POST /flows/import": {"bundle": {}},
    "POST /users": {"email": "nobody", "password": "correct horse battery"},
    "POST /users/{user_id}/roles": {"role": "viewer"},
    "POST /tokens": {"name": "t", "scopes": []},
    "POST /workers": {"name": "w"},
    "PATCH /limits": {},
    "POST /flows/{flow_id}/check-node": {"node": "n1"},
    "PATCH /reach": {},
    "POST /freeze": {},
}
"""Bodies that can be read; what they ask for may be refused."""

_ROW = re.compile(
    r"^\| `([A-Z]+) (/\S*)` \| (any|`[^|]*`) \| (token, session|session) \| (\d+) \|$", re.M
)


@dataclass(frozen=True)
class Route:
    """A row of the table."""

    method: str
    path: str
    scopes: tuple[Scope, ...]
    session_only: bool
    status: int

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def ids(self) -> list[str]:
        """The names of the ids in the address."""
        return re.findall(r"{(\w+_id)}", self.path)

    def opens_for(self, scopes: frozenset[Scope], kind: str) -> bool:
        """Say whether the table lets a credential of that kind in."""
        if self.session_only and kind != "session":
            return False
        return not self.scopes or bool(scopes & set(self.scopes))

    def address(self, ids: Mapping[str, str] | None = None) -> str:
        """Return the address with ids that never were, but for those given."""
        known = {"number": "1", "name": "data.set", **(ids or {})}
        path = re.sub(r"{(\w+)}", lambda found: known.get(found[1], new_id()), self.path)
        return path + QUERIES.get(self.name, "")

    def options(self) -> dict[str, Any]:
        """Return the body as the test client takes it."""
        return {"json": BODIES[self.name]} if self.name in BODIES else {}


def read_table() -> list[Route]:
    """Read the table."""
    return [
        Route(
            method, path, tuple(Scope(name) for name in re.findall(r"`([^`]+)`", scope)),
            credential == "session", int(status),
        )
        for method, path, scope, credential, status in _ROW.findall(PAGE.read_text())
    ]


TABLE = read_table()

"""Scopes are a closed list, matched exactly; roles are sets of them."""

from __future__ import annotations

import pytest

from app.accounts.actor import Actor, system_actor
from app.accounts.scopes import ALL_SCOPES, ROLE_SCOPES, Role, Scope, parse_role, parse_scopes
from app.errors import Denied, Invalid


def test_the_list_is_the_documented_one() -> None:
    assert {scope.value for scope in Scope} == {
        "secrets:read", "secrets:use", "secrets:manage", "secrets:read:value",
        "flows:read", "flows:manage", "runs:read", "runs:manage",
        "audit:read", "users:manage", "keys:manage", "workers:manage", "environments:manage",
    }


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("viewer", {"secrets:read", "flows:read", "runs:read"}),
        ("author", {"secrets:read", "flows:read", "runs:read", "flows:manage", "runs:manage"}),
        ("operator", {"secrets:read", "flows:read", "runs:read", "flows:manage", "runs:manage",
                      "secrets:use"}),
        ("secret-manager", {"secrets:read", "flows:read", "runs:read", "secrets:manage"}),
        ("auditor", {"secrets:read", "flows:read", "runs:read", "audit:read"}),
        ("admin", {scope.value for scope in Scope}),
    ],
)
def test_roles_hold_what_the_documentation_says(role: str, scopes: set[str]) -> None:
    assert {scope.value for scope in ROLE_SCOPES[parse_role(role)]} == scopes


@pytest.mark.parametrize(
    "name",
    ["Secrets:read", " secrets:read", "secrets:read ", "secrets:*", "sеcrets:read",
     "secrets：read", "secrets:read\n", "secrets:readvalue", "", "*"],
)
def test_other_spellings_grant_nothing(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_scopes([name])
    assert caught.value.code == "scope_unknown"


@pytest.mark.parametrize("name", ["Admin", "admin ", "secret_manager", "root", ""])
def test_other_roles_are_refused(name: str) -> None:
    with pytest.raises(Invalid):
        parse_role(name)


def test_every_role_has_scopes() -> None:
    assert set(ROLE_SCOPES) == set(Role)


def test_a_missing_scope_is_named_and_audited() -> None:
    actor = Actor(kind="token", name="ci", environment_id="e", scopes=frozenset())
    with pytest.raises(Denied) as caught:
        actor.require(Scope.SECRETS_READ_VALUE)
    assert caught.value.code == "scope_missing"
    assert "secrets:read:value" in caught.value.detail
    assert caught.value.audit is not None


def test_the_system_holds_everything() -> None:
    assert system_actor("e").scopes == ALL_SCOPES

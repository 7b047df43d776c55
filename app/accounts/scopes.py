"""The closed list of scopes, and the roles made of them.

A scope is matched exactly: other case, white space or look-alike letters grant nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from types import MappingProxyType

from app.errors import Invalid


class Scope(StrEnum):
    """What a caller may do; the values stand in tokens and in the API's errors."""

    SECRETS_READ = "secrets:read"
    SECRETS_USE = "secrets:use"
    SECRETS_MANAGE = "secrets:manage"
    SECRETS_READ_VALUE = "secrets:read:value"
    FLOWS_READ = "flows:read"
    FLOWS_MANAGE = "flows:manage"
    RUNS_READ = "runs:read"
    RUNS_MANAGE = "runs:manage"
    AUDIT_READ = "audit:read"
    USERS_MANAGE = "users:manage"
    KEYS_MANAGE = "keys:manage"
    WORKERS_MANAGE = "workers:manage"
    ENVIRONMENTS_MANAGE = "environments:manage"


class Role(StrEnum):
    """A named set of scopes, granted in one environment or for the installation."""

    VIEWER = "viewer"
    AUTHOR = "author"
    OPERATOR = "operator"
    SECRET_MANAGER = "secret-manager"  # noqa: S105 - the name of a role
    AUDITOR = "auditor"
    ADMIN = "admin"


ALL_SCOPES: frozenset[Scope] = frozenset(Scope)
"""Every scope: what an administrator and the system itself hold."""

_VIEWER = frozenset({Scope.SECRETS_READ, Scope.FLOWS_READ, Scope.RUNS_READ})
_AUTHOR = _VIEWER | {Scope.FLOWS_MANAGE, Scope.RUNS_MANAGE}

ROLE_SCOPES = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.AUTHOR: _AUTHOR,
        Role.OPERATOR: _AUTHOR | {Scope.SECRETS_USE},
        Role.SECRET_MANAGER: _VIEWER | {Scope.SECRETS_MANAGE},
        Role.AUDITOR: _VIEWER | {Scope.AUDIT_READ},
        Role.ADMIN: ALL_SCOPES,
    }
)
"""The scopes of each role."""


def parse_scopes(names: Iterable[str]) -> frozenset[Scope]:
    """Turn names into scopes.

    :raises Invalid: ``scope_unknown`` for a name that isn't exactly one of the list.
    """
    known = {scope.value: scope for scope in Scope}
    found = set()
    for name in names:
        if name not in known:
            raise Invalid(
                "scope_unknown",
                f"There is no scope {name[:64]!a}. Choose from: {', '.join(known)}.",
                field="scopes",
            )
        found.add(known[name])
    return frozenset(found)


def parse_role(name: str) -> Role:
    """Turn a name into a role.

    :raises Invalid: ``role_unknown`` for a name that isn't exactly one of the list.
    """
    for role in Role:
        if role.value == name:
            return role
    raise Invalid(
        "role_unknown",
        f"There is no role {name[:64]!a}. Choose from: {', '.join(role.value for role in Role)}.",
        field="role",
    )

"""The actor: on whose behalf a service does something, where, and with which scopes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from app.accounts.scopes import ALL_SCOPES, Scope
from app.audit import Action, AuditNote, Who
from app.errors import Denied


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, where they act and what they may do there.

    :param kind: what kind of credential stands behind it.
    :param name: the email address, worker name or part of the system, as people know it.
    :param environment_id: the environment that every service call is confined to.
    :param scopes: what may be done there, worked out when the credential was checked.
    :param session_id: the login session, for actors of kind ``session``.
    :param authenticated_at: when the password was last typed in, for sessions; the few deeds
        that need a fresh re-authentication compare it with the clock.
    """

    kind: Literal["session", "token", "worker", "system"]
    name: str
    environment_id: str
    scopes: frozenset[Scope]
    user_id: str | None = None
    token_id: str | None = None
    request_id: str | None = None
    address: str | None = None
    session_id: str | None = None
    authenticated_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Say whether the actor holds the scope."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """Refuse an actor who lacks the scope.

        :raises Denied: ``scope_missing``, naming the scope; carries the audit note of the denial.
        """
        if scope not in self.scopes:
            raise Denied(
                "scope_missing",
                f"This needs the scope {scope.value}, which {self.name} does not have here. "
                "Ask an administrator of this environment for it, or use a token that has it.",
                audit=AuditNote(action=Action.ACCESS_DENY, data={"scope": scope.value}),
            )

    def who(self) -> Who:
        """Describe the actor to the audit, which knows nothing of scopes."""
        return Who(
            kind=self.kind,
            id=self.token_id or self.user_id,
            name=self.name,
            environment_id=self.environment_id,
            request_id=self.request_id,
            address=self.address,
        )


def system_actor(environment_id: str, name: str = "tacit") -> Actor:
    """Make the actor for what Tacit does of itself: bootstrap, commands, the scheduler."""
    return Actor(kind="system", name=name, environment_id=environment_id, scopes=ALL_SCOPES)

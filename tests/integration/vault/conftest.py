"""A place for each test: an environment of its own in the module's installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.ids import new_id
from app.vault import NewSecret, Vault
from app.vault import service as secrets
from app.vault.service import SecretView
from tests.support.installation import canary
from tests.support.runs import Workshop


@dataclass
class Place:
    """An environment, and the services called in it, each in a transaction of its own."""

    workshop: Workshop
    environment_id: str
    actor: Actor
    vault: Vault

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Open a transaction."""
        with self.workshop.installation.services.db.begin() as session:
            yield session

    def may_only(self, *scopes: Scope) -> Actor:
        """Return an actor with these scopes alone."""
        return self.workshop.actor(environment_id=self.environment_id, scopes=frozenset(scopes))

    def create(self, name: str = "one", value: str | None = None, **more: Any) -> SecretView:
        """Create a secret."""
        new = NewSecret(name=name, value=value or canary(), **more)
        with self.begin() as session:
            return secrets.create_secret(session, self.actor, self.vault, new)

    def rotate(self, secret_id: str, value: str | None = None, **more: Any) -> SecretView:
        """Rotate a secret."""
        with self.begin() as session:
            return secrets.rotate_secret(
                session, self.actor, self.vault, secret_id, value=value or canary(), **more
            )

    def delete(self, secret_id: str, **more: Any) -> None:
        """Delete a secret."""
        with self.begin() as session:
            secrets.delete_secret(session, self.actor, secret_id, **more)

    def get(self, secret_id: str, actor: Actor | None = None) -> SecretView:
        """Show a secret."""
        with self.begin() as session:
            return secrets.get_secret(session, actor or self.actor, secret_id)

    def names(self, **query: Any) -> list[str]:
        """List names."""
        with self.begin() as session:
            return [item.name for item in secrets.list_secrets(session, self.actor, **query).items]

    def value(self, secret_id: str, version: int | None = None) -> str:
        """Open a value, as the API does for a token that may see it."""
        from app.vault.reveal import reveal_for_token

        actor = self.workshop.actor(environment_id=self.environment_id, token_id=new_id())
        with self.begin() as session:
            return reveal_for_token(session, actor, self.vault, secret_id, version)


@pytest.fixture
def place(workshop: Workshop) -> Place:
    """An environment of the test's own."""
    installation = workshop.installation
    environment_id = installation.environment(f"e{new_id()}")
    vault = installation.services.vault
    assert vault is not None
    actor = workshop.actor(environment_id=environment_id)
    return Place(workshop, environment_id, actor, vault)

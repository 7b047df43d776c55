"""The transaction of a page: one a request, acting for who is signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.errors import Unavailable
from app.http.identity import current_actor
from app.http.services import services
from app.http.work import unit_of_work
from app.vault import Vault


@contextmanager
def work(*, read: bool = False) -> Iterator[tuple[Session, Actor]]:
    """Open the request's transaction and say for whom.

    :param read: for pages that neither write nor audit; reads of secrets are audited.
    """
    actor = current_actor()
    with unit_of_work(services().db, actor, read=read) as session:
        yield session, actor


def vault() -> Vault:
    """Return the vault of this process.

    :raises Unavailable: ``vault_closed``.
    """
    found = services().vault
    if found is None:
        raise Unavailable("vault_closed", "This process doesn't hold the master key.")
    return found

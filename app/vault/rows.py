"""Finding a secret's row for a service, and the checks that every change shares."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.audit import Action, AuditNote
from app.errors import Conflict, NotFound, Stale
from app.ids import is_id, utcnow
from app.vault.models import Secret, SecretVersion


def get_row(
    session: Session,
    actor: Actor,
    secret_id: str,
    *,
    for_update: bool = False,
    deleted: bool = False,
) -> Secret:
    """Return a secret of the actor's environment.

    :param deleted: take one that was deleted and can still be restored, too.
    :raises NotFound: there is none; what another environment holds answers the same.
    """
    query = select(Secret).where(
        Secret.id == secret_id, Secret.environment_id == actor.environment_id
    )
    if not deleted:
        query = query.where(Secret.state != "deleted")
    if for_update:
        query = query.with_for_update()
    secret = session.scalar(query) if is_id(secret_id) else None
    if secret is None:
        raise NotFound(
            "secret_not_found",
            "There is no such secret in this environment.",
            # Only ids: an address that was typed may hold anything, a pasted value too.
            audit=AuditNote(
                action=Action.SECRET_READ, target=secret_id if is_id(secret_id) else None
            ),
        )
    return secret


def get_version_row(session: Session, secret: Secret, number: int) -> SecretVersion:
    """Return a version of a secret.

    :raises NotFound: ``secret_version_not_found``.
    """
    row = session.get(SecretVersion, (secret.id, number)) if 0 < number < 2**31 else None
    if row is None:
        raise NotFound(
            "secret_version_not_found",
            f"Secret {secret.name} has no version {number}; its newest is "
            f"{secret.latest_version}.",
        )
    return row


def check_revision(secret: Secret, if_match: int | None) -> None:
    """Refuse a change that was decided on an older revision.

    :raises Stale: ``secret_changed``, saying by whom.
    """
    if if_match is not None and if_match != secret.revision:
        raise Stale(
            "secret_changed",
            f"Secret {secret.name} was changed by {secret.updated_by} since you read it: "
            f"{secret.last_change or 'it was created'}. It is at revision {secret.revision}, you "
            f"had {if_match}. Read it again, then decide.",
        )


def touch(secret: Secret, actor: Actor, change: str) -> None:
    """Make a new revision of a secret.

    :param change: what was done, as a sentence would go on: “it was rotated to version 3”.
    """
    secret.revision += 1
    secret.updated_at = utcnow()
    secret.updated_by = actor.name
    secret.last_change = change


def name_taken(name: str) -> Conflict:
    """Return the refusal of a name that another secret has."""
    return Conflict(
        "secret_name_taken",
        f"There is a secret named {name} in this environment already. Choose another name, or "
        "rotate that one.",
        field="name",
    )


def refuse_taken(session: Session, actor: Actor, name: str) -> None:
    """Refuse a name that is in use, or reserved by a deleted secret.

    :raises Conflict: ``secret_name_taken`` or ``secret_name_reserved``.
    """
    held = session.scalar(
        select(Secret).where(Secret.environment_id == actor.environment_id, Secret.name == name)
    )
    if held is None:
        return
    if held.state == "deleted":
        raise Conflict(
            "secret_name_reserved",
            f"A deleted secret named {name} is kept until {held.purge_at:%d %B %Y}, and its name "
            "stays reserved till then. Restore it, purge it, or choose another name.",
            field="name",
        )
    raise name_taken(name)

"""Versions of a secret: activate an older one, disable, enable, destroy."""

from __future__ import annotations

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.errors import Conflict, Locked
from app.vault.models import Secret, SecretBlob, SecretVersion
from app.vault.rows import check_revision, get_row, get_version_row, touch
from app.vault.uses import list_uses
from app.vault.views import SecretView, view_secret


def activate_version(
    session: Session, actor: Actor, secret_id: str, number: int, *, if_match: int | None = None
) -> SecretView:
    """Make a version the active one; its value isn't needed for it.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises NotFound: there is no such secret or version here.
    :raises Conflict: ``version_not_enabled``.
    :raises Stale: the secret changed since ``if_match``.
    """
    secret, version = _open(session, actor, secret_id, number, if_match)
    if version.state != "enabled":
        raise Conflict(
            "version_not_enabled",
            f"Version {number} of {secret.name} is {version.state}, so it can't be active."
            + (" Enable it first." if version.state == "disabled" else ""),
        )
    if secret.active_version == number:
        return view_secret(session, secret)
    secret.active_version = number
    return _done(session, actor, secret, number, "activated")


def disable_version(
    session: Session, actor: Actor, secret_id: str, number: int, *, if_match: int | None = None
) -> SecretView:
    """Deny a version's value until it is enabled again.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises NotFound: there is no such secret or version here.
    :raises Conflict: ``version_destroyed``.
    :raises Stale: the secret changed since ``if_match``.
    """
    return _set_state(session, actor, secret_id, number, if_match, "disabled")


def enable_version(
    session: Session, actor: Actor, secret_id: str, number: int, *, if_match: int | None = None
) -> SecretView:
    """Let a disabled version's value be used again; raises as :func:`disable_version`."""
    return _set_state(session, actor, secret_id, number, if_match, "enabled")


def destroy_version(
    session: Session, actor: Actor, secret_id: str, number: int, *, if_match: int | None = None
) -> SecretView:
    """Destroy a version: its ciphertext and wrapped key are deleted and never come back.

    :raises Denied: the actor lacks ``secrets:manage``.
    :raises NotFound: there is no such secret or version here.
    :raises Conflict: ``version_active``: another version has to be activated first.
    :raises Locked: ``version_in_use``: an active flow version pins it.
    :raises Stale: the secret changed since ``if_match``.
    """
    secret, version = _open(session, actor, secret_id, number, if_match)
    if version.state == "destroyed":
        return view_secret(session, secret)
    if secret.active_version == number:
        raise Conflict(
            "version_active",
            f"Version {number} of {secret.name} is the active one. Activate another version or "
            "rotate the secret first, then destroy this one.",
        )
    pinned = [use for use in list_uses(session, secret, "active") if use.pin == number]
    if pinned:
        flows = ", ".join(sorted({use.flow_name for use in pinned})[:5])
        raise Locked(
            "version_in_use",
            f"Active flows pin version {number} of {secret.name}: {flows}. Activate versions of "
            "them that take another one, then destroy it.",
        )
    version.state = "destroyed"
    session.execute(delete(SecretBlob).where(SecretBlob.id == version.blob_id))
    return _done(session, actor, secret, number, "destroyed")


def _set_state(
    session: Session, actor: Actor, secret_id: str, number: int, if_match: int | None, state: str
) -> SecretView:
    secret, version = _open(session, actor, secret_id, number, if_match)
    if version.state == "destroyed":
        raise Conflict(
            "version_destroyed",
            f"Version {number} of {secret.name} was destroyed and can't be {state} again.",
        )
    if version.state == state:
        return view_secret(session, secret)
    version.state = state
    return _done(session, actor, secret, number, state)


def _open(
    session: Session, actor: Actor, secret_id: str, number: int, if_match: int | None
) -> tuple[Secret, SecretVersion]:
    actor.require(Scope.SECRETS_MANAGE)
    secret = get_row(session, actor, secret_id, for_update=True)
    check_revision(secret, if_match)
    return secret, get_version_row(session, secret, number)


def _done(session: Session, actor: Actor, secret: Secret, number: int, deed: str) -> SecretView:
    touch(secret, actor, f"version {number} was {deed}")
    session.flush()
    audit.record(
        session, actor=actor.who(), action=Action.SECRET_VERSION, secret_id=secret.id,
        target=secret.name, data={"version": number, "deed": deed, "revision": secret.revision},
    )
    return view_secret(session, secret)

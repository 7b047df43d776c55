"""What a secret looks like to those who may not see its value: everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.vault.models import Secret, SecretVersion

MASK = "***"


@dataclass(frozen=True, slots=True)
class SecretView:
    """A secret without its value: the API's fields, and ``versions``, how many there are.

    :ivar active_version_state: ``enabled``, or what a flow that follows the active version meets.
    """

    id: str
    name: str
    description: str
    tags: list[str]
    owner: str
    state: str
    active_version: int
    active_version_state: str
    masked_value: str
    created_at: datetime
    created_by: str
    updated_at: datetime
    updated_by: str
    rotated_at: datetime
    last_accessed_at: datetime | None
    rotation_period_days: int | None
    due_at: datetime | None
    allowed_hosts: list[str] | None
    allowed_flows: list[str] | None
    revision: int
    versions: int
    deleted_at: datetime | None
    purge_at: datetime | None


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version of a secret, without its value.

    :ivar format: what the value looks like (see :mod:`app.vault.formats`), or empty.
    :ivar expires_at: when the value says that it ends, where it does.
    """

    number: int
    state: str
    active: bool
    format: str
    expires_at: datetime | None
    created_at: datetime
    created_by: str
    last_accessed_at: datetime | None


def view_secret(session: Session, secret: Secret) -> SecretView:
    """Make the view of a row."""
    return view_secrets(session, [secret])[0]


def view_secrets(session: Session, secrets: Sequence[Secret]) -> list[SecretView]:
    """Make the views of rows, in their order."""
    # Those that aren't enabled are few; the rows' MACs count where a value is asked for.
    closed = dict(
        session.execute(
            select(SecretVersion.secret_id, SecretVersion.state)
            .join(Secret, Secret.id == SecretVersion.secret_id)
            .where(
                Secret.id.in_([secret.id for secret in secrets]),
                SecretVersion.number == Secret.active_version, SecretVersion.state != "enabled",
            )
        ).all()
    )
    return [_view(secret, closed.get(secret.id, "enabled")) for secret in secrets]


def _view(secret: Secret, active_version_state: str) -> SecretView:
    return SecretView(
        id=secret.id,
        name=secret.name,
        description=secret.description,
        tags=list(secret.tags),
        owner=secret.owner,
        state=secret.state,
        active_version=secret.active_version,
        active_version_state=active_version_state,
        masked_value=MASK,
        created_at=secret.created_at,
        created_by=secret.created_by,
        updated_at=secret.updated_at,
        updated_by=secret.updated_by,
        rotated_at=secret.rotated_at,
        last_accessed_at=secret.last_accessed_at,
        rotation_period_days=secret.rotation_period_days,
        due_at=secret.due_at,
        allowed_hosts=secret.allowed_hosts,
        allowed_flows=secret.allowed_flows,
        revision=secret.revision,
        versions=secret.latest_version,
        deleted_at=secret.deleted_at,
        purge_at=secret.purge_at,
    )


def view_version(version: SecretVersion, secret: Secret) -> VersionView:
    """Make the view of a version's row."""
    return VersionView(
        number=version.number,
        state=version.state,
        active=version.number == secret.active_version,
        format=version.format,
        expires_at=version.expires_at,
        created_at=version.created_at,
        created_by=version.created_by,
        last_accessed_at=version.last_accessed_at,
    )

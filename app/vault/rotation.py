"""Master keys in use: what each wraps, and moving the values from one to the next while all runs.

A rotation stages a KEK, activates it, rewraps in small transactions, and retires the old one at
count zero. Each step commits by itself and can be taken again; killed anywhere, every value opens
(SECURITY.md, section 2). What rewrapping can't undo: docs/keys.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action, Who
from app.config import Config
from app.db import Database
from app.errors import Conflict, NotFound
from app.ids import utcnow
from app.keys.installation import get_active_kek_id, stage_kek
from app.keys.models import KeyEncryptionKey
from app.vault.models import Secret, SecretBlob
from app.vault.vault import Vault

BATCH = 100


@dataclass(frozen=True, slots=True)
class KekView:
    """A master key as operators see it.

    :ivar blobs: how many values are wrapped under it, those of deleted secrets included.
    """

    id: str
    provider: str
    state: str
    blobs: int
    created_at: datetime
    changed_at: datetime


@dataclass(slots=True)
class Progress:
    """How far a rewrap or a check is.

    :ivar done: values that were rewrapped, or that opened.
    :ivar failed: ids of secrets and blobs that don't open.
    """

    done: int = 0
    by_kek: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)


def list_keks(session: Session, actor: Actor) -> list[KekView]:
    """List the master keys, oldest first.

    :raises Denied: the actor lacks ``keys:manage``.
    """
    actor.require(Scope.KEYS_MANAGE)
    query = select(SecretBlob.kek_id, func.count()).group_by(SecretBlob.kek_id)
    counts: dict[str, int] = dict(session.execute(query).all())
    rows = session.scalars(
        select(KeyEncryptionKey).order_by(KeyEncryptionKey.created_at, KeyEncryptionKey.id)
    )
    return [
        KekView(
            row.id, row.provider, row.state, counts.get(row.id, 0), row.created_at, row.changed_at
        )
        for row in rows
    ]


def stage(session: Session, actor: Actor, config: Config) -> str:
    """Take a new master key from the provider of the settings; returns its id.

    It wraps nothing yet, so its file can be brought to the other machines first.

    :raises Denied: the actor lacks ``keys:manage``.
    :raises ConfigError: the provider has none to give.
    """
    actor.require(Scope.KEYS_MANAGE)
    row = stage_kek(config, session)
    _record(session, actor, Action.KEY_STAGE, row.id, provider=row.provider)
    return row.id


def activate(session: Session, actor: Actor, vault: Vault, kek_id: str) -> None:
    """Have a staged master key wrap from now on; the present one is retiring.

    Running processes take it up with the next value they seal or open.

    :raises Denied: the actor lacks ``keys:manage``.
    :raises NotFound: there is no such key.
    :raises Conflict: ``key_not_staged``.
    :raises Unavailable: the key can't be had here, or its provider can't be reached.
    """
    actor.require(Scope.KEYS_MANAGE)
    row = _get(session, kek_id)
    if row.state != "staged":
        raise Conflict("key_not_staged", f"The master key {kek_id} is {row.state}, not staged.")
    kek = vault.find_kek(kek_id)
    if kek is None:
        raise Conflict("key_not_here", f"The master key {kek_id} can't be opened on this machine.")
    kek.health()
    now = utcnow()
    present = _get(session, get_active_kek_id(session))
    present.state, present.changed_at = "retiring", now
    # One key is active at any time, so this one has to be gone first.
    session.flush()
    row.state, row.changed_at = "active", now
    session.flush()
    _record(session, actor, Action.KEY_ACTIVATE, row.id, before=present.id)


def rewrap(db: Database, actor: Actor, vault: Vault) -> Progress:
    """Wrap the data keys of all values under the active master key, some in a transaction.

    Can be stopped anywhere and begun again, and runs beside readers and writers.

    :raises Denied: the actor lacks ``keys:manage``.
    :raises Conflict: ``key_rotated``: another rotation has begun meanwhile.
    :raises Unavailable: a key's provider can't be reached.
    """
    actor.require(Scope.KEYS_MANAGE)
    with db.read() as session:
        target = get_active_kek_id(session, hold=False)
    progress, after = Progress(), ""
    while True:
        with db.read() as session:
            found = _batch(session, after, SecretBlob.kek_id != target)
        if not found:
            return progress
        after = found[-1][0].id
        # Wrapped between two transactions: a key far away keeps no writer waiting.
        wrapped = []
        for blob, environment_id in found:
            dek = vault.rewrap(environment_id, blob, target)
            if dek is None:
                progress.failed.append((blob.secret_id, blob.id))
            else:
                wrapped.append((blob, dek))
        with db.begin() as session:
            progress.done += _store(session, actor, target, wrapped)


def _store(
    session: Session,
    actor: Actor,
    target: str,
    wrapped: list[tuple[SecretBlob, bytes]],
) -> int:
    if get_active_kek_id(session) != target:
        raise Conflict(
            "key_rotated",
            "Another rotation has begun meanwhile. Run “tacit keys rotate” again to finish it.",
        )
    count = 0
    for blob, dek in wrapped:
        # One that was rewrapped or destroyed meanwhile is left as it is.
        changed = session.execute(
            update(SecretBlob)
            .where(
                SecretBlob.id == blob.id,
                SecretBlob.kek_id == blob.kek_id,
                SecretBlob.wrapped_dek == blob.wrapped_dek,
            )
            .values(kek_id=target, wrapped_dek=dek),
            execution_options={"synchronize_session": False},
        )
        count += changed.rowcount  # type: ignore[attr-defined]
    if count:
        _record(session, actor, Action.KEY_REWRAP, target, values=count)
    return count


def retire(session: Session, actor: Actor, kek_id: str) -> None:
    """Retire a master key that wraps nothing any more; a staged one is given up.

    :raises Denied: the actor lacks ``keys:manage``.
    :raises NotFound: there is no such key.
    :raises Conflict: ``key_active`` or ``key_in_use``, with the count of values.
    """
    actor.require(Scope.KEYS_MANAGE)
    row = _get(session, kek_id)
    if row.state == "retired":
        return
    if row.state == "active":
        raise Conflict(
            "key_active", f"{kek_id} is the active master key. “tacit keys rotate” replaces it."
        )
    blobs = session.scalar(
        select(func.count()).select_from(SecretBlob).where(SecretBlob.kek_id == kek_id)
    )
    if blobs:
        raise Conflict(
            "key_in_use",
            f"{blobs} values are wrapped under {kek_id}. “tacit keys rotate” rewraps them; “tacit "
            "keys check” names those that don't open.",
        )
    row.state, row.changed_at = "retired", utcnow()
    _record(session, actor, Action.KEY_RETIRE, kek_id)


def check(
    db: Database, actor: Actor, vault: Vault, *, sample: int | None = None
) -> Progress:
    """Open every stored value and let go of it.

    :param sample: open about this many only, spread over all.
    :raises Denied: the actor lacks ``keys:manage``.
    :raises Unavailable: a key's provider can't be reached.
    """
    actor.require(Scope.KEYS_MANAGE)
    progress, after = Progress(), ""
    with db.read() as session:
        total = session.scalar(select(func.count()).select_from(SecretBlob)) or 0
    step = max(1, total // sample) if sample else 1
    position = 0
    while True:
        with db.read() as session:
            found = _batch(session, after)
        if not found:
            break
        after = found[-1][0].id
        for blob, environment_id in found:
            position += 1
            if position % step:
                continue
            if vault.opens(environment_id, blob):
                progress.done += 1
                progress.by_kek[blob.kek_id] = progress.by_kek.get(blob.kek_id, 0) + 1
            else:
                progress.failed.append((blob.secret_id, blob.id))
    with db.begin() as session:
        _record(
            session, actor, Action.KEY_CHECK, None, values=progress.done,
            failed=len(progress.failed),
        )
    return progress


def record_replaced(db: Database, actor: Actor, which: str) -> None:
    """Note that a key of seals or audit was replaced; the first event under a new audit key."""
    actor.require(Scope.KEYS_MANAGE)
    with db.begin() as session:
        _record(session, actor, Action.KEY_REPLACE, which)


def _batch(
    session: Session, after: str, *where: ColumnElement[bool]
) -> list[tuple[SecretBlob, str]]:
    """Return blobs with the environments of their secrets, deleted ones included, by id."""
    query = (
        select(SecretBlob, Secret.environment_id)
        .join(Secret, Secret.id == SecretBlob.secret_id)
        .where(SecretBlob.id > after, *where)
        .order_by(SecretBlob.id)
        .limit(BATCH)
    )
    return [(blob, environment_id) for blob, environment_id in session.execute(query)]


def _get(session: Session, kek_id: str) -> KeyEncryptionKey:
    row = session.scalar(
        select(KeyEncryptionKey).where(KeyEncryptionKey.id == kek_id).with_for_update()
    )
    if row is None:
        raise NotFound(
            "key_not_found", f"There is no master key {kek_id}; “tacit keys status” lists them."
        )
    return row


def _record(
    session: Session, actor: Actor, action: Action, kek_id: str | None, **data: object
) -> None:
    who: Who = replace(actor.who(), environment_id=None)
    audit.record(session, actor=who, action=action, target=kek_id, data=data)

"""Replacing the row-MAC key and the audit key while processes run.

The key files are what counts: the one in use has a fixed name, older ones that still check carry
their id. A process looks at the folder before it seals, so a new key is taken up at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.db import Base, Database
from app.errors import Conflict, Unavailable
from app.keys.keyfiles import KEY_BYTES, read_key_file, sync_folder, write_key_file
from app.keys.sealed import Sealed
from app.keys.seals import Seals, key_id, older_files, seal_files

BATCH = 200
LOCK_PATIENCE = 300
"""Milliseconds that a lock on the tables is waited for; deadlocks are looked for after 1,000."""
LOCK_ATTEMPTS = 100


def replace_seal_key(home: Path, which: Literal["row-mac", "audit"]) -> str:
    """Put a new key in use and keep the old one as one that still checks; returns the new id.

    Killed at any step, the file in use is whole and what the old key sealed still checks.
    """
    row, audit = seal_files(home)
    file = row if which == "row-mac" else audit
    old, new = read_key_file(file), secrets.token_bytes(KEY_BYTES)
    staged = file.with_name(f"{file.stem}-{key_id(new)}.key")
    write_key_file(staged, new)
    kept = file.with_name(f"{file.stem}-{key_id(old)}.key")
    if not kept.exists():
        kept.hardlink_to(file)
    sync_folder(file.parent)
    staged.replace(file)
    sync_folder(file.parent)
    return key_id(new)


def count_sealed(session: Session) -> dict[str, int]:
    """Count the sealed rows by the key that sealed them."""
    counts: dict[str, int] = {}
    for model in sealed_models():
        query = select(model.mac_key_id, func.count()).group_by(model.mac_key_id)
        for name, count in session.execute(query):
            counts[name] = counts.get(name, 0) + count
    return counts


def reseal(db: Database, seals: Seals) -> Iterator[int]:
    """Seal every row of an older key with the present one, some in a transaction.

    Can be stopped anywhere and begun again.

    :returns: how many rows each transaction sealed.
    :raises Tampered: a row's old seal does not hold; the operator looks at it first.
    """
    present = seals.row_key_id
    for model in sealed_models():
        while True:
            with db.begin() as session:
                rows = session.scalars(
                    select(model)
                    .where(model.mac_key_id != present)
                    .limit(BATCH)
                    .with_for_update()
                ).all()
                for row in rows:
                    # Loading it has checked the old seal.
                    row.mac_key_id, row.row_mac = seals.mac_row(
                        row.__tablename__, row.sealed_fields()
                    )
            if not rows:
                break
            yield len(rows)


def retire_row_keys(db: Database, home: Path) -> list[str]:
    """Set aside the older row-MAC keys that no row needs any more; returns their ids.

    :raises Conflict: ``seal_key_in_use``: rows are left that only an older key checks.
    :raises Unavailable: ``database_busy``: somebody has been writing all the time.
    """
    file, _ = seal_files(home)
    present = key_id(read_key_file(file))
    retired = []
    with _nobody_writing(db) as session:
        counts = count_sealed(session)
        counts.pop(present, None)
        if counts:
            raise Conflict(
                "seal_key_in_use",
                f"{sum(counts.values())} rows are sealed with older row-MAC keys. Run “tacit keys "
                "rotate --row-mac” again.",
            )
        for path in older_files(file):
            older = key_id(read_key_file(path))
            # A backup from before needs it, so it is kept under a name that nobody reads.
            path.replace(file.with_name(f"retired-{file.stem}-{older}.key"))
            if older != present:
                retired.append(older)
        sync_folder(file.parent)
    return retired


@contextmanager
def _nobody_writing(db: Database) -> Iterator[Session]:
    """Open a transaction that waits for those who sealed before the new key, and lets nobody in.

    On SQLite a writing transaction is alone anyway. On PostgreSQL the tables are locked, and given
    up soon where a writer holds one and wants another: its transaction must not be the one that a
    deadlock ends.
    """
    if db.engine.dialect.name != "postgresql":
        with db.begin() as session:
            yield session
        return
    tables = ", ".join(model.__tablename__ for model in sealed_models())
    for _ in range(LOCK_ATTEMPTS):
        held = False
        try:
            with db.begin() as session:
                session.execute(text(f"set local lock_timeout = {LOCK_PATIENCE}"))
                session.execute(text(f"lock table {tables} in share mode"))
                held = True
                yield session
                return
        except OperationalError:
            if held:
                raise
        time.sleep(LOCK_PATIENCE / 1000)
    raise Unavailable(
        "database_busy",
        "Others have been writing to the database all the time. Run the command again in a "
        "quieter moment.",
    )


def sealed_models() -> list[type[Sealed]]:
    """Return every model whose rows are sealed, by table name."""
    models = [
        mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, Sealed)
    ]
    return sorted(models, key=lambda model: model.__tablename__)

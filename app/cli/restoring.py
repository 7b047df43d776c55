"""Making a backup of an installation, and putting one in place."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from app import migrate
from app.accounts import pausing
from app.audit import Action, Who, record
from app.cli import archive
from app.cli.installed import check_installed, operator
from app.cli.places import HomeLock, prepare_home
from app.cli.serve import load_factory
from app.cli.upgrading import upgrade
from app.config import Config
from app.db import build_engine
from app.errors import ConfigError, Conflict, Invalid
from app.ids import iso, utcnow
from app.keys.installation import check_keys
from app.keys.keyfiles import sync_folder
from app.runs import pausing as runs_pausing
from app.vault import rotation

SAMPLE = 50
"""Values that a restore opens before it puts the database in place."""


def make_backup(config: Config, file: Path) -> dict[str, Any]:
    """Write a backup of the installation into a new file; returns its manifest.

    :raises ConfigError: ``backup_elsewhere``: the database isn't SQLite.
    :raises Conflict: ``file_exists``.
    """
    _refuse_postgresql(config, "pg_dump makes its backups")
    check_installed(config)
    if file.exists() or file.is_symlink():
        raise Conflict("file_exists", f"{file} exists. Choose another name.")
    services = load_factory("open_services")(config)
    try:
        with services.db.begin() as session:
            who = Who("system", None, "command line", None)
            record(session, actor=who, action=Action.BACKUP, target=file.name)
    finally:
        services.db.dispose()
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=config.home) as folder:
        copy = Path(folder) / "tacit.db"
        archive.copy_database(_database(config), copy)
        manifest = _describe(_moved(config, copy))
        archive.pack(file, copy, manifest)
    return manifest


def _describe(config: Config) -> dict[str, Any]:
    """Say what a backup is of, and which keys a restore of it needs."""
    services = load_factory("open_services")(config)
    try:
        with services.db.read() as session:
            keks = rotation.list_keks(session, operator())
            seals = session.info["seals"]
        needed: list[dict[str, Any]] = []
        for kek in keks:
            if kek.state in ("active", "retiring"):
                held = services.vault.find_kek(kek.id)
                needed.append(
                    {
                        "what": "master key", "id": kek.id, "provider": kek.provider,
                        "where": held.describe(), "file": str(held.file) if held.file else None,
                        "values": kek.blobs,
                    }
                )
        for what, stem, ids, current in (
            ("row-MAC key", "row-mac", seals.row_key_ids, seals.row_key_id),
            ("audit key", "audit", seals.audit_key_ids, seals.audit_key_id),
        ):
            for key_id in ids:
                name = f"{stem}.key" if key_id == current else f"{stem}-{key_id}.key"
                file = str(config.home / "keys" / name)
                needed.append({"what": what, "id": key_id, "provider": "keyfile", "file": file})
        return {
            "made_at": iso(utcnow()),
            "tacit": version("tacit"),
            "schema": migrate.current_revision(config),
            "keys": needed,
        }
    finally:
        services.db.dispose()


def restore(config: Config, file: Path, *, force: bool = False) -> dict[str, Any]:
    """Put a backup in place, paused; returns what was ended, and the manifest.

    Nothing is put in place before the keys that it needs were tried.

    :param force: set aside the database that is there.
    :raises ConfigError: a key is missing or wrong, or Tacit runs on this home.
    :raises Conflict: ``database_exists`` or ``database_in_use``.
    :raises Invalid: the file is no backup, damaged, or of a newer release.
    """
    _refuse_postgresql(config, "pg_restore restores them")
    target = _database(config)
    if target.exists() and not force:
        raise Conflict(
            "database_exists",
            f"There is a database at {target}. “--force” sets it aside and restores the backup.",
        )
    prepare_home(config.home)
    lock = HomeLock(config.home)
    lock.take(patience=0.5)
    unnamed = target.with_name("tacit.db.restoring")
    _remove(unnamed)
    try:
        manifest = archive.unpack(file, unnamed)
        ended = _prepare(_moved(config, unnamed), manifest)
        _put_in_place(unnamed, target)
    finally:
        _remove(unnamed)
        os.close(lock.descriptor)
    return {**manifest, "ended": ended}


def _prepare(config: Config, manifest: dict[str, Any]) -> dict[str, int]:
    if manifest["schema"] not in migrate.known_revisions():
        raise Invalid(
            "backup_newer",
            f"The backup was made by Tacit {manifest['tacit']}, which is newer than this one. "
            "Restore it with that release.",
        )
    _try_keys(config, manifest)
    upgrade(config)
    services = load_factory("open_services")(config)
    try:
        with services.db.begin() as session:
            ended = pausing.end_access(session)
            ended["worker keys"] = runs_pausing.end_workers(session)
            ended["runs"] = runs_pausing.end_runs(session)
            made_at = datetime.fromisoformat(manifest["made_at"])
            pausing.begin_epoch(session, made_at, manifest["database"]["sha256"])
        _try_values(services)
    finally:
        services.db.dispose()
    with closing(sqlite3.connect(_database(config))) as connection:
        connection.execute("pragma journal_mode=delete")
    return ended


def _try_keys(config: Config, manifest: dict[str, Any]) -> None:
    engine = build_engine(config.database_url)
    try:
        with engine.execution_options(ro=True).connect() as connection:
            check_keys(config, connection)
    except ConfigError as error:
        needed = "; ".join(
            f"{key['what']} {key['id']} ({key['file'] or key['where']})" for key in manifest["keys"]
        )
        raise ConfigError(
            error.code, f"{error.detail} The backup needs, as they were when it was made: {needed}."
        ) from None
    finally:
        engine.dispose()


def _try_values(services: Any) -> None:
    progress = rotation.check(services.db, operator(), services.vault, sample=SAMPLE)
    if progress.failed and not progress.done:
        raise Invalid(
            "backup_unreadable", "None of the backup's values opens with the keys that are here."
        )


def _put_in_place(unnamed: Path, target: Path) -> None:
    if target.exists():
        aside = target.with_name(f"tacit.db.replaced-{utcnow():%Y%m%dT%H%M%SZ}")
        _let_go(target)
        aside.hardlink_to(target)
    unnamed.replace(target)
    sync_folder(target.parent)


def _let_go(database: Path) -> None:
    """Bring the old database into one file: a log left beside the new one would ruin it."""
    try:
        with closing(sqlite3.connect(database, timeout=2)) as connection:
            connection.execute("pragma journal_mode=delete")
    except sqlite3.OperationalError:
        raise Conflict(
            "database_in_use",
            f"{database} is in use. Stop every process of Tacit that works on it.",
        ) from None
    except sqlite3.DatabaseError:
        # Damaged beyond opening; its log is of no use either.
        _remove(database, keep=True)


def _remove(database: Path, *, keep: bool = False) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    if not keep:
        database.unlink(missing_ok=True)


def _moved(config: Config, database: Path) -> Config:
    return replace(config, database_url=f"sqlite:///{database}")


def _database(config: Config) -> Path:
    return Path(config.database_url.removeprefix("sqlite:///"))


def _refuse_postgresql(config: Config, instead: str) -> None:
    if not config.is_sqlite:
        raise ConfigError(
            "backup_elsewhere", f"The database is PostgreSQL: {instead} (docs/keys.md)."
        )



"""The keys of an installation: made on the first start, opened on every start."""

from __future__ import annotations

from sqlalchemy import inspect, select
from sqlalchemy.engine import Engine

from app.config import Config
from app.db import Database, build_engine
from app.errors import ConfigError
from app.ids import new_id
from app.keys.keyfiles import create_key_file, read_key_file
from app.keys.keyring import KeyFileKek, Keyring, fingerprint
from app.keys.models import Installation, KeyEncryptionKey
from app.keys.seals import seal_files


def ensure_keys(config: Config) -> None:
    """Make the key files that are missing, on a first start only.

    :raises ConfigError: a key file is missing though the database holds what it protects, or a
        file is unsafe. Nothing is written then.
    """
    files = (config.master_key_file, *seal_files(config.home))
    missing = [path for path in files if not path.exists() and not path.is_symlink()]
    if missing:
        needed = _needed_keys(config)
        if needed is not None:
            raise ConfigError(
                "key_missing",
                f"The key file {missing[0]} is missing, and the database was made with it"
                f"{f' (master key {needed})' if needed else ''}. Put it back from its backup; a "
                "new key could not open what is stored.",
            )
    for path in files:
        if path in missing:
            create_key_file(path)
        else:
            read_key_file(path)


def _needed_keys(config: Config) -> str | None:
    """Return the active KEK's fingerprint, or None where the database holds nothing yet."""
    if config.is_sqlite and not (config.home / "tacit.db").exists():
        return None
    engine = build_engine(config.database_url)
    try:
        return _active_kek_id(engine)
    finally:
        engine.dispose()


def _active_kek_id(engine: Engine) -> str | None:
    with engine.execution_options(ro=True).connect() as connection:
        if not inspect(connection).has_table("keks"):
            return None
        return connection.scalar(
            select(KeyEncryptionKey.id).where(KeyEncryptionKey.state == "active")
        )


def open_keyring(config: Config, db: Database) -> tuple[str, Keyring]:
    """Open the master key and check it against the database; returns the deployment id too.

    :raises ConfigError: ``key_wrong``, with the fingerprint that is needed.
    """
    kek = _read_kek(config)
    with db.read() as session:
        installation = session.scalar(select(Installation))
        active = session.scalar(
            select(KeyEncryptionKey).where(KeyEncryptionKey.state == "active")
        )
    if installation is None or active is None:
        return _register(db, kek)
    if active.id != kek.id:
        raise ConfigError(
            "key_wrong",
            f"{config.master_key_file} is not the master key of this database: it needs "
            f"{active.id}, the file holds {kek.id}. Put the right key file back.",
        )
    return installation.id, Keyring(kek)


def _register(db: Database, kek: KeyFileKek) -> tuple[str, Keyring]:
    with db.begin() as session:
        installation = session.scalar(select(Installation))
        if installation is None:
            installation = Installation(id=new_id())
            session.add(installation)
        if session.get(KeyEncryptionKey, kek.id) is None:
            session.add(KeyEncryptionKey(id=kek.id, provider="keyfile", state="active"))
        return installation.id, Keyring(kek)


def _read_kek(config: Config) -> KeyFileKek:
    key = read_key_file(config.master_key_file)
    return KeyFileKek(fingerprint(key), key)

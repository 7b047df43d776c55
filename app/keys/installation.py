"""The keys of an installation: made on the first start, opened on every start."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sqlalchemy import column, inspect, make_url, select, table
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from app.config import Config
from app.db import Database, build_engine
from app.errors import ConfigError, Unavailable
from app.ids import new_id
from app.keys.keyfiles import create_key_file, read_key_file
from app.keys.keyring import Keyring
from app.keys.models import Installation, KeyEncryptionKey
from app.keys.providers import Kek, get_provider, open_kek
from app.keys.seals import Seals, seal_files


def ensure_keys(config: Config) -> None:
    """Make the keys that are missing, on a first start only.

    :raises ConfigError: a key is missing or wrong though the database holds what it protects, or
        a file is unsafe. Nothing is written then.
    :raises Unavailable: a key provider can't be reached.
    """
    if config.is_sqlite and not _sqlite_file(config).exists():
        _make_keys(config)
        return
    engine = build_engine(config.database_url)
    try:
        with engine.execution_options(ro=True).connect() as connection:
            if not check_keys(config, connection):
                _make_keys(config)
    finally:
        engine.dispose()


def check_keys(config: Config, connection: Connection) -> dict[str, Kek]:
    """Try the keys on what a database says it needs; returns its KEKs, none where it needs none
    yet.

    Nothing of the database is trusted here: its rows' seals are checked when they are loaded.

    :raises ConfigError: a key is missing, wrong or unsafe; names the one that is needed.
    :raises Unavailable: a key provider can't be reached.
    """
    if not inspect(connection).has_table("keks"):
        return {}
    row = KeyEncryptionKey
    keks = connection.execute(
        select(row.id, row.provider, row.parameters, row.mac_key_id).where(
            row.state.in_(("active", "retiring"))
        )
    ).all()
    if not keks:
        blobs = table("secret_blobs", column("id"))
        if inspect(connection).has_table("secret_blobs") and connection.execute(
            select(blobs.c.id).limit(1)
        ).first():
            raise ConfigError(
                "keys_unknown",
                "The database holds values and no longer says under which master key. Restore it "
                "from a backup.",
            )
        return {}
    opened = {
        kek.id: open_kek(config, kek.id, kek.provider, kek.parameters) for kek in keks
    }
    seals = Seals.open(config)
    chains = table("audit_chains", column("key_id"))
    audit = connection.scalars(select(chains.c.key_id).distinct()).all()
    row_file, audit_file = seal_files(config.home)
    _check_seal_key(row_file.name, {kek.mac_key_id for kek in keks}, seals.row_key_ids)
    _check_seal_key(audit_file.name, set(audit), seals.audit_key_ids)
    return opened


def _check_seal_key(name: str, needed: set[str], held: Collection[str]) -> None:
    for key_id in needed - set(held):
        raise ConfigError(
            "key_wrong",
            f"The key file {name} is not this database's: it needs the key {key_id}, and there is "
            f"{', '.join(held)}. Put the right key file back.",
        )


def _sqlite_file(config: Config) -> Path:
    return Path(make_url(config.database_url).database or config.home / "tacit.db")


def _make_keys(config: Config) -> None:
    provider = get_provider(config.keys.provider)
    files = list(seal_files(config.home))
    # What is there is looked at first, so that nothing is written beside an unsafe file.
    for path in files:
        if path.exists() or path.is_symlink():
            read_key_file(path)
    provider.make(config, ())
    for path in files:
        if not path.exists():
            create_key_file(path)


def open_keyring(config: Config, db: Database) -> tuple[str, Keyring]:
    """Open the KEKs that the database names; returns the deployment id too.

    :raises ConfigError: ``key_wrong`` or ``key_missing``, with the id that is needed.
    :raises Unavailable: a key provider can't be reached.
    """
    keks = _try_keys(config, db)
    if not keks:
        _register(config, db)
        keks = _try_keys(config, db)
    with db.read() as session:
        installation = session.scalars(select(Installation)).one()
        # Loaded as rows, so that their seals are checked.
        rows = session.scalars(select(KeyEncryptionKey)).all()
        active = next(row.id for row in rows if row.state == "active")

    def load(kek_id: str) -> Kek | None:
        with db.read() as session:
            row = session.get(KeyEncryptionKey, kek_id)
            if row is None or row.state == "retired":
                return None
            return open_kek(config, row.id, row.provider, row.parameters)

    return installation.id, Keyring(keks[active], keks, load)


def _try_keys(config: Config, db: Database) -> dict[str, Kek]:
    with db.read() as session:
        return check_keys(config, session.connection())


def get_active_kek_id(session: Session, *, hold: bool = True) -> str:
    """Return the id of the KEK that wraps new data keys, held till the transaction's end.

    A rotation waits for the transaction before it makes another one active (``FOR SHARE`` on
    PostgreSQL; on SQLite a writing transaction is alone anyway).

    :param hold: False for a transaction that reads only, and can hold nothing.
    :raises Unavailable: ``no_active_key``.
    """
    query = select(KeyEncryptionKey).where(KeyEncryptionKey.state == "active")
    if hold:
        query = query.with_for_update(read=True)
    # Having waited for a rotation, the row that was found is none any more; the next is there.
    row = session.scalar(query) or session.scalar(query)
    if row is None:
        raise Unavailable(
            "no_active_key",
            "There is no active master key, so nothing can be sealed. An operator looks at “tacit "
            "keys status”.",
        )
    return row.id


def stage_kek(config: Config, session: Session) -> KeyEncryptionKey:
    """Take a new KEK from the provider of the settings and note it as staged.

    :raises ConfigError: the provider has none to give; says what to set.
    """
    known = session.scalars(select(KeyEncryptionKey.id)).all()
    return _add(config, session, known, "staged")


def _register(config: Config, db: Database) -> None:
    with db.begin() as session:
        if session.scalar(select(Installation)) is None:
            session.add(Installation(id=new_id()))
        if session.scalar(select(KeyEncryptionKey.id)) is None:
            _add(config, session, (), "active")


def _add(
    config: Config, session: Session, known: Collection[str], state: str
) -> KeyEncryptionKey:
    kek, parameters = get_provider(config.keys.provider).make(config, known)
    row = KeyEncryptionKey(
        id=kek.id, provider=config.keys.provider, state=state, parameters=dict(parameters)
    )
    session.add(row)
    session.flush()
    return row

"""Bringing the database up to date with Alembic; the migrations are in ``migrations/``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from app.config import Config
from app.db import build_engine

LOCK = 0x7AC17
"""Number of PostgreSQL's advisory lock that one migrating process holds."""

FOLDER = Path(__file__).resolve().parent.parent / "migrations"


def upgrade(config: Config) -> frozenset[str]:
    """Apply the migrations that the database lacks, each in a transaction; returns their ids.

    A database that is up to date is told so without loading any migration's code.
    """
    config.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_current(config):
        return frozenset()
    engine = build_engine(config.database_url)
    try:
        with engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                # Two processes may start at once. SQLite has one writer anyway; here whoever
                # comes second waits, and finds nothing left to do.
                connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK})
            alembic = _alembic()
            alembic.attributes["connection"] = connection
            before = _revision_of(connection)
            command.upgrade(alembic, "head")
            scripts = ScriptDirectory.from_config(alembic)
            applied = scripts.iterate_revisions("head", before or "base")
            return frozenset(script.revision for script in applied)
    finally:
        engine.dispose()


def is_current(config: Config) -> bool:
    """Say whether the database has every migration."""
    return current_revision(config) == head_revision()


def head_revision() -> str | None:
    """Return the newest migration's id."""
    return ScriptDirectory.from_config(_alembic()).get_current_head()


def known_revisions() -> set[str]:
    """Return the ids of the migrations that this release has."""
    scripts = ScriptDirectory.from_config(_alembic())
    return {script.revision for script in scripts.walk_revisions()}


def current_revision(config: Config) -> str | None:
    """Return the migration that the database is at; None for an empty one."""
    engine = build_engine(config.database_url)
    try:
        with engine.execution_options(ro=True).connect() as connection:
            return _revision_of(connection)
    finally:
        engine.dispose()


def _revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()


def _alembic() -> AlembicConfig:
    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(FOLDER))
    return alembic

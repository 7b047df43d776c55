"""Migrations: one head, the same tables as the models, and no harm in running them again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from app import migrate, models
from app.config import Config
from app.db import Base, build_engine
from tests.support.database import home_variables, new_database


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An installation's settings, and nothing else yet."""
    return Config.load(home_variables(tmp_path / "home", empty=True))


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(migrate._alembic())


def _schema(engine: Engine) -> dict[str, object]:
    """Return tables with their columns, keys and indexes, in a form to compare."""
    inspector = inspect(engine)
    return {
        name: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"])
                for column in inspector.get_columns(name)
            },
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "indexes": sorted(
                (index["name"], tuple(index["column_names"]), bool(index["unique"]))
                for index in inspector.get_indexes(name)
            ),
            "unique": sorted(
                tuple(constraint["column_names"])
                for constraint in inspector.get_unique_constraints(name)
            ),
            "references": sorted(
                (tuple(key["constrained_columns"]), key["referred_table"])
                for key in inspector.get_foreign_keys(name)
            ),
        }
        for name in inspector.get_table_names()
        if name != "alembic_version"
    }


def test_there_is_one_head_and_one_base() -> None:
    scripts = _scripts()
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert migrate.head_revision() == scripts.get_heads()[0]


def test_every_migration_says_what_it_is_for_and_can_go_back() -> None:
    for script in _scripts().walk_revisions():
        assert script.doc, script.revision
        assert script.module.upgrade.__module__ == script.module.downgrade.__module__


def test_an_empty_database_becomes_what_the_models_say(config: Config, tmp_path: Path) -> None:
    assert models.vault
    migrate.upgrade(config)
    assert migrate.is_current(config)
    migrated = build_engine(config.database_url)
    made = build_engine(new_database(tmp_path))
    Base.metadata.create_all(made)
    try:
        found, wanted = _schema(migrated), _schema(made)
        assert set(found) >= set(wanted)
        assert {name: found[name] for name in wanted} == wanted
        with migrated.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            differences = [
                difference for difference in compare_metadata(context, Base.metadata)
                # The search index stands beside the models, on either database.
                if difference[0] != "remove_table" and "_trgm" not in str(difference[1])
            ]
        assert differences == []
    finally:
        migrated.dispose()
        made.dispose()
    assert config.home.stat().st_mode & 0o777 == 0o700


def test_running_them_again_changes_nothing(config: Config) -> None:
    migrate.upgrade(config)
    engine = build_engine(config.database_url)
    try:
        before = _schema(engine)
        with engine.begin() as connection:
            connection.execute(
                text("insert into installation (id, created_at) values ('x', '2026-01-01')")
            )
        migrate.upgrade(config)
        assert _schema(engine) == before
        with engine.connect() as connection:
            assert connection.execute(text("select id from installation")).scalar_one() == "x"
    finally:
        engine.dispose()


def test_two_processes_may_start_at_once(config: Config) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: migrate.upgrade(config), range(2)))
    assert migrate.is_current(config)


def test_all_the_way_down_and_up_again(config: Config) -> None:
    migrate.upgrade(config)
    engine = build_engine(config.database_url)
    try:
        before = _schema(engine)
        with engine.begin() as connection:
            alembic = migrate._alembic()
            alembic.attributes["connection"] = connection
            command.downgrade(alembic, "base")
        assert {name for name in _schema(engine) if not name.startswith("sqlite")} == set()
        assert not migrate.is_current(config)
        migrate.upgrade(config)
        assert _schema(engine) == before
    finally:
        engine.dispose()


def test_an_empty_database_is_told_apart(config: Config) -> None:
    config.home.mkdir(parents=True)
    assert migrate.current_revision(config) is None
    assert not migrate.is_current(config)

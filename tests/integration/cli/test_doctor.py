"""``tacit doctor``: each thing that can be wrong is found, and the words say how to mend it."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.cli.checkup import Finding, examine
from app.cli.places import prepare_home
from app.cli.prepare import FirstAdmin, prepare, worker_key_file
from app.config import Config
from app.db import build_engine
from app.ids import utcnow
from app.keys.ca import ensure_tls
from tests.support.database import copy_home, home_variables, sqlite_only
from tests.support.packages import another_package, lay_out

__all__ = ["another_package"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("doctor") / "home"
    config = Config.load(home_variables(home, empty=True))
    prepare_home(home)
    prepared = prepare(config, FirstAdmin("first@example.org", "a long enough Phrase 4 tests"))
    assert prepared.error is None
    return home


@pytest.fixture
def config(made: Path, tmp_path: Path) -> Config:
    """Return the settings of a copy that a test may break."""
    home = tmp_path / "home"
    copy_home(made, home)
    return Config.load(home_variables(home))


def _wrong(config: Config) -> dict[str, str]:
    return {one.area: one.words for one in examine(config) if one.state == "wrong"}


def test_nothing_is_wrong_with_a_fresh_installation(config: Config) -> None:
    found = list(examine(config))
    assert [one for one in found if one.state == "wrong"] == []
    assert {one.area for one in found} == {
        "home", "key", "database", "rows", "queue", "tls", "clock", "worker keys", "confinement",
        "components",
    }


def test_a_broken_component_of_a_package(config: Config, another_package: Path) -> None:
    lay_out(another_package, "acme-ill", {"acme.greet": "acme_ill:Greet"}, "import no_such_module")
    said = _wrong(config)["components"]
    assert "acme.greet of acme-ill 1.2 can't be loaded" in said
    assert "[component_import_failed]" in said


def test_rows_changed_in_sql(config: Config) -> None:
    """What a refusal sends an operator here for is named, row by row."""
    engine = build_engine(config.database_url)
    with engine.begin() as connection:
        email = connection.execute(text("select email from users")).scalar_one()
        connection.execute(text("update environments set protected = :yes"), {"yes": True})
    assert "protection or the policies of environment default" in _wrong(config)["rows"]
    with engine.begin() as connection:
        connection.execute(text("update users set email = :to"), {"to": f"x{email}"})
        user = connection.execute(text("select id from users")).scalar_one()
    engine.dispose()
    said = _wrong(config)["rows"]
    assert said.startswith(f"A row of users ({user}) was changed outside Tacit")
    assert "backup" in said


def test_no_installation(tmp_path: Path) -> None:
    wrong = _wrong(Config.load({"TACIT_HOME": str(tmp_path / "nowhere")}))
    assert "tacit up" in wrong["home"]
    assert not (tmp_path / "nowhere").exists()


def test_open_home(config: Config) -> None:
    config.home.chmod(0o755)
    assert "chmod 700" in _wrong(config)["home"]


@pytest.mark.parametrize("damage", ["missing", "short", "open", "linked", "other"])
def test_unusable_master_key(config: Config, damage: str) -> None:
    key = config.master_key_file
    if damage == "missing":
        key.unlink()
    elif damage == "short":
        key.write_bytes(b"short")
    elif damage == "open":
        key.chmod(0o644)
    elif damage == "linked":
        key.rename(key.with_name("elsewhere"))
        key.symlink_to(key.with_name("elsewhere"))
    else:
        key.write_bytes(os.urandom(32))
    words = _wrong(config)["key"]
    assert "master.key" in words


def test_old_tables(config: Config) -> None:
    engine = build_engine(config.database_url)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = 'older'"))
    engine.dispose()
    assert "tacit migrate" in _wrong(config)["database"]


def test_queue_that_is_away(config: Config) -> None:
    from dataclasses import replace

    away = replace(config, redis_url=f"unix://{config.home}/nobody.sock")
    assert "does not answer" in _wrong(away)["queue"]


def test_certificate_that_ended(config: Config) -> None:
    for file in (config.home / "tls").iterdir():
        file.unlink()
    ensure_tls(config.home, now=utcnow() - timedelta(days=500))
    assert "ended on" in _wrong(config)["tls"]


def test_open_certificate_key(config: Config) -> None:
    key = config.home / "tls" / "server.key"
    key.chmod(0o640)
    assert f"{key} is open to others: chmod 600 it" in _wrong(config)["tls"]


@sqlite_only
def test_clock_set_back(config: Config) -> None:
    later = (utcnow() + timedelta(hours=2)).timestamp()
    os.utime(config.home / "tacit.db", (later, later))
    assert "clock" in _wrong(config)["clock"]


def test_worker_key_of_another_database(config: Config) -> None:
    file = worker_key_file(config.home)
    content = json.loads(file.read_text()) | {"key_id": "01900000-0000-7000-8000-000000000000"}
    file.write_text(json.dumps(content))
    assert "tacit up" in _wrong(config)["worker keys"]
    assert prepare(config, None).error is None
    assert "worker keys" not in _wrong(config)


def test_missing_worker_key(config: Config) -> None:
    worker_key_file(config.home).unlink()
    assert "tacit up" in _wrong(config)["worker keys"]


def test_findings_never_quote_a_key(config: Config) -> None:
    config.master_key_file.write_bytes(b"CANARY-CANARY-CANARY-CANARY-1234")
    found: list[Finding] = list(examine(config))
    assert not any("CANARY" in one.words for one in found)

"""Keys on a first start and on every later one: made once, never beside what they can't open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.config import Config
from app.errors import ConfigError
from app.factory import open_services
from app.keys.installation import ensure_keys
from app.keys.seals import seal_files
from tests.support.database import home_variables, sqlite_only
from tests.support.installation import Installation


def _files(config: Config) -> list[Path]:
    return [config.master_key_file, *seal_files(config.home)]


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """An installation that was started once."""
    made = Installation.make(tmp_path / "home")
    made.services.close()
    return made.config


def test_a_first_start_makes_three_different_keys(tmp_path: Path) -> None:
    config = Config.load(home_variables(tmp_path / "home", empty=True))
    ensure_keys(config)
    keys = [path.read_bytes() for path in _files(config)]
    assert len(set(keys)) == 3
    assert {len(key) for key in keys} == {32}
    assert {path.stat().st_mode & 0o777 for path in _files(config)} == {0o600}
    ensure_keys(config)
    assert [path.read_bytes() for path in _files(config)] == keys


@pytest.mark.parametrize("number", range(3), ids=["master", "row-mac", "audit"])
def test_a_lost_key_is_never_made_anew(config: Config, number: int) -> None:
    path = _files(config)[number]
    path.unlink()
    with pytest.raises(ConfigError) as caught:
        ensure_keys(config)
    assert str(path) in caught.value.detail or "kek-" in caught.value.detail
    assert not path.exists()


@sqlite_only
@pytest.mark.parametrize("number", range(3), ids=["master", "row-mac", "audit"])
def test_nor_where_the_database_lies_elsewhere(tmp_path: Path, number: int) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    home = tmp_path / "home"
    environ = {"TACIT_HOME": str(home), "TACIT_DATABASE_URL": f"sqlite:///{elsewhere}"}
    config = Config.load(environ)
    from app import migrate

    ensure_keys(config)
    migrate.upgrade(config)
    open_services(config).close()
    path = _files(config)[number]
    path.unlink()
    with pytest.raises(ConfigError):
        ensure_keys(config)
    assert not path.exists()


def test_a_wrong_master_key_stops_the_start_and_names_the_one_that_is_needed(
    config: Config,
) -> None:
    path = config.master_key_file
    needed = _fingerprint(path)
    path.write_bytes(b"k" * 32)
    for start in (lambda: ensure_keys(config), lambda: open_services(config)):
        with pytest.raises(ConfigError) as caught:
            start()
        assert needed in caught.value.detail
        assert "kkkk" not in caught.value.detail


def _fingerprint(path: Path) -> str:
    from app.keys.keyring import fingerprint

    return fingerprint(path.read_bytes())


@pytest.mark.parametrize(
    "spoil",
    [lambda path: path.write_bytes(b"k" * 31), lambda path: path.chmod(0o640)],
    ids=["short", "group_readable"],
)
@pytest.mark.parametrize("number", range(3), ids=["master", "row-mac", "audit"])
def test_a_spoilt_file_stops_the_start(
    config: Config, number: int, spoil: Callable[[Path], object]
) -> None:
    path = _files(config)[number]
    spoil(path)
    with pytest.raises(ConfigError) as caught:
        ensure_keys(config)
    assert str(path) in caught.value.detail


def test_the_scheduler_starts_without_the_master_key(config: Config) -> None:
    config.master_key_file.unlink()
    services = open_services(config, with_vault=False)
    assert services.vault is None
    services.close()

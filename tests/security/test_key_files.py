"""Statement 15 of SECURITY.md: a wrong, missing, short, group-readable or linked key file stops the
start of the real commands, and nothing is written.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from app.keys.ca import ensure_tls
from tests.support.database import copy_home, home_variables
from tests.support.vaults import TACIT, Installed

FILES = ("master.key", "row-mac.key", "audit.key")


def wrong(file: Path) -> None:
    """Put another key in its place."""
    file.write_bytes(os.urandom(32))


def short(file: Path) -> None:
    """Cut it."""
    file.write_bytes(file.read_bytes()[:31])


def long(file: Path) -> None:
    """Add a newline, as editors do."""
    file.write_bytes(file.read_bytes() + b"\n")


def open_to_the_group(file: Path) -> None:
    """Let the group read it."""
    file.chmod(0o640)


def linked(file: Path) -> None:
    """Put a link in its place, to where it is now."""
    elsewhere = file.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "wrong": (wrong, "key_wrong"),
    "missing": (Path.unlink, "key_missing"),
    "short": (short, "key_wrong_size"),
    "long": (long, "key_wrong_size"),
    "open": (open_to_the_group, "key_file_unsafe"),
    "linked": (linked, "key_file_unsafe"),
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("prepared") / "home"
    installed = Installed.make(home)
    installed.store(1)
    installed.services.db.dispose()
    ensure_tls(home, ["localhost", "127.0.0.1"])
    for name in ("logs", "queue"):
        (home / name).mkdir(mode=0o700, exist_ok=True)
    return home


def contents(home: Path) -> dict[str, bytes | str]:
    """Return everything below a folder; what SQLite keeps for readers is left out."""
    return {
        str(path.relative_to(home)): str(path.readlink()) if path.is_symlink()
        else path.read_bytes() if path.is_file() else "folder"
        for path in sorted(home.rglob("*")) if path.suffix not in (".db-shm", ".db-wal")
    }


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that should end by itself."""
    environment = {
        "PATH": os.defpath, **home_variables(home), "TACIT_REDIS_URL": "redis://localhost:1/0"
    }
    return subprocess.run(
        [TACIT, *arguments], env=environment, capture_output=True, text=True, check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_s15_damaged_key_file(prepared: Path, tmp_path: Path, damage: str, name: str) -> None:
    home = tmp_path / "home"
    copy_home(prepared, home)
    spoil, code = DAMAGES[damage]
    spoil(home / "keys" / name)
    before = contents(home)
    migrated = run(home, "migrate")
    assert (migrated.returncode, f"[{code}]" in migrated.stderr) == (1, True), migrated.stderr
    assert name in migrated.stderr
    served = run(home, "web", "--port", "0")
    assert served.returncode != 0
    assert contents(home) == before


def test_s15_the_needed_key_is_named(prepared: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    copy_home(prepared, home)
    kek = Installed.make(home).vault.kek.id
    wrong(home / "keys" / "master.key")
    assert kek in run(home, "migrate").stderr
    (home / "keys" / "master.key").unlink()
    assert kek in run(home, "migrate").stderr
    assert not (home / "keys" / "master.key").exists()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["short", "open", "linked"])
def test_s15_first_start_beside_an_unsafe_file(tmp_path: Path, damage: str, name: str) -> None:
    home = tmp_path / "home"
    for folder in ("keys", "logs", "queue", "tls"):
        (home / folder).mkdir(mode=0o700, parents=True)
    home.chmod(0o700)
    file = home / "keys" / name
    file.write_bytes(os.urandom(32))
    file.chmod(0o600)
    spoil, code = DAMAGES[damage]
    spoil(file)
    before = contents(home)
    migrated = run(home, "migrate")
    assert f"[{code}]" in migrated.stderr
    assert contents(home) == before


def test_s15_a_key_is_never_made_where_values_are(prepared: Path, tmp_path: Path) -> None:
    """Not even when the table of keys was emptied and the files are gone."""
    home = tmp_path / "home"
    copy_home(prepared, home)
    installed = Installed.make(home)
    with installed.services.db.begin() as session:
        session.connection().exec_driver_sql("delete from keks")
    installed.services.db.dispose()
    for name in FILES:
        (home / "keys" / name).unlink()
    assert "[keys_unknown]" in run(home, "migrate").stderr
    assert list((home / "keys").iterdir()) == []

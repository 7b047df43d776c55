"""The restore drill: a backup under load, put back elsewhere, with its keys and without."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import tarfile
import threading
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app.accounts import service as accounts
from app.accounts.freeze import find_freeze
from app.accounts.models import ApiToken, LoginSession
from app.accounts.scopes import Role, Scope
from app.audit import Action
from app.audit.models import AuditEvent
from app.runs.enrolment import make_code, make_key
from app.runs.models import WorkerKey
from tests.support.database import sqlite_only
from tests.support.vaults import Installed

pytestmark = sqlite_only


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed.make(tmp_path / "home")


def give_access(installed: Installed) -> str:
    """Make a person with a token, and a worker with a key and a code; returns the token."""
    with installed.services.db.begin() as session:
        person = accounts.create_user(
            session, installed.actor, email="a@example.org", password="correct horse battery",
            role=Role.ADMIN, environment_id=None,
        )
        _, token = accounts.create_token(
            session, installed.actor, user=person, name="t", scopes=[Scope.SECRETS_READ],
            environment_id=installed.actor.environment_id,
        )
        make_key(session, installed.actor, "worker-1")
        make_code(session, installed.actor, "worker-2")
    return token


def bring_keys(installed: Installed, home: Path) -> None:
    """Copy the key files to another home, as the documentation says."""
    home.mkdir(mode=0o700)
    shutil.copytree(installed.config.home / "keys", home / "keys")


def test_drill(installed: Installed, tmp_path: Path) -> None:
    give_access(installed)
    stored = installed.store(20)
    stop = threading.Event()
    versions: dict[str, set[str]] = {one: {value} for one, value in stored.items()}

    def write() -> None:
        while not stop.is_set():
            one = secrets.choice(list(stored))
            versions[one].add(installed.replace(one))

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        file = tmp_path / "one.tar"
        made = installed.tacit("backup", str(file))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert made.returncode == 0, made.stderr
    assert file.stat().st_mode & 0o777 == 0o600

    home = tmp_path / "elsewhere"
    bring_keys(installed, home)
    there = {"TACIT_HOME": str(home)}
    restored = installed.tacit("restore", str(file), **there)
    assert restored.returncode == 0, restored.stderr
    assert "frozen" in restored.stdout
    opened = Installed.make(home)
    found = opened.read(*stored)
    assert all(found[one] in versions[one] for one in stored)
    assert opened.tacit("keys", "check").returncode == 0
    # The chains go on from where the backup was, and say that they do.
    assert opened.tacit("audit", "verify").returncode == 0
    with opened.services.db.read() as session:
        marks = session.scalars(
            select(AuditEvent.chain).where(AuditEvent.action == Action.RESTORE)
        ).all()
        assert sorted(marks) == sorted(["installation", opened.actor.environment_id])
        assert find_freeze(session, opened.actor.environment_id) is not None
        for table in (ApiToken, LoginSession, WorkerKey):
            open_rows = select(func.count()).select_from(table).where(table.revoked_at.is_(None))
            assert session.scalar(open_rows) == 0
    # The original goes on undisturbed.
    assert set(installed.read(*stored)) == set(stored)


def test_without_the_keys_nothing_is_put_in_place(installed: Installed, tmp_path: Path) -> None:
    stored = installed.store(1)
    file = tmp_path / "one.tar"
    assert installed.tacit("backup", str(file)).returncode == 0
    home = tmp_path / "elsewhere"
    for damage in ("master.key", "row-mac.key", "audit.key", "another"):
        bring_keys(installed, home)
        if damage == "another":
            (home / "keys/master.key").write_bytes(os.urandom(32))
        else:
            (home / "keys" / damage).unlink()
        done = installed.tacit("restore", str(file), TACIT_HOME=str(home))
        assert done.returncode == 1
        assert "[key_missing]" in done.stderr or "[key_wrong]" in done.stderr
        assert installed.vault.kek.id in done.stderr
        assert not list(home.glob("tacit.db*"))
        shutil.rmtree(home)
    bring_keys(installed, home)
    assert installed.tacit("restore", str(file), TACIT_HOME=str(home)).returncode == 0
    assert Installed.make(home).read(*stored) == stored


def test_a_backup_holds_no_key_and_names_those_it_needs(
    installed: Installed, tmp_path: Path
) -> None:
    stored = installed.store(1)
    for arguments in ((), ("--row-mac",), ("--audit",)):
        assert installed.tacit("keys", "rotate", *arguments).returncode == 0
    file = tmp_path / "one.tar"
    assert installed.tacit("backup", str(file)).returncode == 0
    content = file.read_bytes()
    assert all(value.encode() not in content for value in stored.values())
    for key in (installed.config.home / "keys").iterdir():
        raw = key.read_bytes()
        assert raw not in content, key.name
        assert raw.hex().encode() not in content, key.name
    with tarfile.open(file) as opened:
        assert opened.getnames() == ["manifest.json", "tacit.db"]
        manifest = json.load(opened.extractfile("manifest.json"))  # type: ignore[arg-type]
    needed = {(key["what"], Path(key["file"]).name) for key in manifest["keys"]}
    kek = installed.reopened().vault.kek.id
    assert ("master key", f"master-{kek}.key") in needed
    assert {"row-mac.key", "audit.key"} < {name for _, name in needed}
    assert len([what for what, _ in needed if what == "audit key"]) == 2
    # Those files alone are enough.
    home = tmp_path / "elsewhere"
    (home / "keys").mkdir(parents=True, mode=0o700)
    for key in manifest["keys"]:
        shutil.copy2(key["file"], home / "keys")
    restored = installed.tacit("restore", str(file), TACIT_HOME=str(home))
    assert restored.returncode == 0, restored.stderr
    assert Installed.make(home).read(*stored) == stored


def test_a_database_is_never_overwritten(installed: Installed, tmp_path: Path) -> None:
    stored = installed.store(1)
    (one,) = stored
    file = tmp_path / "one.tar"
    assert installed.tacit("backup", str(file)).returncode == 0
    assert "[file_exists]" in installed.tacit("backup", str(file)).stderr
    later = installed.replace(one)
    assert "[database_exists]" in installed.tacit("restore", str(file)).stderr
    # Somebody works on it: this test.
    with installed.services.db.read() as session:
        session.execute(text("select 1"))
        assert "[database_in_use]" in installed.tacit("restore", "--force", str(file)).stderr
    assert installed.read(one) == {one: later}
    installed.services.db.dispose()
    done = installed.tacit("restore", "--force", str(file))
    assert done.returncode == 0, done.stderr
    assert Installed.make(installed.config.home).read(one) == stored
    (aside,) = installed.config.home.glob("tacit.db.replaced-*")
    aside.rename(tmp_path / "tacit.db")
    home = tmp_path / "again"
    bring_keys(installed, home)
    shutil.move(tmp_path / "tacit.db", home / "tacit.db")
    assert Installed.make(home).read(one) == {one: later}


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "path"])
def test_a_damaged_backup_is_refused(installed: Installed, tmp_path: Path, damage: str) -> None:
    file = tmp_path / "one.tar"
    assert installed.tacit("backup", str(file)).returncode == 0
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "other":
        content = bytearray(b"not a tar")
    else:
        content[: len("manifest.json")] = b"../../../etc/"
    file.write_bytes(content)
    home = tmp_path / "elsewhere"
    bring_keys(installed, home)
    done = installed.tacit("restore", str(file), TACIT_HOME=str(home))
    assert "[backup_unreadable]" in done.stderr
    assert not list(home.glob("tacit.db*"))

"""Statement 14 of SECURITY.md for keys: kill -9 at each step of a rotation and of a rewrap leaves
every value readable, and the rotation can be finished; it runs beside readers and writers.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, select

from app.errors import Conflict
from app.keys.models import KeyEncryptionKey
from app.keys.resealing import count_sealed
from app.vault import rotation
from app.vault.models import SecretBlob
from app.vault.service import delete_secret
from tests.support.database import copy_home
from tests.support.killed import BATCH, run_until
from tests.support.running import ADMIN, ADMIN_PASSWORD, Running, tacit_up
from tests.support.vaults import Installed

COUNT = BATCH + 2
"""More values than one transaction rewraps, in the commands that are killed."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """An installation with values, one of a deleted secret and one with an older version."""
    home = tmp_path_factory.mktemp("prepared") / "home"
    installed = Installed.make(home)
    stored = installed.store(COUNT)
    first, second = list(stored)[:2]
    stored[first] = installed.replace(first)
    with installed.services.db.begin() as session:
        delete_secret(session, installed.actor, second)
    installed.services.db.dispose()
    return home, stored


def copy(prepared: tuple[Path, dict[str, str]], to: Path) -> tuple[Installed, dict[str, str]]:
    """Return a copy of the installation, opened."""
    copy_home(prepared[0], to)
    return Installed.make(to), dict(prepared[1])


def states(installed: Installed) -> dict[str, str]:
    """Return the states of the keys, those in the past left out."""
    with installed.services.db.read() as session:
        rows = session.execute(select(KeyEncryptionKey.id, KeyEncryptionKey.state))
        return {kek_id: state for kek_id, state in rows if state != "retired"}


def values(installed: Installed, stored: dict[str, str]) -> dict[str, str]:
    """Read every value, as a process that has just started."""
    opened = installed.reopened()
    try:
        return opened.read(*stored)
    finally:
        opened.services.db.dispose()


@pytest.mark.parametrize("step", range(1, 8))
def test_s14_killed_at_each_step_of_a_rotation(
    prepared: tuple[Path, dict[str, str]], tmp_path: Path, step: int
) -> None:
    """Steps: the key file's name; staging; activating; two rewraps; retiring; and past the end.
    """
    installed, stored = copy(prepared, tmp_path / "home")
    before = installed.vault.kek.id
    killed = run_until(step, installed.settings, "keys", "rotate")
    assert killed == (step < 7)
    assert list(states(installed).values()).count("active") == 1
    # What runs since before the rotation reads and writes, whatever the rotation left behind.
    assert installed.read(*stored) == stored
    stored.update(installed.store(1))
    first = next(iter(stored))
    stored[first] = installed.replace(first)
    assert values(installed, stored) == stored

    finished = installed.tacit("keys", "rotate") if killed else None
    assert finished is None or finished.returncode == 0, finished.stderr
    assert values(installed, stored) == stored
    (only,) = states(installed)
    assert only != before
    with installed.services.db.read() as session:
        under = session.execute(
            select(SecretBlob.kek_id, func.count()).group_by(SecretBlob.kek_id)
        ).all()
    assert [tuple(row) for row in under] == [(only, COUNT + 3)]
    checked = rotation.check(installed.services.db, installed.actor, installed.vault)
    assert (checked.done, checked.failed) == (COUNT + 3, [])


@pytest.mark.parametrize("step", [2, 3, 5, 9, 17])
def test_s14_killed_while_the_row_mac_key_is_replaced(
    prepared: tuple[Path, dict[str, str]], tmp_path: Path, step: int
) -> None:
    installed, stored = copy(prepared, tmp_path / "home")
    before = installed.services.db
    run_until(step, installed.settings, "keys", "rotate", "--row-mac")
    assert installed.read(*stored) == stored
    stored.update(installed.store(1))
    assert values(installed, stored) == stored

    finished = installed.tacit("keys", "rotate", "--row-mac")
    assert finished.returncode == 0, finished.stderr
    assert values(installed, stored) == stored
    assert installed.read(*stored) == stored
    with before.read() as session:
        seals = session.info["seals"]
        assert list(count_sealed(session)) == [seals.row_key_id]
    assert not list(installed.config.home.glob("keys/row-mac-*.key"))


@pytest.mark.parametrize("step", [2, 3])
def test_s14_killed_while_the_audit_key_is_replaced(
    prepared: tuple[Path, dict[str, str]], tmp_path: Path, step: int
) -> None:
    installed, _ = copy(prepared, tmp_path / "home")
    run_until(step, installed.settings, "keys", "rotate", "--audit")
    installed.store(2)
    assert installed.tacit("keys", "rotate", "--audit").returncode == 0
    installed.store(2)
    verified = installed.tacit("audit", "verify")
    assert (verified.returncode, "all of it holds" in verified.stdout) == (0, True)


def test_a_value_that_does_not_open_keeps_its_key(
    prepared: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    installed, stored = copy(prepared, tmp_path / "home")
    old = installed.vault.kek.id
    with installed.services.db.begin() as session:
        blob = session.scalars(select(SecretBlob).order_by(SecretBlob.id.desc())).first()
        assert blob is not None
        lost = blob.secret_id
        blob.wrapped_dek = bytes(reversed(blob.wrapped_dek))
    done = installed.tacit("keys", "rotate")
    assert (done.returncode, "values_unreadable" in done.stderr) == (1, True)
    assert sorted(states(installed).values()) == ["active", "retiring"]
    assert states(installed)[old] == "retiring"
    checked = installed.tacit("keys", "check")
    assert checked.returncode == 1
    assert lost in checked.stderr
    with pytest.raises(Conflict, match="1 values are wrapped"):
        with installed.services.db.begin() as session:
            rotation.retire(session, installed.actor, old)
    stored.pop(lost)
    assert values(installed, stored) == stored


class Client:
    """A program with an API token that keeps one connection to the web listener."""

    def __init__(self, running: Running, token: str) -> None:
        parts = urlsplit(running.url)
        trust = ssl.create_default_context(cafile=str(running.home / "tls" / "ca.pem"))
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, context=trust, timeout=60
        )
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request; returns the body of an answer that is a success."""
        content = json.dumps(body) if body is not None else None
        self._connection.request(method, f"/api/v1{path}", content, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status < 300, text
        return dict(json.loads(text)) if text else {}


def test_s14_rotation_while_eight_clients_read_and_write() -> None:
    """Against a real ``tacit up`` that is never restarted: no failure, no value lost."""
    admin = {"TACIT_ADMIN_EMAIL": ADMIN, "TACIT_ADMIN_PASSWORD": ADMIN_PASSWORD}
    with tacit_up(**admin) as running:
        installed = Installed.make(running.home)
        scopes = ("secrets:read", "secrets:manage", "secrets:read:value")
        made = installed.tacit(
            "token", "create", "--user", ADMIN, *(part for s in scopes for part in ("--scope", s))
        )
        token = made.stdout.strip()
        web = {pid for pid in running.processes() if pid != running.process.pid}
        stop, failures = threading.Event(), []
        counts = [0] * 8
        stored: dict[str, str] = {}

        def work(number: int) -> None:
            try:
                client = Client(running, token)
                value = f"CANARY-{secrets.token_hex(8)}"
                name = f"client_{number}"
                one = client.call("POST", "/secrets", {"name": name, "value": value})["id"]
                while not stop.is_set():
                    assert client.call("GET", f"/secrets/{one}")["value"] == value
                    value = f"CANARY-{secrets.token_hex(8)}"
                    client.call("PUT", f"/secrets/{one}/rotate", {"value": value})
                    assert client.call("GET", f"/secrets/{one}")["value"] == value
                    counts[number] += 1
                stored[one] = value
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        try:
            for which in ([], ["--row-mac"], ["--audit"], []):
                time.sleep(0.5)
                done = installed.tacit("keys", "rotate", *which)
                assert done.returncode == 0, done.stderr
            time.sleep(0.5)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failures, failures[0]
        assert min(counts) > 0
        assert values(installed, stored) == stored
        assert "Everything opens" in installed.tacit("keys", "check").stdout
        verified = installed.tacit("audit", "verify")
        assert verified.returncode == 0, verified.stdout
        assert web <= set(running.processes())

"""The embedded queue server, started as ``tacit up`` starts it."""

from __future__ import annotations

import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from app.cli import embedded


@contextmanager
def _server(data: Path) -> Iterator[redis.Redis]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / embedded.SOCKET_NAME
        process = subprocess.Popen(
            embedded.arguments(path, data, shared=False), stdout=subprocess.DEVNULL
        )
        try:
            give_up = time.monotonic() + 10
            while not embedded.answers(path):
                assert time.monotonic() < give_up
                time.sleep(0.01)
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
            yield redis.Redis.from_url(embedded.url(path))
        finally:
            process.terminate()
            process.wait(10)


def test_it_keeps_what_it_was_told_over_a_restart(tmp_path: Path) -> None:
    with _server(tmp_path) as client:
        client.rpush("queue", "job")
    with _server(tmp_path) as client:
        assert client.lrange("queue", 0, -1) == [b"job"]


def test_it_never_evicts_and_has_no_dangerous_commands(tmp_path: Path) -> None:
    with _server(tmp_path) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}
        for setting in ("dir", "dbfilename"):
            with pytest.raises(redis.ResponseError, match="protected"):
                client.config_set(setting, "/tmp")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Path, embedded.Users]]:
    """A server with users, as ``tacit up`` starts it."""
    users = embedded.Users()
    users.write(tmp_path / "users.acl")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / embedded.SOCKET_NAME
        process = subprocess.Popen(
            embedded.arguments(path, tmp_path, shared=False, users=tmp_path / "users.acl"),
            stdout=subprocess.DEVNULL,
        )
        try:
            give_up = time.monotonic() + 10
            while not embedded.answers(path, password=users.server):
                assert time.monotonic() < give_up
                time.sleep(0.01)
            yield path, users
        finally:
            process.terminate()
            process.wait(10)


def test_without_a_password_nothing_is_answered(guarded: tuple[Path, embedded.Users]) -> None:
    path, users = guarded
    assert not embedded.answers(path)
    assert not embedded.answers(path, password="wrong")
    for user, password in (("", ""), ("default", ""), ("server", "x"), ("worker", users.server)):
        with (
            redis.Redis.from_url(embedded.url(path, user, password)) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()


def test_the_worker_has_the_queue_and_no_more(guarded: tuple[Path, embedded.Users]) -> None:
    path, users = guarded
    with redis.Redis.from_url(embedded.url(path, embedded.SERVER, users.server)) as server:
        server.set("other", "theirs")
        for command in ("FLUSHALL", "SHUTDOWN", "ACL LIST", "MODULE LIST"):
            with pytest.raises(redis.exceptions.NoPermissionError):
                server.execute_command(*command.split())
    with redis.Redis.from_url(embedded.url(path, embedded.WORKER, users.worker)) as worker:
        worker.rpush("rq:queue:runs:default", "job")
        assert worker.blmove("rq:queue:runs:default", "rq:queue:x", 1) == b"job"
        for command in (
            "FLUSHALL", "FLUSHDB", "CONFIG GET *", "CONFIG SET dir /tmp", "KEYS *", "SCAN 0",
            "EVAL return(1) 0", "FUNCTION LIST", "SCRIPT FLUSH", "ACL LIST", "ACL SETUSER default",
            "SAVE", "SHUTDOWN", "MONITOR", "CLIENT LIST", "CLIENT KILL 1.1.1.1:1",
            "PUBLISH tacit:runs x", "SUBSCRIBE tacit:runs", "PSUBSCRIBE *", "GET other",
            "SET other x", "DEL other", "RENAME rq:queue:x other", "SELECT 1", "SLOWLOG GET",
            "MODULE LIST", "REPLICAOF localhost 1", "SORT rq:queue:x STORE other", "RANDOMKEY",
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                worker.execute_command(*command.split())


def test_passwords_stand_in_no_file_and_no_command(
    guarded: tuple[Path, embedded.Users], tmp_path: Path
) -> None:
    path, users = guarded
    listed = tmp_path / "users.acl"
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    said = listed.read_text() + repr(users) + " ".join(
        embedded.arguments(path, tmp_path, shared=False, users=listed))
    assert users.server not in said
    assert users.worker not in said


def test_no_answer_is_no_error(tmp_path: Path) -> None:
    assert not embedded.answers(tmp_path / "nobody.sock")

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


def test_no_answer_is_no_error(tmp_path: Path) -> None:
    assert not embedded.answers(tmp_path / "nobody.sock")

"""The home, the meeting place and the lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.places import HomeLock, Running, meeting_place, prepare_home
from app.errors import ConfigError


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_home_is_private_even_if_it_was_open(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    home.mkdir(parents=True, mode=0o755)
    prepare_home(home)
    assert _mode(home) == 0o700
    assert {path.name: _mode(path) for path in home.iterdir()} == {
        "keys": 0o700, "logs": 0o700, "queue": 0o700, "tls": 0o700,
    }


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigError) as raised:
        prepare_home(tmp_path / "home")
    assert raised.value.code == "home_unusable"


def test_meeting_place_is_short_and_private(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 40)
    place = meeting_place(home, None)
    try:
        assert len(str(place / "queue.sock")) < 100
        assert _mode(place) == 0o700
        assert meeting_place(home, None) == place
    finally:
        place.rmdir()


def test_meeting_place_taken_by_a_link_is_refused(tmp_path: Path) -> None:
    place = meeting_place(tmp_path, None)
    place.rmdir()
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(ConfigError) as raised:
            meeting_place(tmp_path, None)
    finally:
        place.unlink()
    assert raised.value.code == "meeting_place_taken"


def test_second_start_is_refused_and_told_where_the_first_is(tmp_path: Path) -> None:
    first = HomeLock(tmp_path)
    first.take()
    Running(os.getpid(), "https://localhost:1", "", "", 0).write(tmp_path)
    with pytest.raises(ConfigError) as raised:
        HomeLock(tmp_path).take(patience=0)
    assert raised.value.code == "already_running"
    assert "https://localhost:1" in raised.value.detail
    os.close(first.descriptor)
    HomeLock(tmp_path).take(patience=0)


def test_what_ran_before_is_not_running(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    Running(ended.pid, "", "", "", 0).write(tmp_path)
    assert Running.find(tmp_path) is None
    Running.forget(tmp_path)
    Running.forget(tmp_path)

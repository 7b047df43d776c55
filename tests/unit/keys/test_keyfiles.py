"""Key files: made once, and refused wherever others could read or replace them."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from app.errors import ConfigError
from app.keys.keyfiles import create_key_file, read_key_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.key"


def _refusal(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_key_file(path)
    assert str(path) in caught.value.detail
    return caught.value


def test_a_key_is_made_once_for_its_owner_alone(path: Path) -> None:
    key = create_key_file(path)
    assert len(key) == 32
    assert read_key_file(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        create_key_file(path)
    assert read_key_file(path) == key


def test_keys_differ(tmp_path: Path) -> None:
    assert create_key_file(tmp_path / "a") != create_key_file(tmp_path / "b")


def test_missing(path: Path) -> None:
    assert _refusal(path).code == "key_missing"


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_wrong_size(path: Path, size: int) -> None:
    path.parent.mkdir()
    path.write_bytes(b"k" * size)
    path.chmod(0o600)
    refusal = _refusal(path)
    assert refusal.code == "key_wrong_size"
    assert "kkk" not in refusal.detail


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_modes_that_are_fine(path: Path, mode: int) -> None:
    key = create_key_file(path)
    path.chmod(mode)
    assert read_key_file(path) == key


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o700, 0o601, 0o4600])
def test_modes_that_let_others_in(path: Path, mode: int) -> None:
    create_key_file(path)
    path.chmod(mode)
    refusal = _refusal(path)
    assert refusal.code == "key_file_unsafe"
    assert f"chmod 600 {path}" in refusal.detail


def test_links_are_not_followed(path: Path, tmp_path: Path) -> None:
    create_key_file(tmp_path / "real.key")
    path.parent.mkdir()
    path.symlink_to(tmp_path / "real.key")
    assert _refusal(path).code == "key_file_unsafe"
    with pytest.raises(FileExistsError):
        create_key_file(path)


def test_a_link_to_nowhere_makes_no_file_elsewhere(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "planted")
    with pytest.raises(FileExistsError):
        create_key_file(path)
    assert not (tmp_path / "planted").exists()


def test_a_folder_is_no_key(path: Path) -> None:
    path.mkdir(parents=True)
    assert _refusal(path).code == "key_file_unsafe"


def test_a_pipe_is_refused_without_waiting_for_a_writer(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path, 0o600)
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(_refusal(path).code), daemon=True)
    thread.start()
    thread.join(5)
    assert answers == ["key_file_unsafe"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_file(path: Path) -> None:
    create_key_file(path)
    os.chown(path, 12345, -1)
    refusal = _refusal(path)
    assert refusal.code == "key_file_unsafe"
    assert "12345" in refusal.detail

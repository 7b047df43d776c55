"""Secrets of the worker's machine: handed over over a socket, and never Tacit's own files."""

from __future__ import annotations

import socket
from pathlib import Path
from threading import Thread

import pytest

from app.components.errors import NodeError
from worker import messages
from worker.machine import Asking, Machine

VALUE = "CANARY-of-the-machine-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of mounted secrets beside a home of Tacit, with links from one to the other."""
    (tmp_path / "home" / "keys").mkdir(parents=True)
    (tmp_path / "home" / "keys" / "master.key").write_text(VALUE)
    (tmp_path / "worker.key").write_text(VALUE)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "..data").mkdir()
    (mounted / "..data" / "api").write_text(f"{VALUE}\n")
    (mounted / "api").symlink_to("..data/api")
    (mounted / "master").symlink_to(tmp_path / "home" / "keys" / "master.key")
    (mounted / "own").symlink_to(tmp_path / "worker.key")
    (mounted / "long").write_text("x" * 70_000)
    return mounted


def ask(folder: Path, reference: str) -> str:
    """Ask as a run does; its parent answers as a worker that lists the folder."""
    home = folder.parent / "home"
    machine = Machine(
        {"TACIT_WORKER_SECRETS": f"file:{folder}/* env:APP_* env:TACIT_*", "APP_TOKEN": VALUE,
         "TACIT_REDIS_URL": VALUE, "TACIT_FILE_CLOSED": str(home)},
        folder.parent / "worker.key",
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:

        def answer() -> None:
            message, _ = messages.receive(ours)
            machine.answer(ours, str((message or {})["reference"]))

        thread = Thread(target=answer)
        thread.start()
        try:
            return Asking(theirs).ask(reference)
        finally:
            thread.join()


def code_of(folder: Path, reference: str) -> str:
    with pytest.raises(NodeError) as failed:
        ask(folder, reference)
    assert VALUE not in failed.value.message
    return failed.value.code


def test_what_is_listed_is_handed_over(folder: Path) -> None:
    assert ask(folder, "env:APP_TOKEN") == VALUE
    assert ask(folder, f"file:{folder}/api") == VALUE


@pytest.mark.parametrize("name", ["none", "..data", "long"])
def test_what_is_no_file_of_a_secret(folder: Path, name: str) -> None:
    assert code_of(folder, f"file:{folder}/{name}") == "secret_missing"
    assert code_of(folder, "env:APP_OTHER") == "secret_missing"


@pytest.mark.parametrize("name", ["master", "own"])
def test_a_link_to_tacit_s_own_files_is_no_secret(folder: Path, name: str) -> None:
    assert code_of(folder, f"file:{folder}/{name}") == "secret_missing"
    assert code_of(folder, "env:TACIT_REDIS_URL") == "secret_missing"


@pytest.mark.parametrize("reference", [
    "env:PATH", "file:/etc/hostname", "file:{folder}/../worker.key", "file:{folder}/..data/api",
    "role:aws", "",
])
def test_what_is_not_listed(folder: Path, reference: str) -> None:
    assert code_of(folder, reference.format(folder=folder)) == "worker_secret_denied"

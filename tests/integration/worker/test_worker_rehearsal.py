"""The rehearsal of a run: it goes the whole way, and leaves nothing behind in what is forked."""

from __future__ import annotations

import json
import logging
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from worker import messages, rehearsal, zygote
from worker.client import RuntimeClient
from worker.rehearsal import rehearse
from worker.run import Surroundings


def _state() -> tuple[object, ...]:
    held = Path("/proc/self/fd")
    streams = [(held / name).readlink() for name in ("0", "1", "2")]
    root = logging.getLogger()
    return (
        streams, len(list(held.iterdir())), threading.active_count(), sys.stdout, sys.stderr,
        sys.excepthook, threading.excepthook, sys.unraisablehook, root.handlers[:], root.level,
        logging.raiseExceptions, signal.getsignal(signal.SIGXCPU),
    )


def test_it_succeeds_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    rehearse(tmp_path, 1)  # what is imported on the way is there from now on
    before = _state()
    assert rehearse(tmp_path, 3) == ["succeeded"] * 3
    assert _state() == before
    assert list(tmp_path.iterdir()) == []


def test_the_value_is_told_back_and_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that runs don't go this way for the first time when it matters."""
    sent: list[Any] = []
    answer = rehearsal._Server.call

    def overheard(*asked: Any, **more: Any) -> dict[str, Any]:
        sent.append(more.get("body"))
        return answer(*asked, **more)

    monkeypatch.setattr(rehearsal._Server, "call", overheard)
    assert rehearse(tmp_path, 1) == ["succeeded"]
    told = json.dumps(sent)
    assert "Bearer ***" in told
    assert "a rehearsal of the masker" not in told


def test_one_that_fails_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise MemoryError

    before = set(threading.enumerate())
    monkeypatch.setattr(rehearsal, "perform", broken)
    with pytest.raises(MemoryError):
        rehearse(tmp_path, 1)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) <= before


def test_whoever_connects_does_not_stop_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listening = socket.create_server

    def overheard(address: tuple[str, int]) -> socket.socket:
        listener = listening(address)
        for _ in range(3):
            socket.create_connection(listener.getsockname()).close()
        return listener

    monkeypatch.setattr(socket, "create_server", overheard)
    assert rehearse(tmp_path, 2) == ["succeeded"] * 2


def _around(scratch: Path) -> Surroundings:
    class Server:
        def warm(self) -> None: ...

    return Surroundings(cast(RuntimeClient, Server()), scratch)


@pytest.mark.parametrize("waiting", [False, True], ids=["idle", "a run waits"])
def test_a_spare_rehearses_only_while_no_run_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: bool
) -> None:
    done: list[int] = []
    monkeypatch.setattr(zygote, "rehearse", lambda _scratch, times: done.append(times))
    ours, theirs = messages.pair()
    with ours, theirs:
        if waiting:
            messages.send(ours, {"run": "one"})
        zygote._warm_up(theirs, _around(tmp_path))
        assert done == ([] if waiting else [1])
        if waiting:
            assert messages.receive(theirs)[0] == {"run": "one"}


def test_a_spare_that_can_not_rehearse_takes_its_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_scratch: Path, _times: int) -> None:
        raise OSError("no sockets left")

    monkeypatch.setattr(zygote, "rehearse", broken)
    ours, theirs = messages.pair()
    with ours, theirs:
        zygote._warm_up(theirs, _around(tmp_path))

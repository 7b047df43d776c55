"""The rehearsal of a run: it goes the whole way, and leaves nothing behind in what is forked."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path

from worker.rehearsal import rehearse


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

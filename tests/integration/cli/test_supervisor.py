"""The supervisor: children come back, stop in order, and never outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

_HEAD = """
import os, sys, time
from pathlib import Path
from app.cli.children import fork
from app.cli.supervisor import Child, Stopped, Supervisor

folder = Path(sys.argv[1])

def note(line):
    with (folder / "notes").open("a") as notes:
        notes.write(line + "\\n")

def sleeper(name):
    def body():
        import signal
        def end(*_):
            note(f"{name} ended")
            os._exit(0)
        signal.signal(signal.SIGTERM, end)
        (folder / f"{name}.pid").write_text(str(os.getpid()))
        note(f"{name} began")
        while True:
            time.sleep(1)
    return lambda: fork(name, folder / f"{name}.log", body)
"""


def _run(folder: Path, script: str) -> subprocess.Popen[str]:
    code = _HEAD + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )


def _until(check: Callable[[], object], timeout: float = 15.0) -> None:
    give_up = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.02)


def _pid(folder: Path, name: str) -> int:
    file = folder / f"{name}.pid"
    _until(lambda: file.exists() and file.read_text())
    return int(file.read_text())


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


_TWO = """
    supervisor = Supervisor(lambda line: print(line, flush=True))
    supervisor.listen()
    try:
        supervisor.add(Child("first", sleeper("first"), folder / "first.log"))
        supervisor.add(Child("second", sleeper("second"), folder / "second.log"))
        supervisor.run(lambda: None, every=3600)
    except Stopped:
        pass
    finally:
        supervisor.stop()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_children_stop_in_reverse_order(tmp_path: Path, number: int) -> None:
    process = _run(tmp_path, _TWO)
    pids = [_pid(tmp_path, "first"), _pid(tmp_path, "second")]
    process.send_signal(number)
    assert process.wait(10) == 0
    notes = (tmp_path / "notes").read_text().splitlines()
    assert notes[-2:] == ["second ended", "first ended"]
    assert not any(_alive(pid) for pid in pids)


def test_killed_child_is_started_again_and_that_is_said(tmp_path: Path) -> None:
    process = _run(tmp_path, _TWO)
    before = _pid(tmp_path, "second")
    os.kill(before, signal.SIGKILL)
    _until(lambda: _pid(tmp_path, "second") != before)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=10)
    assert "The second process ended (killed by signal 9); starting it again." in said


def test_children_end_when_the_parent_is_killed(tmp_path: Path) -> None:
    process = _run(tmp_path, _TWO)
    pids = [_pid(tmp_path, "first"), _pid(tmp_path, "second")]
    process.kill()
    process.wait(10)
    _until(lambda: not any(_alive(pid) for pid in pids))


def test_start_is_given_up_when_a_child_keeps_ending(tmp_path: Path) -> None:
    process = _run(
        tmp_path,
        """
        def hopeless():
            print("no use", flush=True)
            raise SystemExit(3)

        supervisor = Supervisor(lambda line: print(line, flush=True))
        supervisor.listen()
        supervisor.add(
            Child("poor", lambda: fork("poor", folder / "poor.log", hopeless), folder / "poor.log")
        )
        try:
            supervisor.run_until(lambda: False, 30)
        except Exception as error:
            print(error)
        supervisor.stop()
        """,
    )
    said, _ = process.communicate(timeout=20)
    assert "The poor process keeps ending (exit code 3)." in said
    assert str(tmp_path / "poor.log") in said
    assert "no use" in (tmp_path / "poor.log").read_text()


def test_child_that_does_not_stop_is_killed(tmp_path: Path) -> None:
    process = _run(
        tmp_path,
        """
        def deaf():
            import signal
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (folder / "deaf.pid").write_text(str(os.getpid()))
            while True:
                time.sleep(1)

        supervisor = Supervisor(print)
        supervisor.listen()
        log = folder / "deaf.log"
        try:
            supervisor.add(Child("deaf", lambda: fork("deaf", log, deaf), log, grace=0.3))
            supervisor.run(lambda: None, every=3600)
        except Stopped:
            supervisor.stop()
        """,
    )
    pid = _pid(tmp_path, "deaf")
    process.terminate()
    process.wait(10)
    assert not _alive(pid)


def test_hang_up_is_ignored_where_it_was_before(tmp_path: Path) -> None:
    code = _HEAD + textwrap.dedent(_TWO)
    process = subprocess.Popen(
        ["nohup", sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    pids = [_pid(tmp_path, "first"), _pid(tmp_path, "second")]
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    assert all(_alive(pid) for pid in pids)
    process.terminate()
    assert process.wait(10) == 0

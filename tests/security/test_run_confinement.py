"""What a run's process can still reach, tried from inside one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.worker_process import queue_server
from worker import confine
from worker.limits import RESERVED_FILES, ProcessLimits

ROOT = Path(__file__).parents[2]

PROGRAM = """
import json, os, resource, signal, socket, subprocess, sys
from pathlib import Path
from worker import confine
from worker.limits import ProcessLimits
scratch, hidden, victim = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
queue = sys.argv[4]
confinement = confine.confine(scratch, os.getppid(), uid=confine.other_user())
def tried(action):
    try:
        action()
        return "done"
    except OSError as error:
        return error.strerror
def said(*lines):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        try:
            connection.connect(queue)
            connection.sendall("".join(line + "\\r\\n" for line in lines).encode())
            return connection.recv(1024).decode().split()[0]
        except OSError as error:
            return error.strerror
results = {
    "queue": [said(*lines) for lines in (
        ["PING"], ["FLUSHALL"], ["LPUSH rq:queue:runs:default x"], ["AUTH x"], ["AUTH worker x"],
        ["AUTH default default"], ["HELLO 3 AUTH server x"], ["MULTI", "PING"],
    )],
    "confinement": confinement.to_json(),
    "read_hidden": tried(lambda: hidden.read_text()),
    "list_hidden": tried(lambda: list(hidden.parent.iterdir())),
    "write_code": tried(lambda: Path(confine.__file__).open("ab")),
    "new_file": tried(lambda: (hidden.parent / "new").write_text("x")),
    "write_tmp": tried(lambda: Path(f"/tmp/tacit-confine-{os.getpid()}").write_text("x")),
    "write_scratch": tried(lambda: (scratch / "file").write_text("x")),
    "read_code": tried(lambda: Path(confine.__file__).read_text()),
    "root_home": tried(lambda: list(Path("/root").iterdir())),
    "shadow": tried(lambda: Path("/etc/shadow").read_text()),
    "environ_of_victim": tried(lambda: Path(f"/proc/{victim}/environ").read_bytes()),
    "memory_of_victim": tried(lambda: Path(f"/proc/{victim}/mem").open("rb")),
    "kill_victim": tried(lambda: os.kill(victim, 0)),
    "become_root": tried(lambda: os.setuid(0)) if os.getuid() else "not root before",
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "child": subprocess.run(["cat", str(hidden)], capture_output=True).stdout.decode(),
    "shell": subprocess.run(["sh", "-c", "echo works"], capture_output=True).stdout.decode(),
    "import": tried(lambda: __import__("email.mime.text")),
}
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def inside() -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="tacit-confine-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        scratch, home = folder / "scratch", folder / "home"
        scratch.mkdir()
        home.mkdir()
        home.chmod(0o755)
        (user := confine.other_user()) and os.chown(scratch, user, user)
        hidden = home / "master.key"
        hidden.write_text("CANARY-master-key")
        hidden.chmod(0o644)  # only Landlock stands before it
        victim = subprocess.Popen(["sleep", "60"])
        try:
            with queue_server() as (url, client):
                queue = Path(urlsplit(url).path)
                # Even where the socket's folder and the socket are open to the run's user.
                queue.parent.chmod(0o755)
                queue.chmod(0o777)
                client.rpush("rq:queue:runs:default", "job")
                done = subprocess.run(
                    [sys.executable, "-c", PROGRAM, str(scratch), str(hidden), str(victim.pid),
                     str(queue)],
                    cwd=ROOT, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, done.stderr
                left = client.lrange("rq:queue:runs:default", 0, -1)
            yield {**json.loads(done.stdout), "left": left}
        finally:
            victim.kill()
            victim.wait()


def test_privileges_are_gone(inside: dict[str, Any]) -> None:
    confinement = inside["confinement"]
    assert confinement["no_new_privs"] is True
    assert confinement["undumpable"] is True
    if confine.other_user() is not None:
        assert confinement["uid"] == confine.NOBODY
        assert inside["become_root"] == "Operation not permitted"
    assert inside["core"] == [0, 0]
    assert inside["files"][0] <= ProcessLimits().open_files
    assert inside["files"][1] <= ProcessLimits().open_files + RESERVED_FILES


def test_what_a_run_needs_is_there(inside: dict[str, Any]) -> None:
    for name in ("write_scratch", "read_code", "import"):
        assert inside[name] == "done", name
    assert inside["shell"] == "works\n"


@pytest.mark.skipif(not confine.landlock_version(), reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", [
    "read_hidden", "list_hidden", "write_code", "new_file", "write_tmp", "root_home", "shadow",
    "environ_of_victim", "memory_of_victim",
])
def test_files_of_others_are_out_of_reach(inside: dict[str, Any], name: str) -> None:
    assert inside[name] == "Permission denied"
    assert inside["child"] == ""


@pytest.mark.skipif(confine.landlock_version() < 6, reason="Landlock before version 6")
def test_processes_of_others_get_no_signals(inside: dict[str, Any]) -> None:
    assert inside["kill_victim"] == "Operation not permitted"


def test_the_queue_answers_nothing_without_a_password(inside: dict[str, Any]) -> None:
    assert set(inside["queue"]) <= {"-NOAUTH", "-WRONGPASS", "Permission denied"}
    assert inside["left"] == [b"job"]


def test_what_is_missing_is_said_plainly(tmp_path: Path) -> None:
    key = tmp_path / "worker.key"
    bare = confine.Confinement(os.geteuid(), 0, True, True)
    sentences = confine.shortcomings(bare, key)
    assert any("Landlock" in sentence for sentence in sentences)
    assert any(str(key) in sentence and "master key" in sentence for sentence in sentences)
    assert confine.shortcomings(confine.Confinement(65534, 7, True, True), key) == []

"""``tacit up`` as a user starts it: ready, restarted, refused twice, stopped without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.cli.children import processes_of
from tests.support.database import home_variables

TACIT = Path(sys.executable).with_name("tacit")
EMAIL = "first@example.org"
PASSWORD = "a long enough Phrase 4 tests"


@dataclass
class Up:
    """A running ``tacit up``."""

    home: Path
    environment: dict[str, str]
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    def follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def heard_out(self) -> None:
        """Wait for what a process that has ended said last."""
        if self.reader is not None:
            self.reader.join(30)

    @property
    def said(self) -> str:
        return "".join(self.lines)

    @property
    def running(self) -> dict[str, Any]:
        return dict(json.loads((self.home / "running.json").read_text()))

    def get(self, path: str, token: str = "") -> tuple[int, bytes]:
        context = ssl.create_default_context(cafile=str(self.home / "tls" / "ca.pem"))
        request = urllib.request.Request(self.running["url"] + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def tacit(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TACIT, *arguments], env=self.environment, capture_output=True, text=True,
            input=stdin, check=False,
        )

    def descendants(self) -> dict[int, str]:
        """Return the processes below, by id, with their command lines."""
        found = {}
        for pid in processes_of(self.process.pid)[1:]:
            # One that ended meanwhile is none.
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                found[pid] = line.replace(b"\0", b" ").decode()
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        self.heard_out()
        return code


def _start(home: Path, *arguments: str, **more: str) -> Up:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TACIT_")
    } | home_variables(home, empty=True)
    process = subprocess.Popen(
        [TACIT, "up", *(arguments or ("--port", "0"))], env=environment | more,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    up = Up(home, environment, process)
    up.reader = threading.Thread(target=up.follow, daemon=True)
    up.reader.start()
    _until(lambda: "Ctrl+C stops it" in up.said or process.poll() is not None, 90)
    return up


def _until(check: Callable[[], object], timeout: float = 30.0) -> None:
    give_up = time.monotonic() + timeout
    while not check():
        assert time.monotonic() < give_up, "waited too long"
        time.sleep(0.05)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    home = tmp_path_factory.mktemp("up") / "home"
    started = _start(home, TACIT_ADMIN_EMAIL=EMAIL, TACIT_ADMIN_PASSWORD=PASSWORD)
    assert started.process.poll() is None, started.said
    yield started
    if started.process.poll() is None:
        started.stop()


@pytest.fixture(scope="module")
def token(up: Up) -> str:
    run = up.tacit("token", "create", "--user", EMAIL, "--scope", "secrets:read")
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_it_is_ready_and_says_where(up: Up) -> None:
    assert f"Tacit is ready at {up.running['url']}" in up.said
    assert up.get("/readyz")[0] == 200


def test_named_administrator_makes_a_link_needless(up: Up) -> None:
    assert "/setup/" not in up.said
    assert PASSWORD not in up.said


def test_home_is_private(up: Up) -> None:
    assert _mode(up.home) == 0o700
    for file in [*(up.home / "keys").iterdir(), up.home / "tls/ca.key", up.home / "tls/server.key"]:
        assert _mode(file) in (0o400, 0o600), file
    for folder in ("keys", "logs", "queue", "tls"):
        assert _mode(up.home / folder) == 0o700


def test_no_process_inherits_the_administrators_password(up: Up) -> None:
    for pid, command in up.descendants().items():
        assert PASSWORD not in command
        try:
            inherited = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            # Shut even to us: a process that holds the master key.
            continue
        assert PASSWORD.encode() not in inherited, command
    assert PASSWORD.encode() not in Path(f"/proc/{up.process.pid}/environ").read_bytes()


def test_worker_knows_nothing_of_the_servers_files(up: Up) -> None:
    [pid] = [
        pid for pid, command in up.descendants().items() if command.rstrip().endswith("worker.main")
    ]
    try:
        inherited = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        assert os.geteuid() != 0
        pytest.skip("the worker shuts its memory even to its own user")
    assert str(up.home).encode() not in inherited
    open_files = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    allowed = str(up.home / "logs" / "worker.log")
    assert [name for name in open_files if str(up.home) in name and name != allowed] == []
    if os.geteuid() == 0:
        owner = Path(f"/proc/{pid}").stat().st_uid
        assert owner == up.running["worker_user"]


def test_second_start_on_the_same_home_is_refused(up: Up) -> None:
    second = up.tacit("up", "--port", "0")
    assert second.returncode == 1
    assert "[already_running]" in second.stderr
    assert str(up.process.pid) in second.stderr
    assert up.get("/readyz")[0] == 200


def test_port_in_use_names_the_port_and_the_flag(up: Up, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for flag in ("--port", "--runtime-port"):
            moved = [flag, port] if flag == "--port" else ["--port", "0", flag, port]
            run = subprocess.run(
                [TACIT, "up", *moved], env=up.environment | {"TACIT_HOME": str(tmp_path / "x")},
                capture_output=True, text=True, check=False,
            )
            assert run.returncode == 1
            assert "[port_in_use]" in run.stderr
            assert port in run.stderr
            assert flag in run.stderr


def test_queue_that_does_not_answer_is_named(tmp_path: Path) -> None:
    up = _start(tmp_path / "home", TACIT_REDIS_URL=f"unix://{tmp_path}/nobody.sock")
    assert up.process.wait(90) == 1
    up.heard_out()
    assert "TACIT_REDIS_URL" in up.said
    assert "[queue_silent]" in up.said


def test_token_is_printed_alone_and_works(up: Up, token: str) -> None:
    assert token
    assert "\n" not in token
    assert up.get("/api/v1/secrets", token)[0] == 200
    assert up.get("/api/v1/secrets", token[:-1] + "x")[0] == 401


def test_people_are_made_and_change_their_password(up: Up) -> None:
    made = up.tacit(
        "user", "create", "--email", "second@example.org", "--role", "viewer", "--password-stdin",
        stdin="another long Phrase 4 tests\n",
    )
    assert made.returncode == 0, made.stderr
    again = up.tacit(
        "user", "create", "--email", "Second@example.org", "--role", "viewer",
        "--password-stdin", stdin="another long Phrase 4 tests\n",
    )
    assert again.returncode == 1
    assert "[email_taken]" in again.stderr
    changed = up.tacit(
        "user", "password", "second@example.org", "--password-stdin",
        stdin="a third long Phrase 4 tests\n",
    )
    assert changed.returncode == 0, changed.stderr
    unknown = up.tacit("user", "password", "nobody@example.org", "--password-stdin", stdin="x\n")
    assert "[user_not_found]" in unknown.stderr


def test_nobody_gets_a_scope_that_the_role_lacks(up: Up) -> None:
    up.tacit(
        "user", "create", "--email", "viewer@example.org", "--role", "viewer", "--password-stdin",
        stdin="another long Phrase 4 tests\n",
    )
    run = up.tacit(
        "token", "create", "--user", "viewer@example.org", "--scope", "secrets:manage"
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert "secrets:manage" in run.stderr


def test_doctor_finds_nothing_wrong(up: Up) -> None:
    run = up.tacit("doctor")
    assert run.returncode == 0, run.stdout
    for area in ("key", "database", "queue", "tls", "clock", "worker keys", "confinement"):
        assert f"  {area}" in run.stdout
    assert "WRONG" not in run.stdout


def test_killed_worker_comes_back(up: Up) -> None:
    def worker() -> list[int]:
        return [
            pid for pid, command in up.descendants().items()
            if command.rstrip().endswith("worker.main")
        ]

    [before] = worker()
    os.kill(before, signal.SIGKILL)
    _until(lambda: len(worker()) == 1 and worker() != [before])
    _until(lambda: "The worker process ended (killed by signal 9)" in up.said)


def test_stop_leaves_nothing_and_the_next_start_finds_everything(up: Up, token: str) -> None:
    processes = up.descendants()
    assert processes
    authority = (up.home / "tls/ca.pem").read_bytes()
    assert up.stop() == 0
    assert up.said.rstrip().endswith("Stopped.")
    assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
    assert not (up.home / "running.json").exists()

    again = _start(up.home)
    try:
        assert "Tacit is ready" in again.said, again.said
        assert "/setup/" not in again.said
        assert (up.home / "tls/ca.pem").read_bytes() == authority
        assert again.get("/api/v1/secrets", token)[0] == 200
    finally:
        assert again.stop() == 0


def test_open_key_file_stops_the_start_and_doctor_says_how_to_mend_it(up: Up) -> None:
    if up.process.poll() is None:
        up.stop()
    key = up.home / "keys" / "master.key"
    key.chmod(0o640)
    try:
        refused = up.tacit("up", "--port", "0")
        assert refused.returncode == 1
        assert f"chmod 600 {key}" in refused.stderr
        examined = up.tacit("doctor")
        assert examined.returncode == 1
        assert f"chmod 600 {key}" in examined.stdout
    finally:
        key.chmod(0o600)


def test_first_start_prints_a_link_and_the_next_one_a_new_one(tmp_path: Path) -> None:
    links = []
    for _ in range(2):
        up = _start(tmp_path / "home")
        try:
            [link] = [line.strip() for line in up.lines if "/setup/" in line]
            assert up.get(link.removeprefix(up.running["url"]))[0] == 200
            links.append(link)
        finally:
            assert up.stop() == 0
    assert links[0] != links[1]

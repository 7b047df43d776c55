"""A worker on another machine: enrolled by a one-time code, with nothing but its key."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.ids import new_id
from app.keys.ca import ensure_tls, server_context
from tests.support.counting import Counting, counting_service
from tests.support.database import home_variables, raw_database
from tests.support.installation import Installation, canary
from tests.support.listener import TACIT
from tests.support.machine import Machine, other_machine
from tests.support.proxy import Proxy, proxy
from tests.support.running import until
from tests.support.runs import Workshop
from tests.support.runtime_process import runtime_process
from tests.support.worker_process import queue_server


@dataclass
class Far:
    """A server here, a worker there.

    :ivar folder: all that the other machine has of Tacit.
    """

    workshop: Workshop
    machine: Machine
    ways: tuple[Proxy, ...]
    service: Counting
    folder: Path
    worker: subprocess.Popen[bytes]
    value: str
    flow: str

    def start(self, hold: float) -> tuple[str, str]:
        """Start a run; returns its id and key."""
        key = new_id()
        run = self.workshop.run(self.flow, inputs={"key": key, "hold": hold})
        assert self.workshop.installation.services.queue.enqueue(run.id)
        return run.id, key

    def state(self, run_id: str) -> str:
        """Return a run's state."""
        return str(self.workshop.show(run_id).state)

    def becomes(self, run_id: str, state: str, seconds: float) -> None:
        """Wait until a run is in a state.

        :raises AssertionError: it isn't in time; says what the worker said.
        """
        give_up = time.monotonic() + seconds
        while (now := self.state(run_id)) != state:
            said = (self.folder / "worker.log").read_text()[-4000:]
            problems = self.workshop.show(run_id).problems
            assert time.monotonic() < give_up, f"{now} {problems}\n{said}"
            time.sleep(0.1)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Take the other machine's network away for a while."""
        if not self.machine.pull_the_cable():
            for way in self.ways:
                way.stall()
        try:
            yield
        finally:
            self.machine.plug_it_in()
            for way in self.ways:
                way.mend()

    def numbers(self, run_id: str) -> list[int]:
        """Return the numbers of a run's events as they are stored."""
        with raw_database(self.workshop.installation.config) as raw:
            rows = raw.execute(
                "select seq from run_events where run_id = ? order by seq", (run_id,)
            ).fetchall()
        return [number for (number,) in rows]


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    here = tmp_path_factory.mktemp("server")
    there = Path(tempfile.mkdtemp(prefix="tacit-far-"))
    there.chmod(0o755)  # runs have a user of their own
    with ExitStack() as stack:
        machine = stack.enter_context(other_machine())
        queue_url, redis = stack.enter_context(queue_server())
        socket = redis.connection_pool.connection_kwargs["path"]
        users = redis.connection_pool.connection_kwargs
        made = Installation.make(
            here / "home", redis_url=f"unix://server:{users['password']}@{socket}"
        )
        stack.callback(made.services.close)
        files = ensure_tls(made.config.home, [machine.server])
        runtime = stack.enter_context(runtime_process(made, here))
        stack.enter_context(_scheduler(made, here))
        way = stack.enter_context(proxy(machine.server))
        way.target = ("127.0.0.1", runtime.port)
        tls = server_context(files.certificate, files.key)
        queue_way = stack.enter_context(proxy(machine.server, tls))
        queue_way.target = str(socket)
        service = stack.enter_context(counting_service(machine.server))

        # What is carried over: the CA. The key is made there.
        shutil.copy(files.ca, there / "ca.pem")
        url = f"https://{machine.server}:{way.port}"
        code = _run([str(TACIT), "worker", "enroll", "far"], home_variables(made.config.home))
        joined = _run(
            machine.command(
                str(TACIT), "worker", "join", code, "--runtime-url", url,
                "--ca", str(there / "ca.pem"), "--key-file", str(there / "worker.json"),
            ), {},
        )
        assert "Enrolled as far" in joined
        password = queue_url.partition("worker:")[2].partition("@")[0]
        scratch = there / "scratch"
        scratch.mkdir(mode=0o711)
        settings = {
            "TACIT_RUNTIME_URL": url, "TACIT_CA": str(there / "ca.pem"),
            "TACIT_REDIS_URL": f"rediss://worker:{password}@{machine.server}:{queue_way.port}/0"
            f"?ssl_ca_certs={there / 'ca.pem'}",
            "TACIT_WORKER_KEY_FILE": str(there / "worker.json"),
            "TACIT_WORKER_SCRATCH": str(scratch),
        }
        worker = stack.enter_context(_process(
            machine.command(str(TACIT), "worker"), settings, there / "worker.log"
        ))
        workshop = Workshop.open(made)
        value = canary()
        secret = workshop.secret(value)
        flow = workshop.flow(service.graph(secret.name)).id
        yield Far(workshop, machine, (way, queue_way), service, there, worker, value, flow)
    shutil.rmtree(there, ignore_errors=True)


def test_a_worker_elsewhere_does_a_run_with_nothing_but_its_key(far: Far) -> None:
    run, key = far.start(0)
    far.becomes(run, "succeeded", 60)
    assert far.service.arrivals[key] == 1
    found = {file.name for file in far.folder.iterdir()}
    assert found == {"ca.pem", "worker.json", "worker.log", "scratch"}
    for name in ("worker.log", "worker.json"):
        assert far.value not in (far.folder / name).read_text()
    assert (far.folder / "worker.json").stat().st_mode & 0o777 == 0o600


def test_a_code_is_good_once(far: Far) -> None:
    made = far.workshop.installation.config
    code = _run([str(TACIT), "worker", "enroll", "other"], home_variables(made.home))
    url = f"https://{far.machine.server}:{far.ways[0].port}"
    for number, good in ((1, True), (2, False)):
        done = subprocess.run(
            far.machine.command(
                str(TACIT), "worker", "join", code, "--runtime-url", url,
                "--ca", str(far.folder / "ca.pem"),
                "--key-file", str(far.folder / "scratch" / f"{number}.json"),
            ), capture_output=True, text=True, check=False, env={"PATH": os.defpath},
        )
        assert (done.returncode == 0) == good, done.stderr
    assert "enrolment_code_invalid" in done.stderr
    (far.folder / "scratch" / "1.json").unlink()


def test_cut_off_for_a_moment_the_run_goes_on(far: Far) -> None:
    run, key = far.start(5)
    until(lambda: far.service.arrivals[key] == 1)
    with far.cut_off():
        time.sleep(3)
    far.becomes(run, "succeeded", 40)
    assert far.service.arrivals[key] == 1
    assert far.numbers(run) == list(range(1, len(far.numbers(run)) + 1))


def test_cut_off_for_long_the_run_ends_and_the_worker_comes_back(far: Far) -> None:
    run, key = far.start(8)
    until(lambda: far.service.arrivals[key] == 1)
    with far.cut_off():
        far.becomes(run, "failed", 20)
    assert [problem["code"] for problem in far.workshop.show(run).problems] == ["worker_lost"]
    after, other = far.start(0)
    far.becomes(after, "succeeded", 90)
    assert far.worker.poll() is None, "it is the same process"
    assert far.state(run) == "failed", "what came too late was refused"
    assert (far.service.arrivals[key], far.service.arrivals[other]) == (1, 1)
    assert far.numbers(run) == list(range(1, len(far.numbers(run)) + 1))


@contextmanager
def _process(
    command: list[str], settings: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, env={"PATH": os.environ["PATH"], **settings}, stdout=output, stderr=output,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _scheduler(
    made: Installation, folder: Path
) -> AbstractContextManager[subprocess.Popen[bytes]]:
    settings = home_variables(made.config.home) | {"TACIT_REDIS_URL": made.config.redis_url}
    return _process([str(TACIT), "scheduler"], settings, folder / "scheduler.log")


def _run(command: list[str], settings: dict[str, str]) -> str:
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], **settings}, capture_output=True, text=True,
        check=False, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()



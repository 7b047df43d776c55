"""What a node starts or uses up ends with its run, however it tries to get away."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.graphs import graph, node, wire
from tests.support.own_environment import own_environment
from tests.support.packages import lay_out
from tests.support.processes import alive, children_of
from tests.support.runtime_standin import PlannedRun, RuntimeStandin
from tests.support.worker_process import WorkerProcess, queue_server

STARTS = '''
import os
import time

from app.sdk import Component, Port, PortType


class Starts(Component):
    name = "acme.starts"
    title = "Starts"
    help = "Starts a process that makes a session of its own, and a child of that."
    category = "logic"
    icon = "code"
    inputs = (Port("secret", PortType.SECRET, "Secret", required=True),)
    outputs = (Port("pids", PortType.JSON, "Processes"),)
    handles_secrets = True

    def run(self, context):
        value = context.reveal("secret", "local")
        told, tell = os.pipe()
        if os.fork() == 0:
            os.setsid()
            middle = os.fork()
            if middle == 0:
                os.write(tell, f"{os.getpid()} ".encode())
                if os.fork() == 0:
                    os.write(tell, f"{os.getpid()} ".encode())
                while True:
                    os.write(1, f"still here: {value}\\\\n".encode())
                    time.sleep(0.05)
            os._exit(0)
        os.wait()
        pids = []
        while len(pids) < 2:
            pids += os.read(told, 64).split()
        context.log.info("started", {"pids": [int(pid) for pid in pids]})
        context.cancelled.wait(context.run_inputs["seconds"])
        return {"pids": [int(pid) for pid in pids]}


class Hoards(Component):
    name = "acme.hoards"
    title = "Hoards"
    help = "Opens all the files that it may, and keeps them."
    category = "logic"
    icon = "code"
    outputs = (Port("files", PortType.NUMBER, "Files"),)
    kept = []

    def run(self, context):
        try:
            while True:
                self.kept.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            if context.run_inputs["fail"]:
                raise
        return {"files": len(self.kept)}
'''.replace("\\\\n", "\\n")


@pytest.fixture(scope="module")
def worker(
    standin: RuntimeStandin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    with own_environment() as environment, queue_server() as (url, redis):
        packages = next((environment.folder / "env" / "lib").glob("*/site-packages"))
        lay_out(packages, "acme-starts", {
            "acme.starts": "acme_starts:Starts", "acme.hoards": "acme_starts:Hoards",
        }, STARTS)
        worker = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        worker.python = environment.python
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()


def started(standin: RuntimeStandin, worker: WorkerProcess, seconds: float) -> PlannedRun:
    canary = f"CANARY-{secrets.token_hex(12)}"
    return worker.enqueue(standin.plan(
        graph(node("fetch", "secret.fetch", secretName="tok"), node("start", "acme.starts"),
              wire("fetch.value", "start.secret")),
        secrets={"fetch": ("tok", canary, None)}, inputs={"seconds": seconds}))


def pids_of(run: PlannedRun) -> list[int]:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for event in list(run.events):
            if event["text"] == "started":
                return list(event["data"]["pids"])
        time.sleep(0.05)
    raise AssertionError(run.events)


def gone(pids: list[int]) -> bool:
    until = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(alive, pids))


def test_they_end_with_the_run_and_say_nothing_after_it(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = started(standin, worker, 0.3).wait()
    assert run.state == "succeeded", (run.problem, worker.words())
    assert gone(pids_of(run))
    said = [event for event in run.events if event["text"] == "still here: ***"]
    assert said
    assert "CANARY" not in repr(run.events) + worker.words()


@pytest.mark.parametrize("fail", [True, False])
def test_a_node_that_keeps_every_file_open_keeps_no_run_from_its_end(
    standin: RuntimeStandin, worker: WorkerProcess, fail: bool
) -> None:
    run = worker.enqueue(standin.plan(graph(node("x", "acme.hoards")), inputs={"fail": fail}))
    run.wait()
    assert run.lost == [], worker.words()
    assert run.state == ("failed" if fail else "succeeded")
    assert (run.problem or {}).get("code") == ("run_files_limit" if fail else None)


def test_they_end_with_a_run_whose_process_was_killed(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = started(standin, worker, 60)
    pids = pids_of(run)
    assert worker.process is not None
    zygote, = children_of(worker.process.pid)
    horse, = (pid for pid in children_of(zygote) if set(children_of(pid)) & set(pids))
    os.kill(horse, signal.SIGKILL)
    assert gone(pids)
    run.wait()
    assert run.lost


def test_they_end_with_a_worker_that_was_killed(
    standin: RuntimeStandin, worker: WorkerProcess
) -> None:
    run = started(standin, worker, 60)
    pids = pids_of(run)
    assert worker.process is not None
    zygote = children_of(worker.process.pid)
    os.kill(worker.process.pid, signal.SIGKILL)
    worker.process.wait()
    assert gone([*pids, *zygote])
    assert not list(Path(worker.scratch).iterdir())

"""Statement 20: a run's process holds nothing that opens another run, and cannot get at it."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from rq import Callback

from tests.support.graphs import graph, node, wire
from tests.support.processes import busy_children, children_of, memory_holds
from tests.support.runtime_standin import PlannedRun, RuntimeStandin
from tests.support.worker_process import WorkerProcess, queue_server
from worker import confine
from worker.zygote import KEPT_VARIABLES

ROOT = Path(__file__).parents[2]
ONE, OTHER = "CANARY-s20-one-6f2b91", "CANARY-s20-other-c07d3e"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="they shut themselves to their own user")


@pytest.fixture(scope="module")
def worker(
    standin: RuntimeStandin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WorkerProcess]:
    trap = tmp_path_factory.mktemp("trap")
    with queue_server() as (url, redis):
        worker = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        worker.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(trap)])
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()


# The forged jobs come first: later a run keeps the worker busy.


@pytest.mark.parametrize("function", [
    "os.system", "trap.spring", "builtins.eval", "worker.main.main", "worker.main.Execute",
    "worker.zygote.main", "tests.support.runs.run",
])
def test_s20_a_forged_job_executes_nothing(
    standin: RuntimeStandin, worker: WorkerProcess, tmp_path: Path, function: str
) -> None:
    """Neither the function nor its module's import, nor its callbacks."""
    proof = tmp_path / "proof"
    trap = Path(worker.environ["PYTHONPATH"].split(os.pathsep)[1])
    (trap / "trap.py").write_text(
        f"from pathlib import Path\nPath({str(proof)!r}).touch()\ndef spring(*_): pass\n")
    job = worker.queue.enqueue_call(
        function, args=[f"touch {proof}"], failure_ttl=60, on_failure=Callback("trap.spring"),
        on_success=Callback("trap.spring"), on_stopped=Callback("trap.spring"))
    run = standin.plan(graph(node("start", "trigger.manual")))
    worker.queue.enqueue_call("worker.main.execute", args=[run.id], depends_on=job)
    after = standin.plan(graph(node("start", "trigger.manual")))
    assert worker.enqueue(after).wait(90).state == "succeeded"
    assert not proof.exists()
    assert job.get_status(refresh=True) == "failed"
    assert run.state == "queued"  # and a dependent of a forged job isn't started by it


def test_s20_a_pickled_job_is_not_unpickled(
    standin: RuntimeStandin, worker: WorkerProcess, tmp_path: Path
) -> None:
    proof = tmp_path / "pickled"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {proof}",)

    job = worker.queue.enqueue_call("worker.main.execute", args=["x"], failure_ttl=60)
    worker.redis.hset(f"rq:job:{job.id}", "data", pickle.dumps(("os.system", None, [Bomb()], {})))
    after = standin.plan(graph(node("start", "trigger.manual")))
    assert worker.enqueue(after).wait(90).state == "succeeded"
    assert not proof.exists()


def secret_graph() -> dict[str, Any]:
    return graph(node("fetch", "secret.fetch", secretName="tok"),
                 node("call", "http.request", url="http://127.0.0.1:9/",
                      policies={"on_error": "continue"}),
                 node("wait", "control.delay", seconds=60),
                 wire("fetch.value", "call.bearer_token"), wire("call.done", "wait.start"))


def is_waiting(run: PlannedRun) -> bool:
    """Whether the run has used its secret and only waits now."""
    return any(event["node"] == "wait" for event in run.events)


@pytest.fixture(scope="module")
def waiting(standin: RuntimeStandin, worker: WorkerProcess) -> Iterator[tuple[PlannedRun, int]]:
    """A run that waits with its secret in memory, after another one used another secret."""
    before = worker.enqueue(standin.plan(secret_graph(), secrets={"fetch": ("tok", OTHER, None)}))
    run = standin.plan(secret_graph(), secrets={"fetch": ("tok", ONE, None)})
    for each in (before, run):
        if each is run:
            before.cancel = True
            before.wait()
            worker.enqueue(run)
        until = time.monotonic() + 30
        while not is_waiting(each):
            assert time.monotonic() < until, worker.words()
            time.sleep(0.05)
    until = time.monotonic() + 20
    while len(busy := busy_children(worker)) != 1:
        assert time.monotonic() < until, busy
        time.sleep(0.05)
    yield run, busy[0]
    run.cancel = True
    run.wait()


@as_root
def test_s20_memory(
    standin: RuntimeStandin, worker: WorkerProcess, waiting: tuple[PlannedRun, int]
) -> None:
    """The run's own value is found, so the search works; nobody else's key or value is."""
    _, pid = waiting
    password = urlsplit(worker.environ["TACIT_REDIS_URL"]).password
    assert memory_holds(pid, ONE.encode())
    for needle in (OTHER.encode(), standin.worker_key.private_bytes_raw(),
                   standin.key_document()["private_key"].encode(), str(password).encode()):
        assert not memory_holds(pid, needle)
    assert worker.process is not None
    assert not memory_holds(worker.process.pid, ONE.encode())  # values never pass the parent


@as_root
def test_s20_environment(waiting: tuple[PlannedRun, int], worker: WorkerProcess) -> None:
    _, pid = waiting
    # What it was started with is the zygote's: no key, no queue, no admin's variable.
    started = dict(line.split("=", 1) for line in
                   Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in line)
    allowed = {*KEPT_VARIABLES, "TACIT_RUNTIME_URL", "TACIT_CA", "TACIT_WORKER_SCRATCH",
               "TACIT_LOG_LEVEL", "TACIT_EGRESS_REFUSED", "PYTHONPATH"}
    assert set(started) <= allowed
    assert not [value for value in started.values() if str(worker.key) in value]
    assert ONE not in repr(started)
    assert ONE.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()


@as_root
def test_s20_files_and_connections(waiting: tuple[PlannedRun, int], worker: WorkerProcess) -> None:
    """Each open descriptor is a pipe, a socket of its own, or nothing's device."""
    _, pid = waiting
    opened = descriptors(pid)
    for number, place in opened.items():
        if place == str(worker.log):  # the worker's own stderr, put back at the end: for writing
            info = Path(f"/proc/{pid}/fdinfo/{number}").read_text()
            flags = int(info.split("flags:")[1].split()[0], 8)
            assert flags & os.O_ACCMODE == os.O_WRONLY
        else:
            assert place.startswith(("pipe:", "socket:", "anon_inode:")) or place == "/dev/null"
    assert worker.process is not None
    others = [worker.process.pid, *children_of(worker.process.pid), *others_of(worker, pid)]
    own = {place for place in opened.values() if place.startswith(("pipe:", "socket:"))}
    for other in others:  # the next run's socket, the parent's, the zygote's: none is in its hands
        assert not own & set(descriptors(other).values())
    scratch = Path(f"/proc/{pid}/cwd").readlink()
    assert scratch.parent == worker.scratch
    assert list(scratch.iterdir()) == []


def descriptors(pid: int) -> dict[str, str]:
    return {one.name: str(one.readlink()) for one in Path(f"/proc/{pid}/fd").iterdir()}


def others_of(worker: WorkerProcess, pid: int) -> list[int]:
    """The zygote's other processes: those of runs to come."""
    assert worker.process is not None
    return [one for zygote in children_of(worker.process.pid) for one in children_of(zygote)
            if one != pid]


NEIGHBOUR = """
import json, os, signal, subprocess, sys, ctypes
from pathlib import Path
from worker import confine
scratch, other, victim, master = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if "--no-landlock" in sys.argv:
    confine.landlock_version = lambda: 0
confine.confine(scratch, os.getppid(), uid=confine.other_user())
def tried(action):
    try:
        return repr(action())
    except OSError as error:
        return error.strerror
libc = ctypes.CDLL(None, use_errno=True)
def attached():
    if libc.ptrace(16, victim, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def child(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout
script = ("import sys\\nfor path in sys.argv[1:]:\\n try: print(open(path, 'rb').read())"
          "\\n except OSError: pass")
proc = f"/proc/{victim}"
print(json.dumps({
    "uid": os.geteuid(),
    "environ": tried(lambda: Path(f"{proc}/environ").read_bytes()),
    "memory": tried(lambda: open(f"{proc}/mem", "rb").read(1)),
    "maps": tried(lambda: Path(f"{proc}/maps").read_text()[:1]),
    "descriptors": tried(lambda: os.listdir(f"{proc}/fd")),
    "root": tried(lambda: os.listdir(f"{proc}/root")),
    "ptrace": tried(attached),
    "scratch": tried(lambda: os.listdir(other)),
    "file": tried(lambda: (other / "value").read_text()),
    "master": tried(lambda: Path(master).read_bytes()),
    "cat": child("cat", f"{proc}/environ", f"{other}/value", master),
    "python": child(sys.executable, "-c", script, f"{proc}/environ", f"{other}/value", master),
}))
"""
VICTIM = """
import os, sys, time
from pathlib import Path
from worker import confine
scratch = Path(sys.argv[1])
os.environ["VALUE"] = held = os.environ.pop("CANARY")
confine.confine(scratch, os.getppid(), uid=confine.other_user())
(scratch / "value").write_text(held)
print("ready", flush=True)
time.sleep(120)
"""


@pytest.fixture(scope="module", params=["landlock", "no-landlock"])
def neighbour(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a run's process, and children that it starts, get of another run of the same user."""
    if request.param == "landlock" and not confine.landlock_version():
        pytest.skip("this kernel has no Landlock")
    with tempfile.TemporaryDirectory(prefix="tacit-s20-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        scratches = []
        for each in ("one", "two"):
            scratch = folder / each
            scratch.mkdir(mode=0o700)
            (user := confine.other_user()) and os.chown(scratch, user, user)
            scratches.append(scratch)
        master = folder / "master.key"
        master.write_text(f"{OTHER}-master")
        master.chmod(0o644 if request.param == "landlock" else 0o600)
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(scratches[0])], cwd=ROOT, stdout=subprocess.PIPE,
            env={**os.environ, "CANARY": OTHER})
        try:
            assert victim.stdout is not None
            assert victim.stdout.readline() == b"ready\n"
            done = subprocess.run(
                [sys.executable, "-c", NEIGHBOUR, str(scratches[1]), str(scratches[0]),
                 str(victim.pid), str(master), f"--{request.param}"],
                cwd=ROOT, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            yield request.param, json.loads(done.stdout)
        finally:
            victim.kill()
            victim.wait()


def test_s20_another_run_of_the_same_user(neighbour: tuple[str, dict[str, Any]]) -> None:
    """Neither the process nor its children read another run's environment, memory or
    descriptors, with Landlock or without."""
    kind, found = neighbour
    for name in ("environ", "memory", "descriptors", "root", "ptrace"):
        assert found[name] in ("Permission denied", "Operation not permitted"), (name, found)
    if kind == "landlock":
        assert found["maps"] == "Permission denied"
        assert found["scratch"] == "Permission denied"
        assert found["file"] == "Permission denied"
        assert OTHER not in found["cat"] + found["python"]


def test_s20_the_master_key(neighbour: tuple[str, dict[str, Any]]) -> None:
    """By Landlock even where the file is open to all; else by its mode, under another user."""
    kind, found = neighbour
    if kind == "no-landlock" and found["uid"] == os.geteuid():
        pytest.skip("the same user and no Landlock: start-up says so (shortcomings)")
    assert found["master"] == "Permission denied"
    assert f"{OTHER}-master" not in found["cat"] + found["python"]

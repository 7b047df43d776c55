"""The processes of a worker, as the system shows them to a test."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.worker_process import WorkerProcess


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                found.append(int(entry.name))
    return found


def processes_of(worker: WorkerProcess) -> tuple[list[int], list[int]]:
    """The zygote and its spares, once the worker is up and a spare waits for a run.

    The test may be the first of its process: then the worker has only just been started. Or a
    run's process may be about to end: those that stay for two looks are the ones that wait.
    """
    assert worker.process is not None
    until = time.monotonic() + 90
    before: tuple[list[int], list[int]] | None = None
    while True:
        zygote = [pid for pid in children_of(worker.process.pid) if alive(pid)]
        spares = [pid for parent in zygote for pid in children_of(parent) if alive(pid)]
        found = (zygote, spares)
        ready = "Runs are confined" in worker.words() and len(zygote) == len(spares) == 1
        if ready and found == before:
            return found
        before = found
        assert time.monotonic() < until, worker.words()
        time.sleep(0.5)


def busy_children(worker: WorkerProcess) -> list[int]:
    """The run's processes that have more than one thread: those at work."""
    assert worker.process is not None
    pids = [pid for parent in children_of(worker.process.pid) for pid in children_of(parent)]
    return [pid for pid in pids if len(list(Path(f"/proc/{pid}/task").iterdir())) > 1]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def memory_holds(pid: int, needle: bytes) -> bool:
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            try:
                memory.seek(start)
                if needle in memory.read(end - start):
                    return True
            except (OSError, OverflowError):
                continue
    return False

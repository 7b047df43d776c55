"""Files of runs in a real worker: the listed folders and no others, whatever a run's code does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.database import home_variables
from tests.support.graphs import graph, node, wire
from tests.support.http_echo import echo_server
from tests.support.hunt import Hunt
from tests.support.installation import canary
from tests.support.running import TACIT
from tests.support.runtime_standin import PlannedRun, RuntimeStandin, runtime_standin
from tests.support.worker_process import ROOT, WorkerProcess, queue_server
from worker import confine

PROGRAM = """
import os, sys
from pathlib import Path
from app.components.folders import Folder
from worker import confine
scratch, inbox, out, hidden = map(Path, sys.argv[1:5])
confine.confine(scratch, os.getppid(), uid=confine.other_user(), folders=[
    Folder(str(inbox), inbox), Folder(str(out), out, True)])

def tries(name, call):
    try:
        call()
        print(name, "done")
    except OSError as error:
        print(name, error.strerror)

tries("read_inbox", (inbox / "a.txt").read_text)
tries("write_inbox", lambda: (inbox / "b.txt").write_text("x"))
tries("change_inbox", lambda: (inbox / "a.txt").write_text("x"))
tries("remove_inbox", (inbox / "a.txt").unlink)
tries("read_hidden", hidden.read_text)
tries("list_hidden", lambda: list(hidden.parent.iterdir()))
tries("through_link", (inbox / "link").read_text)
tries("write_out", lambda: (out / "b.txt").write_text("x"))
tries("link_out", lambda: (out / "l").symlink_to(hidden))
tries("pipe_out", lambda: os.mkfifo(out / "p"))
tries("move_out", lambda: os.rename(out / "b.txt", scratch / "b.txt"))
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Folders below /tmp itself: pytest's are closed to the user that runs get under root."""
    folder = Path(tempfile.mkdtemp(prefix="tacit-files-"))
    folder.chmod(0o755)
    for name in ("inbox", "out", "hidden", "scratch"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    (folder / "inbox" / "a.txt").write_text("what came in")
    (folder / "inbox" / "a.txt").chmod(0o666)
    (folder / "hidden" / "key").write_text("CANARY-key-of-somebody")
    (folder / "hidden" / "key").chmod(0o644)  # only Landlock stands before it
    (folder / "inbox" / "link").symlink_to(folder / "hidden" / "key")
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(not confine.landlock_version(), reason="this kernel has no Landlock")
def test_the_kernel_holds_a_run_to_the_listed_folders(place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(str(place / name) for name in (
            "scratch", "inbox", "out", "hidden/key"))],
        cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    allowed = {name for name, words in found.items() if words == "done"}
    assert allowed == {"read_inbox", "write_out"}, found
    assert all(words in ("Permission denied", "Invalid cross-device link")
               for name, words in found.items() if name not in allowed), found


@pytest.fixture(scope="module")
def worker(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RuntimeStandin, WorkerProcess]]:
    with runtime_standin(tmp_path_factory.mktemp("runtime")) as standin, queue_server() as (
        url, redis
    ):
        made = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        made.environ["TACIT_FILE_ROOTS"] = f"{place}/inbox,{place}/out:rw"
        made.start()
        try:
            yield standin, made
        finally:
            made.stop()


def perform(worker: Any, document: dict[str, Any], *grants: Path, **options: Any) -> PlannedRun:
    standin, process = worker
    reach = {"worker_secrets": [f"folder:{one}" for one in grants]}
    return process.enqueue(standin.plan(document, reach=reach, **options)).wait(60)


def copying(source: Path, target: Path | str) -> dict[str, Any]:
    return graph(
        node("read", "file.read", path=str(source)),
        node("write", "file.write", path=str(target), mode="append"),
        node("again", "file.read", path=str(target)),
        wire("read.content", "write.content"), wire("write.done", "again.start"),
    )


def test_a_run_reads_and_writes_what_is_listed_and_granted(worker: Any, place: Path) -> None:
    target = place / "out" / "copy.txt"
    run = perform(worker, copying(place / "inbox" / "a.txt", target), place)
    assert run.state == "succeeded", run.events
    assert run.node("again")["outputs"]["content"] == "what came in"
    assert target.stat().st_uid == (confine.other_user() or os.geteuid())
    assert target.stat().st_mode & 0o777 == 0o600
    scratch = perform(worker, copying(place / "inbox" / "a.txt", "own.txt"), place)
    assert scratch.state == "succeeded", scratch.events


def test_not_granted_not_listed_not_written(worker: Any, place: Path) -> None:
    inbox, out = place / "inbox", place / "out"
    for source, target, grants, code in (
        (inbox / "a.txt", out / "x", (), "file_not_allowed"),
        (inbox / "a.txt", out / "x", (out,), "file_not_allowed"),
        (inbox / "link", out / "x", (place,), "file_linked"),
        (place / "hidden" / "key", out / "x", (place,), "file_not_allowed"),
        (inbox / "a.txt", inbox / "x", (place,), "file_read_only"),
    ):
        run = perform(worker, copying(source, target), *grants)
        assert run.state == "failed"
        problem = run.problem
        assert problem is not None
        assert problem["code"] == code
        assert "CANARY" not in repr(run.events)
    assert not (out / "x").exists()
    assert not (inbox / "x").exists()


def test_what_a_service_echoed_is_not_written(worker: Any, place: Path) -> None:
    value = canary()
    with echo_server() as echo:
        run = perform(worker, graph(
            node("fetch", "secret.fetch", secretName="tok"),
            node("call", "http.request", url=echo.url),
            node("write", "file.write", path=str(place / "out" / "echoed")),
            wire("fetch.value", "call.bearer_token"), wire("call.body", "write.content"),
        ), place, secrets={"fetch": ("tok", value, None)})
    assert run.node("write")["problem"]["code"] == "file_holds_secret"
    hunt = Hunt({"value": value})
    hunt.files("folder", place)
    hunt.object("events", run.events)
    assert hunt.hits == [], hunt.table()


@pytest.mark.parametrize("listed", ["home", "home/keys", "", "link"])
def test_a_worker_does_not_start_with_tacit_s_own_folder(
    worker: Any, tmp_path: Path, listed: str
) -> None:
    _, process = worker
    (tmp_path / "home" / "keys").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    environ = {**process.environ, "TACIT_FILE_CLOSED": str(tmp_path / "home"),
               "TACIT_FILE_ROOTS": f"{tmp_path / listed}:rw".replace("/:", ":")}
    done = subprocess.run([sys.executable, "-m", "worker.main"], env=environ, timeout=60,
                          capture_output=True, text=True)
    assert done.returncode == 2
    assert "Runs never get a folder that holds Tacit's own files" in done.stderr


def test_tacit_up_says_so_before_it_starts_anything(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    environ |= home_variables(home, empty=True) | {"TACIT_FILE_ROOTS": f"{home}:rw"}
    done = subprocess.run([TACIT, "up", "--port", "0"], env=environ, timeout=60, cwd="/",
                          capture_output=True, text=True)
    assert done.returncode != 0
    assert "Runs never get a folder that holds Tacit's own files" in done.stdout + done.stderr
    assert not (home / "tacit.db").exists()
